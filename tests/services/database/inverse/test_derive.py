"""The derived way back gives the catalog as it was before a change, or says in words what it does not bring back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import psycopg
import pytest

from services.database.definitions.definition import Definitions
from services.database.definitions.read import read_definitions
from services.database.fingerprint import Difference, Fingerprint, catalog_fingerprint, difference
from services.database.inverse.derive import Inverse, derive_inverse
from tests.campaign import FULL, only_in_full, sample
from tests.services.database.definitions.databases import Databases
from tests.services.database.definitions.rich_schema import SCHEMA
from tests.services.database.inverse.changes import CHANGES

SEED = 20
DRAWN = 16
COMBINED = 300


@dataclass(frozen=True)
class Rich:
    """A database with the rich schema, what it looked like, and the questions of these tests."""

    conn: psycopg.Connection[Any]
    before: Definitions
    catalog: Fingerprint

    def back(self, change: str) -> tuple[Inverse, Difference]:
        """Make a change, derive the way back and take it; gives it, and how the catalog differs after it."""
        with self.conn.transaction(force_rollback=True):
            self.conn.execute(change)
            inverse = derive_inverse(self.before, read_definitions(self.conn))
            for statement in inverse.statements:
                self.conn.execute(statement)
            return inverse, difference(self.catalog, catalog_fingerprint(self.conn))


@pytest.fixture(scope="module")
def rich(databases: Databases) -> Iterator[Rich]:
    with databases.fresh(SCHEMA) as conn:
        yield Rich(conn, read_definitions(conn), catalog_fingerprint(conn))


@pytest.mark.parametrize("name", sample(CHANGES, DRAWN, seed=SEED))
def test_the_way_back_of_one_change(rich: Rich, name: str) -> None:
    inverse, left = rich.back(CHANGES[name])
    assert not left or inverse.not_restored, left.sentence()


def test_nothing_is_said_to_be_left_where_nothing_is(rich: Rich) -> None:
    sure = ("table: new schema", "table: new partition", "code: views gone", "rename: schema", "type: enum of shirts")
    for name in sure:
        inverse, left = rich.back(CHANGES[name])
        assert not left
        assert inverse.not_restored == ()


def test_no_change_needs_no_way_back(rich: Rich) -> None:
    inverse, left = rich.back("SELECT 1")
    assert (inverse.statements, inverse.not_restored, inverse.rows) == ((), (), ())
    assert not left


def test_nothing_is_dropped_with_all_that_hangs_on_it(rich: Rich) -> None:
    inverse, _ = rich.back(CHANGES["table: new schema"])
    assert not any("CASCADE" in statement for statement in inverse.statements)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE app.shirts DROP COLUMN others; ALTER TABLE app.shirts ADD COLUMN x int", ()),
        ("ALTER TABLE public.users DROP COLUMN tags", ("the order of the columns of public.users",)),
        ("ALTER TYPE app.mood ADD VALUE 'x'", ("type app.mood stays as it is now, since type app.pair needs it",)),
    ],
)
def test_what_does_not_come_back_is_said(rich: Rich, change: str, words: tuple[str, ...]) -> None:
    inverse, _ = rich.back(change)
    assert len(inverse.not_restored) == len(words)
    assert all(word in said for word, said in zip(words, inverse.not_restored, strict=True))


def test_what_no_sql_is_written_for_is_said_once_it_is_gone(databases: Databases) -> None:
    with databases.fresh("CREATE CONVERSION odd FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1") as conn:
        before = read_definitions(conn)
        conn.execute("DROP CONVERSION odd")
        (said,) = derive_inverse(before, read_definitions(conn)).not_restored
    assert said.startswith("conversion public.odd: no SQL is written")


def test_rows_and_values_that_only_a_snapshot_has_are_named(rich: Rich) -> None:
    inverse, _ = rich.back("DROP TABLE app.shirts CASCADE; ALTER TABLE app.fk_ev DROP COLUMN at")
    assert set(inverse.rows) == {"the rows of app.shirts", "the values of app.fk_ev.at"}


def test_rows_can_be_put_back_before_anything_looks_at_them(rich: Rich) -> None:
    with rich.conn.transaction(force_rollback=True):
        rich.conn.execute("INSERT INTO app.shirts VALUES (1, 's')")
        rich.conn.execute("ALTER TABLE app.shirts DROP COLUMN size CASCADE")
        inverse = derive_inverse(rich.before, read_definitions(rich.conn))
        for statement in inverse.before_rows:
            rich.conn.execute(statement)
        rich.conn.execute("UPDATE app.shirts SET size = 's'")
        for statement in inverse.after_rows:
            rich.conn.execute(statement)


def test_a_way_back_keeps_rows(rich: Rich) -> None:
    with rich.conn.transaction(force_rollback=True):
        rich.conn.execute("INSERT INTO app.shirts VALUES (1, 's'), (2, 'm')")
        rich.conn.execute("ALTER TABLE app.shirts RENAME TO hemden; ALTER TYPE app.size ADD VALUE 'xl'")
        rich.conn.execute("ALTER TABLE app.hemden ALTER id TYPE text")
        for statement in derive_inverse(rich.before, read_definitions(rich.conn)).statements:
            rich.conn.execute(statement)
        assert rich.conn.execute("SELECT id, size FROM app.shirts ORDER BY 1").fetchall() == [(1, "s"), (2, "m")]


@only_in_full
def test_the_way_back_of_changes_together(rich: Rich) -> None:
    draw, tried, wrong = Random(SEED), 0, []
    while tried < COMBINED:
        names = draw.sample(sorted(CHANGES), 3)
        try:
            with rich.conn.transaction(force_rollback=True):
                rich.conn.execute("".join(CHANGES[name] for name in names))
        except psycopg.Error:
            continue  # one took away what another changes
        tried += 1
        try:
            inverse, left = rich.back("".join(CHANGES[name] for name in names))
        except psycopg.Error as error:
            wrong.append((names, str(error)))
            continue
        if left and not inverse.not_restored:
            wrong.append((names, left.sentence()))
    assert FULL
    assert wrong == []
