"""What callers can do more or less than before is found by their doing it, with rows there to be seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.database.inspection.inspect import Inspection
from services.verdict import Verdict
from tests.services.database.inspection.change import failures

OPENED = """
GRANT SELECT ON public.profiles TO anon;
CREATE POLICY all_see ON public.profiles FOR SELECT TO anon USING (true);
ALTER TABLE public.notes DISABLE ROW LEVEL SECURITY;
CREATE TABLE public.prices (id int PRIMARY KEY, cents int NOT NULL);
ALTER TABLE public.prices ENABLE ROW LEVEL SECURITY;
CREATE POLICY shown ON public.prices FOR SELECT USING (true);
GRANT SELECT ON public.prices TO anon, authenticated;
CREATE TABLE public.open (id int PRIMARY KEY, word text);
GRANT ALL ON public.open TO anon;
CREATE TABLE public.mine (id bigserial PRIMARY KEY, user_id uuid NOT NULL, word text NOT NULL);
ALTER TABLE public.mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.mine FOR ALL TO authenticated USING (user_id = (SELECT auth.uid()));
GRANT SELECT, INSERT, UPDATE, DELETE ON public.mine TO authenticated, service_role;
CREATE TABLE public.loop (id int PRIMARY KEY);
ALTER TABLE public.loop ENABLE ROW LEVEL SECURITY;
CREATE POLICY loops ON public.loop USING (EXISTS (SELECT FROM public.loop AS l WHERE l.id = loop.id));
GRANT SELECT ON public.loop TO authenticated;
CREATE VIEW public.people AS SELECT id, email FROM public.profiles; GRANT SELECT ON public.people TO authenticated;
CREATE FUNCTION public.as_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = ''
  AS 'SELECT count(*) FROM public.profiles';
CREATE FUNCTION public.as_caller() RETURNS int LANGUAGE sql SET search_path = '' AS 'SELECT 1';
"""
BACKEND_AS_ANON = """
CREATE TABLE public.entries (id bigserial PRIMARY KEY, user_id varchar(255) NOT NULL, body text);
INSERT INTO public.entries (user_id, body) VALUES ('user_123', 'a day');
CREATE TABLE public.empty (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), word text NOT NULL);
GRANT SELECT, INSERT ON public.entries, public.empty TO anon; GRANT USAGE ON SEQUENCE public.entries_id_seq TO anon;
CREATE FUNCTION public.called() RETURNS int LANGUAGE sql SET search_path = '' AS 'SELECT 1';
"""
SHUT = """
ALTER TABLE public.entries ENABLE ROW LEVEL SECURITY; ALTER TABLE public.empty ENABLE ROW LEVEL SECURITY;
REVOKE EXECUTE ON FUNCTION public.called() FROM PUBLIC;
REVOKE SELECT ON public.notes FROM service_role;
"""


@pytest.fixture(scope="module")
def opened(changed_once: Callable[..., Inspection]) -> Inspection:
    return changed_once(OPENED)


@pytest.fixture(scope="module")
def shut(changed_once: Callable[..., Inspection]) -> Inspection:
    return changed_once(SHUT, BACKEND_AS_ANON)


def told(inspection: Inspection, name: str) -> dict[str, Verdict]:
    return {one.rule: one.verdict for one in inspection.findings if (one.kind, one.object) == ("access", name)}


def test_everything_newly_open_is_a_failure_and_nothing_else(opened: Inspection):
    assert failures(opened, "access") == {
        ("public.profiles", "anon-select"),
        *(("public.notes", f"stranger-{command}") for command in ("select", "insert", "update", "delete")),
        *(("public.open", f"anon-{command}") for command in ("select", "insert", "update", "delete")),
        ("public.loop", "error"),
        ("public.mine", "service_role-insert-sequence"),
        ("public.people", "stranger-select"),
        ("public.as_owner()", "anon-execute"),
    }


def test_it_says_who_reads_how_much_and_which_columns_are_personal(opened: Inspection):
    (one,) = [one for one in opened.failed if one.object == "public.profiles"]
    assert one.message == "anon can now read 2 rows of public.profiles, email among the columns."


def test_what_a_policy_of_a_new_table_shows_is_told_as_meant(opened: Inspection):
    assert told(opened, "public.prices") == {
        "anon-select": Verdict.PASS,
        "stranger-select": Verdict.PASS,
    }


def test_own_rows_are_told_apart_from_others(opened: Inspection):
    rules = told(opened, "public.mine")
    assert {rule for rule, verdict in rules.items() if verdict is Verdict.PASS} >= {"person-select", "person-delete"}
    assert not any(rule.startswith("stranger") for rule in rules)


def test_a_backend_that_comes_as_anon_and_is_shut_out_is_found(shut: Inspection):
    lost = {(table, f"anon-{command}-lost") for table in ("entries", "empty") for command in ("select", "insert")}
    assert {(name.removeprefix("public."), rule) for name, rule in failures(shut, "access")} == lost | {
        *(("called()", f"{who}-execute-lost") for who in ("anon", "stranger", "person", "service_role")),
        ("notes", "service_role-select-lost"),
    }


def test_the_words_name_the_reason(shut: Inspection):
    (one,) = [one for one in shut.failed if (one.object, one.rule) == ("public.entries", "anon-insert-lost")]
    assert "row-level security" in one.message


def test_rows_that_nobody_may_see_can_still_be_overwritten_and_deleted(changed_once: Callable[..., Inspection]):
    first = """
    CREATE TABLE public.votes (id int PRIMARY KEY, kind text, word text);
    INSERT INTO public.votes SELECT n, 'open', 'yes' FROM generate_series(1, 60) n;
    ALTER TABLE public.votes ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, UPDATE, DELETE ON public.votes TO anon;
    """
    change = """
    CREATE POLICY changes ON public.votes FOR UPDATE TO anon USING (kind = 'open') WITH CHECK (true);
    CREATE POLICY goes ON public.votes FOR DELETE TO anon USING (kind = 'open');
    """
    found = failures(changed_once(change, first), "access")
    assert found == {("public.votes", "anon-update"), ("public.votes", "anon-delete")}


def test_that_everybody_may_add_rows_of_his_own_by_default_is_no_opening(changed_once: Callable[..., Inspection]):
    change = """
    CREATE TABLE public.todos (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL,
      writer uuid NOT NULL DEFAULT auth.uid() REFERENCES auth.users (id));
    ALTER TABLE public.todos ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON public.todos TO authenticated USING ((SELECT auth.uid()) = writer);
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.todos TO authenticated;
    """
    inspection = changed_once(change)
    assert failures(inspection, "access") == set()
    assert told(inspection, "public.todos").keys() >= {"person-insert", "person-update"}
