"""Functions are told broken when they are, whoever broke them, and never because of arguments that we made up."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from services.database.inspection.inspect import Inspection
from services.verdict import Verdict
from tests.services.database.inspection.change import failures, verdict_of

PLPGSQL = "LANGUAGE plpgsql SET search_path = '' AS $$ BEGIN {} END $$"


def function(head: str, body: str) -> str:
    return f"CREATE FUNCTION public.{head} {PLPGSQL.format(body)}"


BROKEN = [
    (function("f{}() RETURNS int", "RETURN (SELECT count(*) FROM public.nowhere);"), "body"),
    (function("f{}(a int) RETURNS int", "IF a > 999 THEN PERFORM 1 FROM public.nowhere; END IF; RETURN 1;"), "body"),
    (function("f{}(a int) RETURNS int",
              "IF a > 999 THEN INSERT INTO public.tags (nope) VALUES (1); END IF; RETURN 1;"), "body"),
    (function("f{}() RETURNS int", "RETURN (SELECT nope FROM public.notes LIMIT 1);"), "42703"),
    (function("f{}(a uuid) RETURNS int", "RETURN (SELECT 1 FROM public.tags WHERE name = a LIMIT 1);"), "42883"),
    (function("f{}() RETURNS TABLE (user_id uuid)", "RETURN QUERY SELECT user_id FROM public.notes;"), "42702"),
    (function("f{}() RETURNS TABLE (t text)", "RETURN QUERY SELECT name::varchar(5) FROM public.tags;"), "42804"),
    (function("f{}() RETURNS int", "IF false THEN RETURN 1; END IF;"), "2F005"),
    (function("f{}(a text) RETURNS int", "EXECUTE 'SELECT 1 FROM public.nowhere'; RETURN 1;"), "42P01"),
    ("CREATE PROCEDURE public.f{}() " + PLPGSQL.format("UPDATE public.notes SET level = nope;"), "42703"),
    ("SET check_function_bodies = off; CREATE FUNCTION public.f{}(a int) RETURNS int LANGUAGE sql"
     " AS 'SELECT 1 FROM public.nowhere'", "42P01"),
]  # fmt: skip
WORKING = [
    function("f{}(a text) RETURNS int", "EXECUTE format('SELECT 1 FROM %I', a); RETURN 1;"),
    function("f{}(a text) RETURNS int", "EXECUTE a; RETURN 1;"),
    function("f{}(a int) RETURNS int", "RAISE EXCEPTION 'no such person %', a;"),
    function("f{}(a text) RETURNS int", "RETURN a::int;"),
    function("f{}(a uuid) RETURNS int", "INSERT INTO public.notes (user_id, body, level, mood)"
                                        " VALUES (a, 'abc', 1, 'fine'); RETURN 1;"),
    function("f{}(a public.mood, b int[], c jsonb, d tstzrange, e public.notes) RETURNS int", "RETURN 1;"),
    function("f{}() RETURNS int", "CREATE TEMP TABLE mine (a int); INSERT INTO mine VALUES (1); RETURN 1;"),
    function("f{}() RETURNS int", "RESET ROLE; IF (SELECT rolsuper FROM pg_catalog.pg_roles"
                                  " WHERE rolname = current_user) THEN PERFORM nope; END IF; RETURN 1;"),
    function("f{}() RETURNS int", "COPY public.notes TO PROGRAM 'cat'; RETURN 1;"),
    function("f{}() RETURNS int", "DELETE FROM public.notes; RETURN 1;"),
    "CREATE FUNCTION public.f{}(VARIADIC a int[]) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION public.f{}(a int DEFAULT 1, OUT b int, OUT c text) LANGUAGE sql AS $$ SELECT 1, 'x'::text $$",
    "CREATE FUNCTION public.f{}(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; END",
]  # fmt: skip
ALL = "; ".join(text.replace("{}", str(place)) for place, text in enumerate([*(sql for sql, _ in BROKEN), *WORKING]))
OLD = (
    "CREATE FUNCTION public.old_sql(a int) RETURNS bigint LANGUAGE sql AS 'SELECT count(what) FROM public.note_log';"
    + function("always_broken() RETURNS int", "RETURN (SELECT nope FROM public.notes LIMIT 1);")
)


@pytest.fixture(scope="module")
def many(changed_once: Callable[..., Inspection]) -> Inspection:
    """What is said of all the functions above, made by one change."""
    return changed_once(ALL)


@pytest.fixture(scope="module")
def outside(changed_once: Callable[..., Inspection]) -> Inspection:
    """What is said after a change that touched no function."""
    return changed_once("ALTER TABLE public.profiles DROP COLUMN email; ALTER TABLE public.note_log DROP COLUMN what;"
                        " ALTER TABLE public.notes ADD COLUMN extra int", OLD)  # fmt: skip


@pytest.mark.parametrize("place", range(len(BROKEN)))
def test_a_broken_function_is_found(many: Inspection, place: int):
    told = [rule for name, rule in failures(many, "function") if name.startswith(f"public.f{place}(")]
    assert told == [BROKEN[place][1]]


def test_what_is_only_about_our_arguments_is_no_failure(many: Inspection):
    assert len(failures(many)) == len(BROKEN)


def test_what_acts_outside_the_database_is_not_called(many: Inspection):
    assert verdict_of(many, "function", f"public.f{len(BROKEN) + 8}()") is Verdict.UNKNOWN


def test_a_function_that_works_is_said_to_work(many: Inspection):
    assert verdict_of(many, "function", f"public.f{len(BROKEN) + 9}()") is Verdict.PASS


def test_nothing_stays_of_what_was_tried(many: Inspection, last_changed: Callable[[], str]):
    with psycopg.connect(last_changed()) as conn:
        assert conn.execute("SELECT count(*) FROM public.notes").fetchone() == (2,)
        assert conn.execute("SELECT count(*) FROM pg_roles WHERE rolname ~ '^ops_inspector'").fetchone() == (0,)


def test_functions_that_the_change_broke_from_outside_are_found(outside: Inspection):
    assert failures(outside, "function") == {("public.on_sign_up()", "body"), ("public.old_sql(a integer)", "42703")}


def test_what_was_broken_before_is_counted_and_not_told(outside: Inspection):
    assert outside.old["function"] == 1
    assert "1 function" in outside.old_sentence


def test_a_function_that_takes_too_long_is_unknown(changed_once: Callable[..., Inspection]):
    found = changed_once(function("f() RETURNS int", "PERFORM pg_catalog.pg_sleep(60); RETURN 1;"), budget_s=0.6)
    assert verdict_of(found, "function", "public.f()") is Verdict.UNKNOWN
    assert verdict_of(found, "inspection", "") is Verdict.UNKNOWN
    assert found.took_ms < 3000
