"""A derived way back is believed only after it was taken on a copy and the change could be made once more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.database.definitions.read import read_definitions
from services.database.fingerprint import catalog_fingerprint
from services.database.inverse.rehearsed import RehearsedInverse, nothing, rehearse_inverse
from services.verdict import Verdict
from tests.services.database.definitions.databases import Databases

BASE = """
CREATE TABLE public.notes (id int PRIMARY KEY, body text NOT NULL);
CREATE VIEW public.short AS SELECT id, left(body, 10) AS body FROM public.notes;
INSERT INTO public.notes VALUES (1, 'one'), (2, 'two');
"""


@pytest.fixture
def notes(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    with databases.fresh(BASE) as conn:
        yield conn


def rehearsed(
    conn: psycopg.Connection[Any], change: str, again: str | None = None, put_back: str | None = None
) -> RehearsedInverse:
    before, untouched = read_definitions(conn), catalog_fingerprint(conn)
    conn.execute(change)
    return rehearse_inverse(
        conn,
        before,
        untouched,
        deploy_again=lambda: conn.execute(change if again is None else again),
        put_back=(lambda: conn.execute(put_back)) if put_back else nothing,
    )


def test_a_true_way_back_passes_and_leaves_the_change_in_place(notes: psycopg.Connection[Any]) -> None:
    found = rehearsed(notes, "ALTER TABLE notes ADD COLUMN at date; CREATE INDEX ON notes (at)")
    assert (found.verdict, found.why) == (Verdict.PASS, None)
    assert found.inverse.statements[1:] == ("ALTER TABLE public.notes DROP COLUMN at",)
    notes.execute("SELECT at FROM notes")
    assert found.to_json()["rehearsed"] == "pass"


def test_after_a_renaming_only_the_names_change_back(notes: psycopg.Connection[Any]) -> None:
    found = rehearsed(notes, "ALTER TABLE notes RENAME TO entries; ALTER TABLE entries RENAME COLUMN body TO content")
    assert found.verdict is Verdict.PASS
    assert found.inverse.statements == (
        "ALTER TABLE public.entries RENAME TO notes",
        "ALTER TABLE public.notes RENAME COLUMN content TO body",
    )


def test_a_change_that_cannot_be_made_again_fails(notes: psycopg.Connection[Any]) -> None:
    found = rehearsed(notes, "CREATE TABLE more (id int)", again="CREATE TABLE notes (id int)")
    assert found.verdict is Verdict.FAIL
    assert "cannot be made again" in str(found.why)


def test_a_change_that_comes_out_otherwise_fails(notes: psycopg.Connection[Any]) -> None:
    found = rehearsed(notes, "CREATE TABLE more (id int)", again="CREATE TABLE more (id bigint)")
    assert found.verdict is Verdict.FAIL
    assert "public.more.id" in str(found.why)


def test_what_is_left_makes_it_unknown(notes: psycopg.Connection[Any]) -> None:
    found = rehearsed(notes, "ALTER TABLE notes ADD COLUMN x int; ALTER TABLE notes DROP COLUMN id CASCADE")
    assert found.verdict is Verdict.UNKNOWN
    assert found.inverse.not_restored


def test_columns_in_another_order_are_told_and_no_reason_to_doubt(notes: psycopg.Connection[Any]) -> None:
    notes.execute("ALTER TABLE notes ADD COLUMN at date, ADD COLUMN by text DEFAULT 'me'")
    found = rehearsed(notes, "ALTER TABLE notes DROP COLUMN at; ALTER TABLE notes ADD COLUMN more int")
    assert found.verdict is Verdict.PASS
    assert "columns of public.notes back in another order" in str(found.why)
    otherwise = rehearsed(notes, "ALTER TABLE notes DROP COLUMN by", again="ALTER TABLE notes ALTER by TYPE varchar")
    assert otherwise.verdict is Verdict.FAIL


def test_missing_rows_make_it_unknown_and_rows_put_back_a_pass(notes: psycopg.Connection[Any]) -> None:
    change = "DROP VIEW short; ALTER TABLE notes DROP COLUMN body"
    with notes.transaction(force_rollback=True):
        found = rehearsed(notes, change)
        assert found.verdict is Verdict.UNKNOWN
        assert found.inverse.rows == ("the values of public.notes.body",)
        assert "snapshot" in str(found.why)
    found = rehearsed(notes, change, put_back="UPDATE public.notes SET body = id::text")
    assert (found.verdict, found.why) == (Verdict.PASS, None)


def test_what_was_written_since_can_stand_in_the_way(notes: psycopg.Connection[Any]) -> None:
    change = "ALTER TABLE notes ALTER body DROP NOT NULL; INSERT INTO notes VALUES (3, NULL)"
    found = rehearsed(notes, change)
    assert found.verdict is Verdict.UNKNOWN
    assert "null values" in str(found.why)
