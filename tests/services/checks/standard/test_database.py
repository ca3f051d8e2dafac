"""The database itself: it answers, takes writes or is seen not to, and locks that last are told from those that go."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from services.checks.standard import database
from services.checks.standard.database import Held, database_direct, database_writable, lasting, locks_held, writable
from services.verdict import Verdict
from tests.services.checks.standard.conftest import SmallApp


def test_the_first_declared_table_is_counted(small_app: SmallApp) -> None:
    found = database_direct(small_app.context())
    assert (found.verdict, found.facts["table"], found.facts["entries"]) == (Verdict.PASS, "people", 5)


def test_a_database_that_takes_writes(small_app: SmallApp) -> None:
    found = database_writable(small_app.context())
    assert (found.verdict, found.facts["as"], found.facts["refused"]) == (Verdict.PASS, "postgres", False)


def test_a_database_that_is_set_read_only(small_app: SmallApp) -> None:
    name = small_app.owner.rsplit("/", 1)[1]
    small_app.run(f"alter database {name} set default_transaction_read_only = on")
    found = database_writable(small_app.context())
    assert (found.verdict, found.facts["refused"], found.facts["default_read_only"]) == (Verdict.FAIL, True, True)


def test_a_role_for_reading_proves_nothing_about_others(small_app: SmallApp) -> None:
    found = database_writable(small_app.context(deploy_url=None))
    assert (found.verdict, found.facts["role_is_for_reading"]) == (Verdict.UNKNOWN, True)


def test_what_supabase_says_does_not_outrank_a_write_that_went_through() -> None:
    facts = {"as": "postgres", "refused": False, "in_recovery": False, "role_is_for_reading": False}
    assert writable({**facts, "supabase_read_only": True}).verdict is Verdict.UNKNOWN
    assert writable({**facts, "supabase_read_only": None}).verdict is Verdict.PASS
    assert writable({**facts, "supabase_read_only": False, "in_recovery": True}).verdict is Verdict.FAIL


def test_trying_a_write_changes_no_row(small_app: SmallApp) -> None:
    before = small_app.rows("select id, xmin::text from people order by 1")
    database_writable(small_app.context())
    assert small_app.rows("select id, xmin::text from people order by 1") == before


def test_nobody_holds_a_lock(small_app: SmallApp, session: psycopg.Connection[Any]) -> None:
    session.execute("begin")
    session.execute("select * from people for update")
    found = locks_held(small_app.context())
    assert (found.verdict, found.facts["tables"], found.facts["locks"]) == (Verdict.PASS, 2, [])


def test_a_lock_that_lasts_is_named_with_its_holder(
    small_app: SmallApp, session: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_S", 0.3)
    session.execute("begin")
    session.execute("lock table people in exclusive mode")
    found = locks_held(small_app.context())
    (lock,) = found.facts["locks"]
    assert found.verdict is Verdict.FAIL
    assert (lock["table"], lock["mode"], lock["application"]) == ("people", "ExclusiveLock", "somebody else")


def test_a_lock_that_goes_is_none(
    small_app: SmallApp, session: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = threading.Event()

    def let_go(_seconds: float) -> None:
        session.execute("rollback")
        paused.set()

    monkeypatch.setattr(database.time, "sleep", let_go)
    session.execute("begin")
    session.execute("lock table people in access exclusive mode")
    assert locks_held(small_app.context()).verdict is Verdict.PASS
    assert paused.is_set()


def held(held_s: float | None, holder: str = "3/1") -> Held:
    return Held("people", "ExclusiveLock", holder, "", held_s, 0)


def test_an_old_lock_is_not_looked_at_twice() -> None:
    looks = iter([[held(60.0)]])
    assert lasting(lambda: next(looks), lambda _: pytest.fail("it waited")) == [held(60.0)]


def test_a_lock_of_unknown_age_counts_only_while_the_same_holder_has_it() -> None:
    looks = iter([[held(None)], [held(None, "3/2")]])
    assert lasting(lambda: next(looks), lambda _: None) == []
    again = iter([[held(None)], [held(None)]])
    assert lasting(lambda: next(again), lambda _: None) == [held(None)]
