"""Faults of PulseCheck's tables and rows: seen from outside, and undone to the last grant and the last row."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from services.errors import Refused
from tests.apps.pulsecheck.twin.faulty_twin import FaultyTwin
from tests.campaign import only_in_full, sample
from tests.services.sandbox.twin_world import ADMIN, JOURNAL, TwinWorld

pytestmark = [pytest.mark.campaign, only_in_full]


@pytest.fixture(autouse=True)
def _as_it_was(faulty: FaultyTwin) -> Iterator[None]:
    """Whatever a test breaks: in the end catalog and rows are what they were."""
    before = faulty.traces()
    yield
    faulty.mended()
    faulty.forget()
    assert faulty.traces() == before


def rest(faulty: FaultyTwin, table: str, key: str, **params: str) -> httpx.Response:
    return httpx.get(
        f"{faulty.world.addresses.supabase_url}/rest/v1/{table}",
        params={"limit": "1", **params},
        headers={"apikey": key, "authorization": f"Bearer {key}"},
        timeout=5,
        trust_env=False,
    )


def as_service(faulty: FaultyTwin, table: str, **params: str) -> httpx.Response:
    return rest(faulty, table, faulty.world.keys.service_key, **params)


def as_anon(faulty: FaultyTwin, table: str) -> httpx.Response:
    return rest(faulty, table, faulty.world.keys.anon_key)


def refused(faulty: FaultyTwin, statement: str) -> str | None:
    """The SQLSTATE with which the owner's statement ends; None where it works. Nothing stays of it."""
    with psycopg.connect(faulty.world.cluster.server.dsn("postgres")) as conn:
        try:
            conn.execute(statement.encode())
        except psycopg.Error as error:
            return error.sqlstate
        finally:
            conn.rollback()
    return None


SIGN_UP = "insert into auth.users (id, email) values (gen_random_uuid(), 'new@example.com')"
ASK_TIER = "select * from get_user_tier_info('nobody')"
RULE = (
    "select count(*) from users cross join lateral get_user_tier_info(users.id::text) as told"
    " where is_premium and told.tier <> 'premium'"
)
FANNED = "select (select sum(total_cost) from beta_user_engagement) > 1.5 * (select sum(cost_usd) from ai_usage_logs)"
UNBALANCED = (
    "select count(*) from (select user_id, (created_at at time zone 'UTC')::date as usage_date, count(*)"
    " from ai_usage_logs group by 1, 2 except select user_id, usage_date, requests_used from daily_usage_quotas) as x"
)


def column_renamed(faulty: FaultyTwin) -> bool:
    return faulty.write().status_code == 500 and faulty.stats().status_code == 500


def type_changed(faulty: FaultyTwin) -> bool:
    answer = faulty.write()
    return answer.status_code == 200 and '"energy_level":2.0' in answer.text.replace(" ", "")


def table_missing(faulty: FaultyTwin) -> bool:
    answer = faulty.give_feedback(faulty.entry_id())
    gone = as_service(faulty, "ai_feedback"), as_service(faulty, "beta_feedback_analysis")
    return answer.status_code == 200 and [one.status_code for one in gone] == [404, 404]


def quota_off(faulty: FaultyTwin) -> bool:
    faulty.twin.pulse()
    return faulty.sql(UNBALANCED) != [(0,)]


def stale(faulty: FaultyTwin) -> bool:
    ((days, told),) = faulty.sql(
        "select (now() at time zone 'UTC')::date - max(metric_date), count(*) from beta_daily_metrics"
    )
    weekly = faulty.admin().json()["total_ai_interactions"]
    return bool(days >= 3 and told > 5 and weekly == 0)


SEEN: dict[str, Callable[[FaultyTwin], bool]] = {
    "column-renamed": column_renamed,
    "column-type-changed": type_changed,
    "table-missing": table_missing,
    "tier-function-broken": lambda faulty: refused(faulty, ASK_TIER) == "42804",
    "tiers-wrong": lambda faulty: faulty.sql(RULE) == [(4,)],
    "sign-up-broken": lambda faulty: refused(faulty, SIGN_UP) == "42703",
    "quota-trigger-off": quota_off,
    "view-fan-out": lambda faulty: faulty.sql(FANNED) == [(True,)],
    "release-readable-by-anon": lambda faulty: len(as_anon(faulty, "ai_usage_logs").json()) == 1,
    "usage-stale": stale,
}


