"""Databases of other encodings than UTF-8, and clients that speak another: texts arrive as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from services.database.by_hand.editor_script import Plan, PlannedStatement, editor_scripts
from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.fingerprint import catalog_fingerprint
from services.database.rollback.roll_back import rollback
from services.database.script import read_scripts
from services.database.server import Server
from services.verdict import Verdict
from tests.conftest import MakeDatabase
from tests.services.database.app_database import Owner, script

PEOPLE = "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Jürgen')"
CHANGE = "ALTER TABLE people ADD age int;\nCOMMENT ON COLUMN people.age IS 'Größe';\nUPDATE people SET name = 'Zoë';\n"


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def people(request: pytest.FixtureRequest, postgres_server: Server) -> Iterator[Owner]:
    name = f"people_{request.param.lower()}"
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE 'C'")
        admin.execute(made.format(sql.Identifier(name), sql.Literal(request.param)))
        owner = Owner(postgres_server.dsn(name))
        owner.run(PEOPLE)
        yield owner
        owner.conn.close()
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_a_change_goes_in_and_back_and_its_copy_is_proved(people: Owner) -> None:
    given = {"release_id": "beta", "plan_hash": "h", "actor": "ann", "keep_inverse": True}
    done = deploy(people.url, script(CHANGE), **given)
    assert (done.applied, done.inverse) == (True, True)
    assert people.value("SELECT name FROM people") == "Zoë"
    latin = people.value("SELECT pg_catalog.getdatabaseencoding()") == "LATIN1"
    back = rollback(people.url, "beta", [], actor="bob", may_copy=latin)
    assert (back.verdict, back.fingerprint_restored) == (Verdict.PASS, True)
    assert (back.proof is not None and back.proof.restorable is True) == latin
    assert people.value("SELECT name FROM people") == "Jürgen"
    unknown = deploy(people.url, script("COMMENT ON TABLE people IS '→'"), **{**given, "release_id": "gamma"})
    assert (unknown.failure.sqlstate if unknown.failure else None) == ("22P05" if latin else None)


def test_a_file_by_hand_is_read_as_utf8_whatever_its_client_takes_for_granted(make_database: MakeDatabase) -> None:
    url = make_database()
    with connect(url) as conn:
        conn.execute("CREATE TABLE people (name text)")
        there = catalog_fingerprint(conn)
        (one,) = read_scripts(script("INSERT INTO people VALUES ('Zoë')")).statements
        ids = ("by-hand 1", "7b1e9f0c-8a07-4f0e-9d5b-0d3a6d0b7c11")
        plan = Plan("beta", "prod", "hash", *ids, "ann", conn.info.user, there, there, [PlannedStatement(one)])
        (written,) = editor_scripts(plan, datetime(2026, 1, 15, tzinfo=UTC))
        with psycopg.connect(url, autocommit=True, client_encoding="WIN1252") as psql:
            first, rest = written.sql.encode().split(b"SET LOCAL lock_timeout", 1)
            psql.execute(first)  # psql sends one statement after another, and reads each by what was set before
            psql.execute(b"SET LOCAL lock_timeout" + rest)
        assert conn.execute("SELECT name FROM people").fetchone() == ("Zoë",)
