"""The executed radius sees what no text tells, and agrees with the walk where the text does."""

from __future__ import annotations

import pytest

from services.database.rollback.blast_radius import blast_radius
from services.database.rollback.executed import executed_radius
from services.errors import Refused
from tests.services.database.app_database import Owner, script


class Itself:
    """The database of the test is a copy already."""

    def __init__(self, app: Owner) -> None:
        self._app = app

    def clone(self) -> str:
        return "itself"

    def url_of(self, name: str) -> str:
        return self._app.url


def test_dynamic_sql_is_told_by_doing_it_and_undone(app: Owner):
    before = (app.fingerprint(), app.rows())
    dynamic = "DECLARE t text := 'users'; BEGIN EXECUTE 'DROP TABLE ' || t"
    sql = f"DO $$ {dynamic}; DELETE FROM journal_entries WHERE id < 9; END $$"
    told = {(loss.kind, loss.object): (loss.rows, loss.effect) for loss in executed_radius(Itself(app), script(sql))}
    assert told["table", "public.users"] == (40, "dropped")
    assert ("index", "public.users_email_key") in told
    assert told["rows", "public.journal_entries"] == (8, "deleted")
    assert (app.fingerprint(), app.rows()) == before


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE journal_entries CASCADE",
        "ALTER TABLE users DROP COLUMN email",
        "TRUNCATE users",
        "UPDATE users SET email = email || 'x' WHERE email < 'person3'",
        "DELETE FROM users; DROP VIEW moods",
    ],
)
def test_it_agrees_with_the_walk(app: Owner, sql: str):
    walked = {(one.kind, one.object, one.rows, one.effect) for one in blast_radius(app.url, script(sql))}
    executed = {(one.kind, one.object, one.rows, one.effect) for one in executed_radius(Itself(app), script(sql))}
    assert executed == walked


def test_a_script_that_fails_there_is_refused_at_its_line(app: Owner):
    with pytest.raises(Refused, match="division by zero") as refused:
        executed_radius(Itself(app), script("SELECT 1;\nSELECT 1/0;"))
    assert refused.value.place == "change.sql:2"
