"""Rows go in wherever they can, triggers that break them are found, and so are sign-ups that no longer work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.database.inspection.inspect import Inspection
from services.verdict import Verdict
from tests.services.database.inspection.change import failures, verdict_of

FIRES = "CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON public.{} FOR EACH ROW EXECUTE FUNCTION public.lets();"
HARD = """
CREATE FUNCTION public.lets() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS
  $$ BEGIN RETURN COALESCE(NEW, OLD); END $$;
CREATE DOMAIN public.address AS text CHECK (VALUE ~ '^[^@]+@[^@]+$');
CREATE TABLE public.hard (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code varchar(5) UNIQUE NOT NULL, kind text NOT NULL
    CHECK (kind IN ('one', 'two')), low integer NOT NULL, high integer NOT NULL CHECK (high > low AND high < 40),
  share numeric NOT NULL CHECK (share > 0.2 AND share < 0.4), mail public.address NOT NULL, tags text[] NOT NULL,
  span tstzrange NOT NULL, mood public.mood NOT NULL, twice integer GENERATED ALWAYS AS (low * 2) STORED,
  slug text NOT NULL CHECK (length(slug) >= 30), extra jsonb NOT NULL, CHECK (low >= 12));
CREATE TABLE public.parent (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE public.child (parent_id bigint PRIMARY KEY REFERENCES public.parent (id), at timestamptz NOT NULL);
CREATE TABLE public.grandchild (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  child_id bigint NOT NULL REFERENCES public.child (parent_id));
CREATE TABLE public.odd (id int PRIMARY KEY, word text NOT NULL CHECK (md5(word) = 'x'));
CREATE TABLE public.parted (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE public.parted_now PARTITION OF public.parted DEFAULT;
"""
TABLES = ("hard", "parent", "child", "grandchild", "odd", "parted")
BREAKS = """
CREATE FUNCTION public.breaks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS
  $$ BEGIN IF NEW.level > 0 THEN EXECUTE 'UPDATE public.tags SET nope = 1'; END IF; RETURN NEW; END $$;
CREATE TRIGGER breaks AFTER INSERT ON public.notes FOR EACH ROW EXECUTE FUNCTION public.breaks();
CREATE FUNCTION public.breaks_changes() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS
  $$ BEGIN PERFORM OLD.nope; RETURN OLD; END $$;
CREATE TRIGGER breaks_changes AFTER UPDATE OR DELETE ON public.notes
  FOR EACH ROW EXECUTE FUNCTION public.breaks_changes();
ALTER TABLE public.note_log ADD COLUMN must text NOT NULL;
"""
LOGS = """
CREATE FUNCTION public.logs() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS
  $$ BEGIN INSERT INTO public.note_log (note_id, what) VALUES (NULL, 'tag'); RETURN NEW; END $$;
CREATE TRIGGER logs AFTER INSERT ON public.tags FOR EACH ROW EXECUTE FUNCTION public.logs();
"""
SIGN_UP = "CREATE OR REPLACE FUNCTION public.on_sign_up() RETURNS trigger LANGUAGE plpgsql {} AS $$ BEGIN {} END $$"
SAFELY = "SECURITY DEFINER SET search_path = ''"
INTO = "INSERT INTO public.profiles (id, email{}) VALUES (NEW.id, NEW.email{}); RETURN NEW;"


@pytest.fixture(scope="module")
def hard(changed_once: Callable[..., Inspection]) -> Inspection:
    return changed_once(HARD + "".join(FIRES.format(name) for name in TABLES))


@pytest.fixture(scope="module")
def broken(changed_once: Callable[..., Inspection]) -> Inspection:
    return changed_once(BREAKS, LOGS)


@pytest.mark.parametrize("name", [name for name in TABLES if name != "odd"])
@pytest.mark.parametrize("kind", ["insert", "update", "delete"])
def test_a_row_is_made_for_every_table_that_takes_one(hard: Inspection, kind: str, name: str):
    said = [one.message for one in hard.findings if (one.kind, one.object) == (kind, f"public.{name}")]
    assert verdict_of(hard, kind, f"public.{name}") is Verdict.PASS, said


def test_where_no_row_can_be_made_that_is_unknown_with_the_reason(hard: Inspection):
    (told,) = [one for one in hard.findings if (one.kind, one.object) == ("insert", "public.odd")]
    assert (told.verdict, told.rule) == (Verdict.UNKNOWN, "no-row")
    assert "odd_word_check" in told.message


def test_triggers_that_fail_are_found_by_what_fires_them(broken: Inspection):
    assert {one for one in failures(broken) if one[0] == "public.notes"} == {("public.notes", "42703")}
    assert {one.kind for one in broken.failed if one.object == "public.notes"} == {"insert", "update", "delete"}


def test_a_trigger_that_a_new_column_broke_is_found_though_its_values_are_refused(broken: Inspection):
    found = [one for one in broken.failed if one.object == "public.tags"]
    assert len(found) == 1, found
    told = found[0]
    assert (told.kind, told.rule) == ("insert", "23502")
    assert told.message.endswith("It went through before.")


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        (SIGN_UP.format(SAFELY, INTO.format(", full_name", ", ''")), "42703"),
        (SIGN_UP.format("SET search_path = ''", INTO.format("", "")), "42501"),
        (SIGN_UP.format("SECURITY DEFINER", "INSERT INTO profiles (id, email) VALUES (NEW.id, ''); RETURN NEW;"),
         "42P01"),
        (SIGN_UP.format(SAFELY, "BEGIN INSERT INTO public.profiles (nope) VALUES (1);"
                                " EXCEPTION WHEN OTHERS THEN NULL; END; RETURN NEW;"), "profile-missing"),
        ("DELETE FROM public.notes; DELETE FROM public.profiles;"
         " ALTER TABLE public.profiles ADD COLUMN phone text NOT NULL", "23502"),
    ],
)  # fmt: skip
def test_a_sign_up_that_works_no_longer_is_found(changed_once: Callable[..., Inspection], sql: str, rule: str):
    assert failures(changed_once(sql), "sign-up") == {("auth.users", rule)}


def test_a_sign_up_that_works_says_what_it_wrote(hard: Inspection):
    (told,) = [one for one in hard.findings if one.kind == "sign-up"]
    assert (told.verdict, told.message) == (Verdict.PASS, "A sign-up went through, and wrote public.profiles too.")
