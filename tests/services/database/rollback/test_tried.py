"""What the text of a rollback does not tell is told by a copy; where there is none it stays unknown."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from services.database.rehearsal.catalog_copy import NoShadow
from services.database.rollback import tried
from services.database.rollback.losses import Loss
from services.database.rollback.roll_back import Preview, preview_of
from services.database.rollback.tried import merged
from tests.services.database.app_database import Owner, script

DYNAMIC = """DELETE FROM journal_entries WHERE id <= 5;
DO $$ DECLARE t text := 'users'; BEGIN
  EXECUTE 'ALTER TABLE ' || t || ' DROP COLUMN created_at';
  EXECUTE 'DELETE FROM journal_' || 'entries WHERE id < 9';
END $$;"""

Told = dict[tuple[str, str], tuple[int | None, str]]


def told(seen: Preview) -> Told:
    return {(loss.kind, loss.object): (loss.rows, loss.effect) for loss in seen.radius}


def test_with_all_rows_the_gap_is_closed_and_nothing_is_changed(app: Owner):
    before = (app.fingerprint(), app.rows())
    found = told(preview_of(app.url, "beta", script(DYNAMIC), on_a_copy=True))
    assert found == {
        ("rows", "public.journal_entries"): (8, "deleted"),
        ("column", "public.users.created_at"): (40, "dropped"),
        ("default", "for public.users.created_at"): (None, "dropped"),
    }
    assert (app.fingerprint(), app.rows()) == before


def test_without_rows_objects_are_told_and_counted_on_the_target_and_the_gap_stays(app: Owner):
    seen = preview_of(app.url, "beta", script(DYNAMIC), on_a_copy=True, rows="none")
    found = told(seen)
    assert found["column", "public.users.created_at"] == (40, "dropped")
    assert found["rows", "public.journal_entries"] == (5, "deleted")
    assert found["statement", "change.sql:5: a DO block"] == (None, "unknown")
    assert "where rows decide, it stays unknown" in seen.tried


@dataclass
class ThisAsACopy:
    """The database of the test in a copy's stead."""

    url: str
    policy: str = "none"

    def clone(self) -> str:
        return "itself"

    def url_of(self, _name: str) -> str:
        return self.url


def test_what_fails_on_the_copy_is_told_as_refused(app: Owner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tried, "shadow", lambda *_args, **_more: nullcontext(ThisAsACopy(app.url)))
    sql = "DO $$ BEGIN EXECUTE 'DROP TABLE no' || 'body'; END $$"
    found = told(preview_of(app.url, "beta", script(sql), on_a_copy=True))
    refused = [thing for (_, thing), (_, effect) in found.items() if effect == "refused"]
    assert len(refused) == 1
    assert refused[0].startswith('change.sql:1: It fails on a copy: table "nobody" does not exist')


def test_where_no_copy_can_be_made_it_stays_unknown(app: Owner, monkeypatch: pytest.MonkeyPatch):
    def none(*_args: object, **_more: object) -> None:
        raise NoShadow("an extension is not there.")

    monkeypatch.setattr(tried, "shadow", none)
    seen = preview_of(app.url, "beta", script(DYNAMIC), on_a_copy=True)
    assert told(seen)["statement", "change.sql:5: a DO block"] == (None, "unknown")
    assert "could not be tried on a copy: an extension is not there." in seen.tried


def test_a_script_whose_text_tells_all_needs_no_copy(app: Owner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(tried, "shadow")
    assert preview_of(app.url, "beta", script("DROP TABLE users"), on_a_copy=True).tried == ""


def test_the_statement_is_named_where_only_one_can_have_done_it():
    gap = Loss("statement", "a.sql:3: a DO block", None, None, "unknown", by="a.sql:3")
    gone = Loss("table", "public.t", 4, 8192)
    assert [(one.object, one.by) for one in merged([gap], [gone], closes=True)] == [("public.t", "a.sql:3")]
    other = Loss("statement", "a.sql:5: a DO block", None, None, "unknown", by="a.sql:5")
    assert {one.by for one in merged([gap, other], [gone], closes=True)} == {""}
