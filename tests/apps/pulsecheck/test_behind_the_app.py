"""What lies behind PulseCheck, looked at in the released world: well, broken by hand, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.checks.context import CheckContext
from services.database.fingerprint import RowHash
from services.settings import Level
from services.verdict import Evidence, Verdict
from tests.apps.pulsecheck.conftest import Pulse

BEHIND = (
    "database-direct",
    "database-writable",
    "locks-held",
    "connection-kind",
    "connections-left",
    "slow-statements",
    "cache-hit",
    "disk-space",
    "function-probe",
    "trigger-probe",
    "service-reads-all",
    "authenticated-reads-own",
    "database-rest",
    "supabase-project",
    "backup-fresh",
    "auth-answers",
    "deployment-state",
    "startup-logs",
    "restart-loop",
    "healthcheck-settings",
    "response-times",
    "railway-calls-left",
    "openai-key",
    "openai-model",
    "openai-limits",
    "railway-status",
    "supabase-status",
    "openai-status",
    "certificate",
    "clock-agrees",
)
LOG_TABLES = ("ai_usage_logs", "ai_feedback", "daily_usage_quotas")
Seen = tuple[dict[str, Evidence], dict[str, RowHash], dict[str, RowHash]]


@pytest.fixture(scope="module")
def seen(after: Pulse) -> Seen:
    rows = after.rows()
    after.look("api-answers", "stats-answer")
    return after.look(*BEHIND, "supabase-advisors", "supabase-log-errors"), rows, after.rows()


@pytest.mark.parametrize("check", BEHIND)
def test_the_released_world_is_well_behind_the_app(seen: Seen, check: str) -> None:
    found = seen[0][check]
    assert found.verdict is Verdict.PASS, (found.summary, found.facts)


def test_not_one_row_is_other_than_before(seen: Seen) -> None:
    assert seen[1] == seen[2]


def test_supabases_advisors_name_the_tables_that_stand_open(seen: Seen) -> None:
    found = seen[0]["supabase-advisors"]
    assert (found.verdict, found.facts["by_name"]["rls_disabled_in_public"]) == (Verdict.FAIL, 4)


def test_the_hours_errors_are_counted_by_their_words(seen: Seen) -> None:
    found = seen[0]["supabase-log-errors"]
    # How many there are depends on what else was tried on this server within the hour.
    assert found.verdict is (Verdict.PASS if found.facts["errors"] <= found.facts["limit"] else Verdict.FAIL)


def test_numbers_that_are_compared_over_time_are_numbers(after: Pulse, seen: Seen) -> None:
    from services.checks.of_app import catalogue_of

    for check in BEHIND:
        for name in catalogue_of(after.app)[check].trend:
            value = seen[0][check].facts[name]
            assert value is None or isinstance(value, int | float), (check, name, value)


@contextmanager
def changed(pulse: Pulse, do: str, undo: str) -> Iterator[None]:
    pulse.sql(do)
    try:
        yield
    finally:
        pulse.sql(undo)


def test_a_trigger_that_is_off_is_found(after: Pulse) -> None:
    off = "alter table ai_usage_logs {} trigger keep_daily_usage_quota"
    with changed(after, off.format("disable"), off.format("enable")):
        found = after.look("trigger-probe")["trigger-probe"]
    assert (found.verdict, found.facts["off"]) == (Verdict.FAIL, ["keep_daily_usage_quota on ai_usage_logs"])


def test_a_sign_up_that_its_trigger_breaks_is_found(after: Pulse) -> None:
    broken = """
    create function public.greet() returns trigger language plpgsql security definer as $$
      begin insert into public.users (id, mail) values (new.id, new.email); return new; end $$;
    create trigger greet after insert on auth.users for each row execute function public.greet();
    """
    with changed(after, broken, "drop function public.greet() cascade"):
        found = after.look("trigger-probe")["trigger-probe"]
    assert (found.verdict, found.facts["code"]) == (Verdict.FAIL, "42703")


def test_a_function_whose_columns_do_not_fit_is_found_by_its_call(after: Pulse) -> None:
    name = "public.reset_daily_usage_counters"
    broken = f"""
    alter function {name}() rename to reset_kept;
    create function {name}() returns table (n integer) language plpgsql as $$
      begin return query select 'many'::text; end $$;
    """
    with changed(
        after,
        broken,
        f"drop function {name}(); alter function public.reset_kept() rename to reset_daily_usage_counters",
    ):
        found = after.look("function-probe")["function-probe"]
    assert (found.verdict, found.facts["code"]) == (Verdict.FAIL, "42804")


def test_without_the_level_deploy_nothing_is_called_and_nothing_inserted(after: Pulse) -> None:
    context = after.context(levels=frozenset({Level.LOOK, Level.OBSERVE}))
    found = after.look("function-probe", "trigger-probe", context=context)
    assert {one.verdict for one in found.values()} == {Verdict.UNKNOWN}
    assert all("'deploy'" in one.summary for one in found.values())


@pytest.mark.parametrize("table", LOG_TABLES)
def test_a_policy_that_opens_a_table_to_everybody_signed_in_is_found(after: Pulse, table: str) -> None:
    policy = f"create policy everybody on {table} for select to authenticated using (true)"
    with changed(after, policy, f"drop policy everybody on {table}"):
        found = after.look("authenticated-reads-own")["authenticated-reads-own"]
    assert (found.verdict, found.facts["leaks"]) == (Verdict.FAIL, [table])


def test_without_a_test_account_nobody_signs_in(after: Pulse) -> None:
    found = after.look("authenticated-reads-own", context=after.context(probe_accounts=()))
    assert "no test account" in found["authenticated-reads-own"].summary


def test_rows_hidden_from_the_service_key_are_found(after: Pulse) -> None:
    with changed(
        after, "revoke select on ai_feedback from service_role", "grant select on ai_feedback to service_role"
    ):
        found = after.look("service-reads-all")["service-reads-all"]
    assert (found.verdict, found.facts["code"], found.facts["refused"]) == (Verdict.FAIL, "42501", ["ai_feedback"])


@pytest.mark.parametrize(
    ("key", "checks"),
    [
        ("supabase_service_key", ("service-reads-all", "database-rest")),
        ("openai_key", ("openai-key",)),
    ],
)
def test_a_key_of_ours_that_is_rejected_fails_what_claims_to_be_let_in(
    after: Pulse, key: str, checks: tuple[str, ...]
) -> None:
    from pydantic import SecretStr

    found = after.look(*checks, context=after.context(**{key: SecretStr("sk-not-a-key-of-anybody")}))
    assert {one.verdict for one in found.values()} == {Verdict.FAIL}
    assert {one.facts["kind"] for one in found.values()} == {"unauthorised"}


@pytest.mark.parametrize(
    ("address", "checks"),
    [
        ("supabase_management_url", ("supabase-project", "backup-fresh", "supabase-advisors", "supabase-log-errors")),
        ("supabase_url", ("service-reads-all", "authenticated-reads-own", "auth-answers")),
        (
            "railway_url",
            ("deployment-state", "restart-loop", "healthcheck-settings", "response-times", "railway-calls-left"),
        ),
        ("railway_status_url", ("railway-status",)),
        ("app_url", ("clock-agrees", "certificate")),
        ("openai_url", ("openai-key", "openai-limits")),
    ],
)
def test_what_cannot_be_reached_is_unknown_and_says_so(after: Pulse, address: str, checks: tuple[str, ...]) -> None:
    found = after.look(*checks, context=after.context(**{address: "http://127.0.0.1:9"}))
    assert {one.verdict for one in found.values()} == {Verdict.UNKNOWN}
    assert {one.facts["kind"] for one in found.values()} == {"unreachable"}


def test_a_renamed_column_is_told_with_its_new_name(after: Pulse) -> None:
    rename = "alter table journal_entries rename column {} to {}"
    with changed(after, rename.format("mood_level", "mood_score"), rename.format("mood_score", "mood_level")):
        found = after.look("release-schema")["release-schema"]
    assert (found.verdict, found.facts["renamed"]) == (Verdict.FAIL, {"journal_entries.mood_level": "mood_score"})
    assert found.facts["missing_tables"] == []


def test_no_secret_and_no_journal_text_is_in_what_they_tell(after: Pulse, seen: Seen) -> None:
    told = str([one.to_json() for one in seen[0].values()])
    secrets = [value.get_secret_value() for _, value in after.target if hasattr(value, "get_secret_value")]
    texts = [row[0] for row in after.sql("select distinct content from journal_entries limit 200")]
    assert [one for one in (*secrets, *texts) if one in told] == []


def test_usage_that_goes_on_is_seen(after: Pulse) -> None:
    found = after.look("usage-recent")["usage-recent"]
    assert (found.verdict, found.facts["stale"]) == (Verdict.PASS, False)


@pytest.mark.parametrize(
    ("entries", "apart", "verdict"),
    [("5", "1 minute", Verdict.FAIL), ("4", "1 minute", Verdict.UNKNOWN), ("60", "0.5 seconds", Verdict.UNKNOWN)],
)
def test_usage_that_ended_while_people_write_on_is_found(
    after: Pulse, entries: str, apart: str, verdict: Verdict
) -> None:
    """Seen from a year on, when there were entries the day before and no AI call for long. Sixty at once are those of
    a run of checks that died."""
    written = f"""
    insert into journal_entries (user_id, content, mood_level, energy_level, stress_level, created_at)
      select 'late-writer', 'A line about nothing in particular', 5, 5, 5,
             now() + interval '399 days' + number * interval '{apart}'
      from generate_series(1, {entries}) as number"""
    later = CheckContext.create(after.target, after.app, datetime.now(UTC) + timedelta(days=400))
    with changed(after, written, "delete from journal_entries where user_id = 'late-writer'"):
        found = after.look("usage-recent", context=later)["usage-recent"]
    assert found.verdict is verdict, found.summary
