"""Functions that will fail are found by what their text names, not by what it looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.rollback.blast_radius import blast_radius_on
from services.database.script import Script
from services.database.server import Server

SCHEMA = """
CREATE SCHEMA other;
CREATE SCHEMA elsewhere;
CREATE TYPE level AS ENUM ('low');
CREATE TABLE users (id int, email text, score int);
CREATE TABLE other.users (id int, email text);
CREATE TABLE logs (id int, note text);
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM logs';
"""
LOST = "DROP TABLE users CASCADE"
COLUMN = "ALTER TABLE users DROP COLUMN email"


@pytest.fixture(scope="module")
def conn(postgres_server: Server) -> Iterator[psycopg.Connection[Any]]:
    with connect(postgres_server.dsn()) as admin:
        admin.execute("DROP DATABASE IF EXISTS breaking WITH (FORCE)")
        admin.execute("CREATE DATABASE breaking")
    with connect(postgres_server.dsn("breaking")) as opened:
        opened.execute(SCHEMA)
        yield opened


def breaks(conn: psycopg.Connection[Any], body: str, sql: str, *, language: str = "plpgsql", more: str = "") -> bool:
    with conn.transaction(force_rollback=True):
        result = "trigger" if "NEW." in body else "void"
        conn.execute(f"CREATE FUNCTION f() RETURNS {result} LANGUAGE {language} {more} AS $b$ {body} $b$")
        if result == "trigger":
            conn.execute("CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()")
        losses = blast_radius_on(conn, [Script("a.sql", sql)])
    return [(loss.object, loss.effect) for loss in losses if loss.effect == "breaks"] == [("public.f()", "breaks")]


@pytest.mark.parametrize(
    ("body", "sql"),
    [
        ("BEGIN PERFORM 1 FROM users; END", LOST),
        ("BEGIN PERFORM 1 FROM public.users u WHERE u.id = 1; END", LOST),
        ("DECLARE r record; BEGIN FOR r IN SELECT * FROM Users LOOP END LOOP; END", LOST),
        ("BEGIN IF EXISTS (SELECT FROM users) THEN RETURN; END IF; END", LOST),
        ("DECLARE u users%ROWTYPE; BEGIN END", LOST),
        ("DECLARE e public.users.email%TYPE; BEGIN END", LOST),
        ("BEGIN EXECUTE 'DELETE FROM users'; END", LOST),
        ("BEGIN INSERT INTO users (id) VALUES (1); END", LOST),
        ("BEGIN UPDATE users SET email = 'x'; END", COLUMN),
        ("BEGIN INSERT INTO users (id, email) VALUES (1, 'x'); END", COLUMN),
        ("BEGIN PERFORM u.email FROM users u; END", COLUMN),
        ("BEGIN PERFORM id FROM users WHERE email = 'x'; END", COLUMN),
        ("DECLARE r record; BEGIN FOR r IN SELECT * FROM users LOOP PERFORM lower(r.email); END LOOP; END", COLUMN),
        ("DECLARE r record; BEGIN SELECT u.* INTO r FROM public.users u; RAISE '%', r.email; END", COLUMN),
        ("BEGIN NEW.email := lower(NEW.email); RETURN NEW; END", COLUMN),
        ("BEGIN PERFORM total(); END", "DROP FUNCTION total()"),
        ("DECLARE l level; BEGIN END", "DROP TYPE level"),
        ("BEGIN PERFORM 'low'::level; END", "DROP TYPE level"),
        ("BEGIN PERFORM 1 FROM users; END", "ALTER TABLE users RENAME TO people"),
        ("BEGIN PERFORM 1 FROM users; END", "ALTER TABLE users SET SCHEMA elsewhere"),
        ("BEGIN PERFORM email FROM users; END", "ALTER TABLE users RENAME COLUMN email TO mail"),
    ],
)
def test_what_names_the_lost_thing_breaks(conn: psycopg.Connection[Any], body: str, sql: str):
    assert breaks(conn, body, sql)


@pytest.mark.parametrize(
    ("body", "sql", "more"),
    [
        ("BEGIN PERFORM 'users'; -- users\n END", LOST, ""),
        ("BEGIN PERFORM 1 FROM other.users; END", LOST, ""),
        ("BEGIN PERFORM 1 FROM users; END", LOST, "SET search_path = other"),
        ("BEGIN PERFORM 1 FROM logs AS users; END", LOST, ""),
        ("BEGIN PERFORM 1 FROM (WITH users AS (SELECT 1) SELECT * FROM users) x; END", LOST, ""),
        ("BEGIN PERFORM id FROM users; END", COLUMN, ""),
        ("DECLARE r record; BEGIN FOR r IN SELECT * FROM other.users LOOP PERFORM r.email; END LOOP; END", COLUMN, ""),
        ("BEGIN PERFORM o.email FROM users u, other.users o; END", COLUMN, ""),
        ("BEGIN PERFORM 1 FROM users; END", "DROP TABLE users CASCADE; CREATE TABLE users (id int)", ""),
        (
            "BEGIN PERFORM 1 FROM users; END",
            LOST + "; CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE sql AS ''",
            "",
        ),
        ("BEGIN PERFORM 1 FROM users; END", "DROP FUNCTION f(); DROP TABLE users", ""),
    ],
)
def test_what_only_looks_like_it_does_not(conn: psycopg.Connection[Any], body: str, sql: str, more: str):
    assert not breaks(conn, body, sql, more=more)


def test_bodies_in_sql_are_read_as_well(conn: psycopg.Connection[Any]):
    assert breaks(conn, "DELETE FROM users; SELECT", LOST, language="sql")
    assert not breaks(conn, "DELETE FROM logs WHERE note = 'users'", LOST, language="sql")


def test_what_calls_a_function_that_breaks_breaks_as_well(conn: psycopg.Connection[Any]):
    with conn.transaction(force_rollback=True):
        conn.execute("CREATE FUNCTION other() RETURNS int LANGUAGE sql AS $$ SELECT 1 -- not middle() $$")
        conn.execute("CREATE FUNCTION middle() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN total(); END'")
        conn.execute("CREATE FUNCTION top() RETURNS bigint LANGUAGE sql AS 'SELECT middle() + 1'")
        losses = blast_radius_on(conn, [Script("a.sql", "DROP TABLE logs")])
    told = [loss.object for loss in losses if loss.effect == "breaks"]
    assert told == ["public.middle()", "public.top()", "public.total()"]
