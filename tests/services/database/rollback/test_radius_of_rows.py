"""Rows that a script takes are told as they would go: along foreign keys, into children, once, and never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.rollback.blast_radius import Loss, blast_radius_on, rows_to_go, rows_to_go_sentence
from services.database.script import Script
from services.database.server import Server

SCHEMA = """
CREATE TABLE people (id int PRIMARY KEY, boss int REFERENCES people ON DELETE CASCADE, code int UNIQUE);
CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people ON DELETE CASCADE);
CREATE TABLE items (id int PRIMARY KEY, orders int REFERENCES orders ON DELETE CASCADE,
  person int REFERENCES people ON DELETE SET NULL);
CREATE TABLE bills (id int PRIMARY KEY, person int REFERENCES people ON DELETE RESTRICT);
CREATE TABLE codes (code int REFERENCES people (code) ON UPDATE CASCADE);
CREATE TABLE seen (id int, at int) PARTITION BY RANGE (at);
CREATE TABLE seen_1 PARTITION OF seen FOR VALUES FROM (0) TO (10);
CREATE TABLE seen_2 PARTITION OF seen FOR VALUES FROM (10) TO (20);
CREATE TABLE base (id int); CREATE TABLE kid () INHERITS (base);
INSERT INTO people SELECT n, CASE WHEN n > 2 THEN n / 2 END, n FROM generate_series(1, 10) n;
INSERT INTO orders SELECT n, n % 10 + 1 FROM generate_series(1, 20) n;
INSERT INTO items SELECT n, n % 20 + 1, n % 10 + 1 FROM generate_series(1, 40) n;
INSERT INTO bills VALUES (1, 10);
INSERT INTO codes VALUES (1), (1), (2);
INSERT INTO seen SELECT n, n % 20 FROM generate_series(1, 40) n;
INSERT INTO base VALUES (1), (2); INSERT INTO kid VALUES (3);
CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM codes; RETURN OLD; END $$;
CREATE FUNCTION stamped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := 1; RETURN NEW; END $$;
CREATE TRIGGER stamped BEFORE UPDATE ON seen FOR EACH ROW EXECUTE FUNCTION stamped();
CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM kid; DELETE FROM bills WHERE id = 1';
CREATE FUNCTION dynamic() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP TABLE ' || 'kid'; END $$;
"""


@pytest.fixture(scope="module")
def conn(postgres_server: Server) -> Iterator[psycopg.Connection[Any]]:
    with connect(postgres_server.dsn()) as admin:
        admin.execute("DROP DATABASE IF EXISTS radius_rows WITH (FORCE)")
        admin.execute("CREATE DATABASE radius_rows")
    with connect(postgres_server.dsn("radius_rows")) as opened:
        opened.execute(SCHEMA)
        yield opened


def told(conn: psycopg.Connection[Any], sql: str) -> dict[str, tuple[int | None, str]]:
    with conn.transaction(force_rollback=True):
        return {loss.object: (loss.rows, loss.effect) for loss in blast_radius_on(conn, [Script("a.sql", sql)])}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # Two of the people and those below them, their orders, their items; a row goes once though found twice.
        (
            "DELETE FROM bills; ALTER TABLE items DROP COLUMN person; DELETE FROM people WHERE id IN (4, 5)",
            {"public.people": (5, "deleted"), "public.orders": (10, "deleted"), "public.items": (20, "deleted"),
             "public.bills": (1, "deleted"), "public.items.person": (40, "dropped"),
             "items_person_fkey on public.items": (None, "dropped")},
        ),
        ("DELETE FROM orders WHERE id = 1; DELETE FROM orders WHERE id < 3",
         {"public.orders": (2, "deleted"), "public.items": (4, "deleted")}),
        ("UPDATE people SET code = code + 100 WHERE id = 1",
         {"public.people": (1, "changed"), "public.codes": (2, "changed")}),
        ("UPDATE people SET boss = NULL WHERE id = 1", {"public.people": (1, "changed")}),
        ("DELETE FROM seen WHERE at < 5", {"public.seen_1": (10, "deleted")}),
        ("TRUNCATE seen", {"public.seen": (0, "emptied"), "public.seen_1": (20, "emptied"),
                           "public.seen_2": (20, "emptied")}),
        ("DELETE FROM base", {"public.base": (2, "deleted"), "public.kid": (1, "deleted")}),
        ("DELETE FROM ONLY base", {"public.base": (2, "deleted")}),
        ("TRUNCATE orders CASCADE", {"public.orders": (20, "emptied"), "public.items": (40, "emptied")}),
        ("MERGE INTO orders o USING people p ON o.person = p.id AND p.id = 3 WHEN MATCHED AND o.id > 5 THEN DELETE",
         {"public.orders": (1, "deleted"), "public.items": (2, "deleted")}),
        ("WITH gone AS (DELETE FROM items WHERE id < 4 RETURNING id) SELECT count(*) FROM gone",
         {"public.items": (3, "deleted")}),
        ("INSERT INTO orders VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET person = 2",
         {"public.orders": (None, "changed")}),
        ("SELECT wipe()", {"public.kid": (1, "deleted"), "public.bills": (1, "deleted")}),
        ("DO $$ BEGIN IF true THEN DELETE FROM kid; END IF; END $$", {"public.kid": (1, "deleted")}),
        ("DELETE FROM bills WHERE id = nextval('nowhere')", {"public.bills": (None, "deleted")}),
        ("UPDATE seen SET id = 1 WHERE id = 1", {"public.seen_1": (1, "changed")}),
        ("DELETE FROM nowhere", {}),
        ("SELECT count(*) FROM orders", {}),
        ("INSERT INTO bills VALUES (2, 1)", {}),
    ],
)  # fmt: skip
def test_rows_are_told_as_they_would_go(conn: psycopg.Connection[Any], sql: str, expected: dict[str, Any]):
    assert told(conn, sql) == expected


def test_a_key_that_sets_null_changes_rows_and_does_not_count_those_that_go(conn: psycopg.Connection[Any]):
    with conn.transaction(force_rollback=True):
        conn.execute("ALTER TABLE items DROP CONSTRAINT items_orders_fkey")
        losses = blast_radius_on(conn, [Script("a.sql", "DELETE FROM people WHERE id = 5")])
    assert {loss.object: (loss.rows, loss.effect) for loss in losses}["public.items"] == (8, "changed")


def test_what_the_server_would_refuse_is_said(conn: psycopg.Connection[Any]):
    said = told(conn, "DELETE FROM people WHERE id = 10")
    assert said["a.sql:1: the server refuses this: 1 rows of bills still refer to what goes"] == (None, "refused")
    assert any("there is no CASCADE" in one and effect == "refused"
               for one, (_, effect) in told(conn, "TRUNCATE orders").items())  # fmt: skip


def test_what_a_trigger_takes_is_told(conn: psycopg.Connection[Any]):
    with conn.transaction(force_rollback=True):
        conn.execute("CREATE TRIGGER logged BEFORE DELETE ON kid FOR EACH ROW EXECUTE FUNCTION logged()")
        losses = blast_radius_on(conn, [Script("a.sql", "DELETE FROM kid")])
    assert {loss.object: loss.rows for loss in losses} == {"public.kid": 1, "public.codes": 3}


@pytest.mark.parametrize(
    ("sql", "unknown"),
    [
        ("DELETE FROM kid", True),
        # A rule acts on what the statement names.
        ("DELETE FROM base", False),
        ("UPDATE kid SET id = 4", False),
        ("DROP RULE also ON kid; DELETE FROM kid", False),
        ("TRUNCATE kid", False),
    ],
)
def test_what_a_rule_makes_of_a_statement_is_unknown(conn: psycopg.Connection[Any], sql: str, unknown: bool):
    with conn.transaction(force_rollback=True):
        conn.execute("CREATE RULE also AS ON DELETE TO kid DO ALSO DELETE FROM codes")
        conn.execute("CREATE RULE off AS ON UPDATE TO kid DO ALSO DELETE FROM codes; ALTER TABLE kid DISABLE RULE off")
        losses = blast_radius_on(conn, [Script("a.sql", sql)])
    told = [loss.object for loss in losses if loss.effect == "unknown"]
    assert told == (["a.sql:1: rule also on kid"] if unknown else [])


def test_dynamic_sql_is_unknown(conn: psycopg.Connection[Any]):
    assert told(conn, "SELECT dynamic()") == {"a.sql:1: a call of public.dynamic": (None, "unknown")}


def test_a_later_statement_acts_on_what_the_earlier_ones_left(conn: psycopg.Connection[Any]):
    radius = told(conn, "DROP TABLE items; TRUNCATE orders; DROP TABLE kid; DROP TABLE IF EXISTS kid, base;")
    assert {one: radius[one] for one in ("public.items", "public.orders", "public.kid", "public.base")} == {
        "public.items": (40, "dropped"),
        "public.orders": (20, "emptied"),
        "public.kid": (1, "dropped"),
        "public.base": (2, "dropped"),
    }
    assert not [one for one, (_, effect) in radius.items() if effect == "refused"]


def test_what_the_script_made_itself_is_no_loss(conn: psycopg.Connection[Any]):
    assert told(conn, "CREATE TABLE own AS SELECT 1 AS id; DELETE FROM own; DROP TABLE own") == {}
    renamed = told(conn, "ALTER TABLE kid RENAME TO other; DROP TABLE other")
    assert renamed["public.kid"] == (1, "dropped")


def test_the_rows_to_go_are_counted_once_and_said(conn: psycopg.Connection[Any]):
    with conn.transaction(force_rollback=True):
        radius = blast_radius_on(
            conn, [Script("a.sql", "DROP TABLE kid; DELETE FROM orders WHERE id = 1; TRUNCATE seen")]
        )
    assert rows_to_go(radius) == 1 + 1 + 2 + 40
    assert rows_to_go_sentence(radius) == "44 rows of 5 tables go."
    assert rows_to_go_sentence([]) == "No row goes."
    one = [Loss("rows", "public.t", 1, None, "deleted"), Loss("column", "public.t.c", 1, 8)]
    assert rows_to_go_sentence(one) == "1 row of 1 table goes, 1 value of 1 column goes."
