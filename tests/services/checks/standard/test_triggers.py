"""Triggers and sign-up, really tried in a real database; nothing of it stays."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from services.checks.standard.triggers import SIGN_UP, Tried, trigger_probe
from services.verdict import Finding, Verdict
from tests.services.checks.standard.conftest import SmallApp

COUNTING = """
create table counts (person uuid primary key, notes int not null);
create function counted() returns trigger language plpgsql as $$
  begin insert into public.counts values (new.person, 1) on conflict (person) do update set notes = counts.notes + 1;
  return null; end $$;
create trigger count_notes after insert on notes for each row execute function counted();
"""
BROKEN = """
create function greeted() returns trigger language plpgsql security definer as $$
  begin insert into public.people (id, mail) values (new.id, new.email); return new; end $$;
create trigger greet after insert on auth.users for each row execute function greeted();
"""


def probed(app: SmallApp, deployed: str, release: str | None = None) -> Finding:
    app.run(deployed)
    return trigger_probe(app.context(release))


def test_a_trigger_that_works_and_a_sign_up(small_app: SmallApp) -> None:
    found = probed(small_app, COUNTING, COUNTING)
    assert found.verdict is Verdict.PASS, found
    assert found.facts["tried"] == ["public.notes", SIGN_UP]
    assert (found.facts["sign_up"], found.facts["sequences_may_advance"]) == (True, True)


def test_nothing_stays(small_app: SmallApp) -> None:
    probed(small_app, COUNTING)
    assert small_app.rows("select count(*) from notes") == [(5,)]
    assert small_app.rows("select count(*) from counts") == [(0,)]
    assert small_app.rows("select count(*) from auth.users") == [(0,)]


def test_a_sign_up_that_fails_in_its_trigger(small_app: SmallApp) -> None:
    found = probed(small_app, BROKEN)
    assert (found.verdict, found.facts["code"], found.facts["sign_up"]) == (Verdict.FAIL, "42703", False)
    assert found.facts["failed"][0]["table"] == SIGN_UP
    assert "greeted" in found.facts["failed"][0]["function"]
    assert "A sign-up fails" in found.summary


def test_a_trigger_that_is_off(small_app: SmallApp) -> None:
    found = probed(small_app, COUNTING + "alter table notes disable trigger count_notes;", COUNTING)
    assert (found.verdict, found.facts["off"]) == (Verdict.FAIL, ["count_notes on notes"])


def test_a_trigger_of_the_release_that_is_missing(small_app: SmallApp) -> None:
    found = probed(small_app, COUNTING + "drop trigger count_notes on notes;", COUNTING)
    assert (found.verdict, found.facts["missing"]) == (Verdict.FAIL, ["count_notes on notes"])


def test_before_the_release_only_the_sign_up_can_be_tried(small_app: SmallApp) -> None:
    release = COUNTING.replace("on notes", "on later")
    found = trigger_probe(small_app.context(release))
    assert (found.verdict, found.facts["sign_up"]) == (Verdict.UNKNOWN, True)


def test_a_trigger_that_is_deferred_is_tried_too(small_app: SmallApp) -> None:
    late = COUNTING.replace("create trigger count_notes after insert on notes for", "").partition("each row")[0]
    late += "create constraint trigger late after insert on notes deferrable initially deferred for each row"
    found = probed(small_app, f"{late} execute function counted(); alter table counts rename column notes to n;")
    assert (found.verdict, found.facts["code"]) == (Verdict.FAIL, "42703")


def test_an_empty_table_gets_a_row_that_was_made_up(small_app: SmallApp) -> None:
    found = probed(
        small_app,
        "create table events (id serial primary key, name varchar(5) not null, at timestamptz not null, tags text[]);"
        "create function passed() returns trigger language plpgsql as $$ begin return new; end $$;"
        "create trigger pass before insert on events for each row execute function passed();",
    )
    assert (found.verdict, found.facts["tried"]) == (Verdict.PASS, ["public.events", SIGN_UP])


def test_a_row_that_cannot_be_made_up_says_nothing_about_the_trigger(small_app: SmallApp) -> None:
    found = probed(
        small_app,
        "create table kinds (kind text not null check (kind in ('a', 'b')));"
        "create function passed() returns trigger language plpgsql as $$ begin return new; end $$;"
        "create trigger pass before insert on kinds for each row execute function passed();",
    )
    assert (found.verdict, found.facts["unclear"]) == (Verdict.UNKNOWN, {"public.kinds": "23514"})


def test_a_table_that_is_locked_is_not_waited_for(small_app: SmallApp, session: psycopg.Connection[Any]) -> None:
    small_app.run(COUNTING)
    session.execute("begin")
    session.execute("lock table notes in exclusive mode")
    found = trigger_probe(small_app.context(COUNTING))
    assert (found.verdict, found.facts["unclear"]) == (Verdict.UNKNOWN, {"public.notes": "55P03"})


@pytest.mark.parametrize(
    ("code", "function", "verdict"),
    [
        (None, "", Verdict.PASS),
        ("23502", "", Verdict.UNKNOWN),
        ("23502", "greeted", Verdict.FAIL),
        ("P0001", "greeted", Verdict.UNKNOWN),
        ("57014", "greeted", Verdict.UNKNOWN),
    ],
)
def test_only_an_error_inside_its_function_is_the_triggers(code: str | None, function: str, verdict: Verdict) -> None:
    assert Tried("public.t", code, function).verdict is verdict