def well(faulty: FaultyTwin) -> bool:
    return (
        faulty.write().status_code == 200
        and faulty.stats().status_code == 200
        and isinstance(faulty.stats().json()["average_energy"], float)
        and as_service(faulty, "beta_feedback_analysis").status_code == 200
        and refused(faulty, ASK_TIER) is None
        and refused(faulty, SIGN_UP) is None
        and faulty.sql(RULE) == [(0,)]
        and faulty.sql(FANNED) == [(False,)]
        and faulty.sql(UNBALANCED) == [(0,)]
        and as_anon(faulty, "ai_usage_logs").status_code in (401, 403)
    )


@pytest.mark.parametrize("fault", sample(SEEN, 3, seed=20260307))
def test_a_fault_is_seen_from_outside_and_gone_when_it_is_undone(faulty: FaultyTwin, fault: str) -> None:
    faulty.broken(fault)
    assert SEEN[fault](faulty)
    faulty.mended(fault)
    assert well(faulty)


ALL_PAIRS = [(one, other) for one in SEEN for other in SEEN if one != other]
TOGETHER = (
    ("tiers-wrong", "tier-function-broken"),
    ("tier-function-broken", "tiers-wrong"),
    ("view-fan-out", "table-missing"),
    ("table-missing", "view-fan-out"),
    ("table-missing", "usage-stale"),
    ("release-readable-by-anon", "table-missing"),
    ("quota-trigger-off", "usage-stale"),
    ("column-renamed", "column-type-changed"),
)


def pairs() -> list[tuple[str, str]]:
    return [*sample(TOGETHER, 1, seed=20260320), *sample(ALL_PAIRS, 1, seed=7)]


@pytest.mark.parametrize("pair", pairs(), ids="+".join)
def test_two_faults_are_undone_in_the_order_in_which_they_were_made(faulty: FaultyTwin, pair: tuple[str, str]) -> None:
    faulty.broken(*pair)
    faulty.mended(*pair)
    assert well(faulty)


@pytest.mark.parametrize(
    "server",
    sample(["database-down", "database-hangs", "database-read-only", "table-locked"], 2, seed=20260313),
)
def test_a_table_is_broken_and_mended_while_the_server_is_broken_too(faulty: FaultyTwin, server: str) -> None:
    faulty.broken(server, "column-renamed")
    faulty.mended("column-renamed")
    assert faulty.login_answers() is (server not in ("database-down", "database-hangs"))
    faulty.broken("column-renamed")
    faulty.mended(server)
    assert column_renamed(faulty)


def test_a_call_that_was_not_counted_is_counted_when_the_trigger_is_back(faulty: FaultyTwin) -> None:
    faulty.broken("quota-trigger-off")
    faulty.twin.pulse()
    faulty.mended("quota-trigger-off")
    assert faulty.sql("select requests_used from daily_usage_quotas where user_id = 'user_123'") == [(1,)]


def test_a_build_that_could_not_start_for_want_of_a_table_starts_when_it_is_back(faulty: FaultyTwin) -> None:
    faulty.broken("table-missing", "stats-wrong")
    assert faulty.newest()[0] == "FAILED"
    faulty.mended("table-missing")
    assert faulty.newest()[0] == "SUCCESS"
    assert faulty.stats().json()["total_entries"] == 10


@pytest.mark.parametrize(
    "fault", sample(["table-missing", "tiers-wrong", "view-fan-out", "usage-stale", "stats-wrong"], 2, seed=20260314)
)
def test_before_the_release_there_is_nothing_to_break(old: TwinWorld, fault: str) -> None:
    with pytest.raises(Refused, match=r"nothing to break|has not served"):
        old.thread.run(old.world.break_fault(fault))
    assert old.world.broken == set()


def test_admin_reports_are_not_hurt_by_a_broken_sign_up(faulty: FaultyTwin) -> None:
    faulty.broken("sign-up-broken")
    assert faulty.app.get(f"{ADMIN}/daily").status_code == 200
    assert faulty.app.get(f"{JOURNAL}/stats").status_code == 200
