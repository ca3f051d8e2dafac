"""Faults of PulseCheck's builds: real processes with real mistakes, seen from outside and gone when undone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.apps.pulsecheck.twin.faulty_twin import FaultyTwin
from tests.campaign import only_in_full, sample
from tests.services.sandbox.twin_world import ADMIN, JOURNAL, TIRED

pytestmark = [pytest.mark.campaign, only_in_full]

MISSING = 404


@pytest.fixture(autouse=True)
def _mended_after(faulty: FaultyTwin) -> Iterator[None]:
    faulty.world.hosting.variables["START_LIMIT_S"] = "1"
    yield
    faulty.mended()
    faulty.forget()
    assert well(faulty)
    assert faulty.world.held == {}


def well(faulty: FaultyTwin) -> bool:
    """The beta build serves, without a defect, and its newest deployment is the one."""
    serving = faulty.world.hosting.active
    assert serving is not None
    assert serving.image is not None
    return (
        serving is faulty.world.hosting.deployments[-1]
        and serving.status.value == "SUCCESS"
        and serving.image.defects == ()
        and faulty.twin.paths() == 24
        and faulty.stats().json()["total_entries"] == faulty.own_entries()
    )


def old_serves(faulty: FaultyTwin) -> bool:
    return faulty.twin.paths() == 15 and faulty.admin().status_code == MISSING


def logged(faulty: FaultyTwin) -> int:
    ((count,),) = faulty.sql("select count(*) from ai_usage_logs where user_id = 'user_123'")
    return int(count)


def journal_not_stored(faulty: FaultyTwin) -> bool:
    before, answer = faulty.own_entries(), faulty.write()
    read = faulty.app.get(f"{JOURNAL}/entries/{answer.json()['id']}")
    return (answer.status_code, read.status_code, faulty.own_entries()) == (200, MISSING, before)


def journal_reads_stale(faulty: FaultyTwin) -> bool:
    listed = faulty.app.get(f"{JOURNAL}/entries").json()["total"]
    before, answer = faulty.own_entries(), faulty.write()
    read = faulty.app.get(f"{JOURNAL}/entries/{answer.json()['id']}")
    again = faulty.app.get(f"{JOURNAL}/entries").json()["total"]
    return faulty.own_entries() == before + 1 and read.status_code == MISSING and listed == again == before


def feedback_not_stored(faulty: FaultyTwin) -> bool:
    answer = faulty.give_feedback(faulty.entry_id())
    stored = faulty.sql("select count(*) from ai_feedback where user_id = 'user_123'")
    return answer.status_code == 200 and stored == [(0,)]


def admin_error(faulty: FaultyTwin) -> bool:
    answers = [faulty.admin(report) for report in ("daily", "weekly", "users", "costs", "health")]
    return {answer.status_code for answer in answers} == {500} and "42703" in answers[0].json()["detail"]


def admin_numbers_wrong(faulty: FaultyTwin) -> bool:
    faulty.sql("insert into ai_usage_logs (user_id, cost_usd) select 'user_123', 0.01 from generate_series(1, 3)")
    told = faulty.admin().json()["total_ai_interactions"]
    start = "date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'"
    ((true,),) = faulty.sql(f"select count(*) from ai_usage_logs where created_at >= {start}")
    return bool(told >= true + 6)


def ai_code_bug(faulty: FaultyTwin) -> bool:
    one, other = faulty.twin.entry(), faulty.twin.entry({**TIRED, "mood_level": 9, "stress_level": 1})
    pulses = [faulty.pulse(entry["id"]).json() for entry in (one, other)]
    told = faulty.app.get(f"{JOURNAL}/entries/{one['id']}/analysis").json()
    canned = pulses[0] == pulses[1] and pulses[0]["confidence_score"] == 0.6
    return canned and told["confidence_score"] >= 0.7 and "KeyError: 'mood_rating'" in faulty.errors()


def usage_writer_broken(faulty: FaultyTwin) -> bool:
    real = faulty.twin.pulse()["confidence_score"] >= 0.7
    return real and logged(faulty) == 0 and "NameError: name 'usage_row' is not defined" in faulty.errors()


def cost_wrong(faulty: FaultyTwin) -> bool:
    faulty.twin.pulse()
    ((ratio,),) = faulty.sql(
        "select cost_usd / (prompt_tokens * 0.0001 + response_tokens * 0.0005) * 1000 from ai_usage_logs"
        " where user_id = 'user_123'"
    )
    return float(ratio) == pytest.approx(11.7)


def rate_limit_off(faulty: FaultyTwin) -> bool:
    faulty.sql("insert into ai_usage_logs (user_id, cost_usd) select 'user_123', 0 from generate_series(1, 20)")
    return faulty.pulse(faulty.twin.entry()["id"]).status_code == 200


def restart_loop(faulty: FaultyTwin) -> bool:
    one = faulty.world.hosting.active
    assert one is not None
    starts = [line.message for line in one.runtime_log if line.message.startswith("INFO: PulseCheck starting")]
    gave_up = [line for line in faulty.errors().splitlines() if "start-up did not end" in line]
    return one.restarts >= 2 and len(starts) >= 3 and len(gave_up) >= 2


def other_database(faulty: FaultyTwin) -> bool:
    before, answer = faulty.own_entries(), faulty.write()
    read = faulty.app.get(f"{JOURNAL}/entries/{answer.json()['id']}")
    total = faulty.stats().json()["total_entries"]
    return read.status_code == 200 and faulty.own_entries() == before and total == 1


def starts_not(*words: str) -> Callable[[FaultyTwin], bool]:
    def seen(faulty: FaultyTwin) -> bool:
        state, errors = faulty.newest()
        return old_serves(faulty) and state == "FAILED" and all(word in "\n".join(errors) for word in words)

    return seen


def not_loaded(faulty: FaultyTwin, *words: str) -> bool:
    return all(word in faulty.errors() for word in ("Traceback (most recent call last)", *words))


SEEN: dict[str, Callable[[FaultyTwin], bool]] = {
    "renamed-class": starts_not("ImportError: cannot import name 'UsageService' from", "beta.py"),
    "bad-settings": starts_not("ValidationError: 1 validation error for Settings", "ENVIRONMENT"),
    "variable-missing": starts_not("required environment variables are not set: SECRET_KEY"),
    "router-missing": lambda faulty: (
        faulty.twin.paths() == 16
        and faulty.admin().status_code == MISSING
        and not_loaded(faulty, "admin router not loaded", "ImportError: cannot import name 'BetaMetricsRouter'")
    ),
    "feedback-router-missing": lambda faulty: (
        faulty.give_feedback(faulty.entry_id()).status_code == MISSING
        and not_loaded(faulty, "feedback router not loaded", "ModuleNotFoundError: No module named")
    ),
    "journal-not-stored": journal_not_stored,
    "journal-reads-stale": journal_reads_stale,
    "stats-wrong": lambda faulty: faulty.stats().json()["total_entries"] == 10 < faulty.own_entries(),
    "feedback-not-stored": feedback_not_stored,
    "admin-error": admin_error,
    "admin-numbers-wrong": admin_numbers_wrong,
    "ai-code-bug": ai_code_bug,
    "usage-writer-broken": usage_writer_broken,
    "cost-wrong": cost_wrong,
    "rate-limit-off": rate_limit_off,
    "restart-loop": restart_loop,
    "app-on-other-database": other_database,
    "app-crashed": lambda faulty: faulty.app.get("/health").status_code == 502 and faulty.newest()[0] == "CRASHED",
    "deployment-stopped": lambda faulty: (
        faulty.app.get("/health").status_code == 502 and faulty.world.hosting.deployments[-1].stopped
    ),
    "deployment-stuck": lambda faulty: faulty.newest()[0] in ("QUEUED", "BUILDING") and faulty.twin.paths() == 24,
    "old-build-serves": lambda faulty: old_serves(faulty) and faulty.newest()[0] == "SUCCESS",
}


@pytest.mark.parametrize("fault", sample(SEEN, 3, seed=20260306))
def test_a_fault_is_seen_from_outside_and_gone_when_it_is_undone(faulty: FaultyTwin, fault: str) -> None:
    faulty.broken(fault)
    assert SEEN[fault](faulty)
    faulty.mended(fault)
    assert well(faulty)


# Pairs that touch the same thing, or of which one needs what the other takes away.
TOGETHER = (
    ("database-down", "stats-wrong"),
    ("database-hangs", "renamed-class"),
    ("database-read-only", "grants-missing"),
    ("connections-exhausted", "app-on-other-database"),
    ("table-locked", "row-cap"),
    ("table-missing", "deployment-stopped"),
    ("restart-loop", "app-crashed"),
    ("journal-not-stored", "stats-wrong"),
    ("usage-writer-broken", "feedback-not-stored"),
    ("router-missing", "rate-limit-off"),
    ("admin-error", "ai-code-bug"),
    ("cost-wrong", "app-on-other-database"),
    ("missing-dependency", "old-build-serves"),
    ("renamed-class", "missing-dependency"),
    ("rls-blocks-backend", "stats-wrong"),
    ("variable-missing", "renamed-class"),
    ("deployment-stuck", "journal-reads-stale"),
    ("app-crashed", "stats-wrong"),
    ("deployment-stopped", "app-crashed"),
    ("old-build-serves", "admin-error"),
)
ALL_PAIRS = [(one, other) for number, one in enumerate(SEEN) for other in list(SEEN)[number + 1 :]]
SEED = 20_261


def undoings() -> list[tuple[str, str, bool]]:
    """Pairs, and whether the first is undone last."""
    every = [(*pair, backwards) for pair in TOGETHER for backwards in (False, True)]
    if os.environ.get("OPS_CAMPAIGN") == "full":
        return [*every, *((*pair, backwards) for pair in ALL_PAIRS for backwards in (False, True))]
    return Random(SEED).sample(every, 1)


@pytest.mark.parametrize(("one", "other", "backwards"), undoings())
def test_two_faults_are_undone_in_any_order(faulty: FaultyTwin, one: str, other: str, backwards: bool) -> None:
    faulty.broken(one, other)
    faulty.mended(*((other, one) if backwards else (one, other)))
    assert well(faulty)


def test_several_defects_are_in_one_build_and_each_goes_alone(faulty: FaultyTwin) -> None:
    faulty.broken("stats-wrong", "feedback-not-stored", "admin-error")
    serving = faulty.world.hosting.active
    assert serving is not None
    assert serving.image is not None
    assert serving.image.defects == ("admin-error", "feedback-not-stored", "stats-wrong")
    assert SEEN["stats-wrong"](faulty)
    assert feedback_not_stored(faulty)
    assert admin_error(faulty)
    faulty.mended("feedback-not-stored")
    assert faulty.give_feedback(faulty.entry_id()).status_code == 200
    assert not feedback_not_stored(faulty)
    assert SEEN["stats-wrong"](faulty)


def test_a_crash_stays_after_another_fault_has_pushed(faulty: FaultyTwin) -> None:
    faulty.broken("app-crashed", "stats-wrong")
    assert faulty.app.get("/health").status_code == 502
    faulty.mended("app-crashed")
    assert SEEN["stats-wrong"](faulty)


def test_a_build_that_does_not_start_goes_with_one_that_is_wrong(faulty: FaultyTwin) -> None:
    faulty.broken("renamed-class", "stats-wrong")
    assert old_serves(faulty)
    faulty.mended("renamed-class")
    assert SEEN["stats-wrong"](faulty)


def test_admin_is_served_again_by_a_redeployment_that_nobody_undid(faulty: FaultyTwin) -> None:
    faulty.broken("router-missing")
    hosting = faulty.world.hosting
    assert hosting.active is not None
    faulty.twin.do(_redeployed, hosting)
    assert faulty.app.get(f"{ADMIN}/daily").status_code == MISSING


async def _redeployed(hosting: object) -> None:
    from services.sandbox.hosting import Hosting

    assert isinstance(hosting, Hosting)
    assert hosting.active is not None
    hosting.redeploy(hosting.active.id)
    await hosting.rest()
