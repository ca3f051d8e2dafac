"""What is read as definitions makes the same catalog again in an empty database."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random
from typing import Any

import psycopg
import pytest

from services.database.definitions.definition import Definition, Definitions, missing_since
from services.database.definitions.read import read_definitions
from services.database.fingerprint import Fingerprint, catalog_fingerprint, difference
from tests.campaign import FULL
from tests.services.database.definitions.databases import Databases
from tests.services.database.definitions.rich_schema import SCHEMA
from tests.services.database.inverse.changes import CHANGES

SEED, STEPS = 31, 8
SCHEMAS = 40 if FULL else 1


def make(conn: psycopg.Connection[Any], definitions: Definitions) -> None:
    with conn.transaction():
        for statement in definitions.statements():
            conn.execute(statement)


def test_everything_is_made_again(databases: Databases) -> None:
    with databases.fresh(SCHEMA) as original, databases.fresh() as copy:
        definitions = read_definitions(original)
        make(copy, definitions)
        assert not difference(catalog_fingerprint(original), catalog_fingerprint(copy))
        kept = Definitions.of(Definition.from_json(json.loads(json.dumps(d.to_json()))) for d in definitions)
        assert kept.statements() == definitions.statements()
        again = read_definitions(copy)
        assert {d.key: d.create for d in definitions if d.create} == {d.key: d.create for d in again if d.create}
        assert not [d.key for d in definitions if d.kind == "cannot be written"]


def test_what_cannot_be_written_is_named(databases: Databases) -> None:
    with databases.fresh(SCHEMA) as conn:
        conn.execute("CREATE CONVERSION app.odd FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1")
        definitions = read_definitions(conn)
        assert [d.identity for d in definitions if d.kind == "cannot be written"] == ["conversion app.odd"]


@pytest.mark.parametrize("number", range(SCHEMAS))
def test_a_schema_with_a_history_is_made_again(databases: Databases, number: int) -> None:
    draw = Random(SEED + number)
    with databases.fresh(SCHEMA) as original, databases.fresh() as copy:
        for change in draw.sample(sorted(CHANGES), STEPS):
            with suppress(psycopg.Error), original.transaction():
                original.execute(CHANGES[change])
        definitions = read_definitions(original)
        with copy.transaction():
            if "schema public" not in definitions.by_key:
                copy.execute("DROP SCHEMA public")
        make(copy, definitions)
        left = difference(sayable(original), sayable(copy))
        assert not left, left.sentence()


def sayable(conn: psycopg.Connection[Any]) -> Fingerprint:
    """The catalog without the two facts that no statement makes: how the server numbered the inner constraints of a
    key to partitions, and that the index chosen for replicas is gone."""
    inner = conn.execute(
        "SELECT 'constraint ' || conrelid::regclass || '.' || quote_ident(conname) FROM pg_constraint"
        " WHERE contype = 'f' AND conparentid <> 0"
    ).fetchall()
    names = {row[0] for row in inner}
    facts = catalog_fingerprint(conn).facts.items()
    return Fingerprint.of({k: v.replace(" replica i", " replica n") for k, v in facts if k not in names})


LOSSES = {
    "a table that others refer to": "DROP TABLE public.users CASCADE",
    "a partition": "DROP TABLE app.ev_2 CASCADE",
    "a partitioned table": "DROP TABLE app.ev CASCADE",
    "a partitioned table below another": "DROP TABLE app.ev_d CASCADE",
    "a table with children": "DROP TABLE app.base CASCADE",
    "the last columns": 'ALTER TABLE public.users DROP COLUMN "after", DROP COLUMN last',
    "a function with dependents": "DROP FUNCTION app.tf() CASCADE",
    "a view with dependents": "DROP VIEW public.moods CASCADE",
    "a materialized view": "DROP MATERIALIZED VIEW app.mv CASCADE",
    "a sequence": "DROP SEQUENCE app.s1",
    "an index of a partitioned table": "DROP INDEX app.ev_v",
    "a key of a partitioned table": "ALTER TABLE app.ev DROP CONSTRAINT ev_pkey CASCADE",
    "a check of a partitioned table": "ALTER TABLE app.ev DROP CONSTRAINT ev_v_check",
    "a check of a parent": "ALTER TABLE app.base DROP CONSTRAINT base_a_check",
    "a schema": "DROP SCHEMA app CASCADE; DROP SCHEMA public CASCADE",
    "a publication": "DROP PUBLICATION pub",
    "an event trigger": "DROP EVENT TRIGGER et",
}


@pytest.fixture(scope="module")
def rich(databases: Databases) -> Any:
    with databases.fresh(SCHEMA) as conn:
        yield conn


@pytest.mark.parametrize("loss", LOSSES)
def test_what_went_is_made_again(rich: psycopg.Connection[Any], loss: str) -> None:
    before, catalog = read_definitions(rich), catalog_fingerprint(rich)
    with rich.transaction(force_rollback=True):
        rich.execute(LOSSES[loss])
        missing = missing_since(before, read_definitions(rich))
        assert missing
        rich.execute("SET LOCAL check_function_bodies = off")
        for definition in missing:
            for statement in definition.create:
                rich.execute(statement)
        found = difference(catalog, catalog_fingerprint(rich))
        assert not found, found.sentence()


def test_what_only_moved_is_not_missing(rich: psycopg.Connection[Any]) -> None:
    before = read_definitions(rich)
    with rich.transaction(force_rollback=True):
        rich.execute("ALTER TABLE public.users SET SCHEMA app; ALTER TABLE app.base RENAME TO bases")
        after = read_definitions(rich)
    assert [d.key for d in missing_since(before, after)] == []
    assert missing_since(before, after, same_database=False) != ()


def test_the_order_is_the_same_each_time(rich: psycopg.Connection[Any]) -> None:
    assert read_definitions(rich).statements() == read_definitions(rich).statements()
