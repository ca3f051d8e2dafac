"""The production test on the world before the release: seven of ten, one baseline cause, and not a row touched."""

from __future__ import annotations

import pytest

from services.checks.score import Score
from services.database.fingerprint import RowHash
from services.incidents.diagnosis import State
from services.settings import Level
from services.verdict import Verdict
from tests.apps.pulsecheck.conftest import Pulse

Seen = tuple[Score, dict[str, RowHash], dict[str, RowHash]]


@pytest.fixture(scope="module")
def seen(before: Pulse) -> Seen:
    rows = before.rows()
    return before.score(), rows, before.rows()


def test_seven_of_ten_pass_and_the_three_that_fail_are_the_release(seen: Seen) -> None:
    score = seen[0]
    assert (score.passed, score.of, score.tested) == (7, 10, 10)
    failed = {one.id for one in score.features if one.verdict is Verdict.FAIL}
    assert failed == {"ai-quality", "feedback", "admin"}


def test_not_one_row_is_other_than_before(seen: Seen) -> None:
    assert seen[1] == seen[2]


def test_the_old_test_says_the_same_seven_and_names_what_it_never_looked_at(seen: Seen) -> None:
    old = seen[0].old
    assert (old.passed, old.of, old.ready) == (7, 10, False)
    assert any("ai_feedback" in line for line in old.never_looked)


def test_the_one_cause_is_that_the_release_is_not_deployed(before: Pulse, seen: Seen) -> None:
    found = before.diagnose(seen[0].evidence)
    assert found.state is State.EXPLAINED
    assert [one.cause.id for one in found.causes] == ["release-not-deployed"]


def test_the_start_up_error_is_quoted_with_its_line(seen: Seen) -> None:
    logs = next(one for one in seen[0].evidence if one.check_id == "startup-logs")
    assert logs.verdict is Verdict.FAIL
    assert "user_tier_limits" in logs.summary
    assert isinstance(logs.facts["error"]["line"], int)


def test_what_the_release_needs_beforehand_is_there(seen: Seen) -> None:
    needed = {"backup-fresh", "env-names", "dependency-pins", "openai-key", "openai-model", "supabase-project"}
    assert {one.check_id for one in seen[0].evidence if one.verdict is Verdict.PASS} >= needed


def test_the_open_journal_is_a_finding_and_costs_no_point(seen: Seen) -> None:
    findings = {one.check_id: one for one in seen[0].findings}
    assert findings["anon-reads-journal"].link == "supabase_policies"


def test_nothing_of_the_release_can_be_read_because_nothing_is_there(seen: Seen) -> None:
    anon = next(one for one in seen[0].evidence if one.check_id == "anon-reads-nothing")
    assert anon.verdict is Verdict.UNKNOWN


def test_the_schema_fits_what_serves_and_not_yet_the_release(seen: Seen) -> None:
    by_id = {one.check_id: one for one in seen[0].evidence}
    assert by_id["schema-compatible"].verdict is Verdict.PASS
    assert by_id["release-schema"].verdict is Verdict.FAIL
    assert "user_tier_limits.tier_name is missing" in by_id["release-schema"].summary


def test_without_the_level_probe_nothing_is_written_and_the_score_says_what_was_not_tested(before: Pulse) -> None:
    rows = before.rows()
    score = before.score(levels=frozenset({Level.LOOK, Level.OBSERVE}))
    assert score.sentence == "5 of 6 tested, 4 not tested."
    roundtrip = next(one for one in score.evidence if one.check_id == "journal-roundtrip")
    assert "Nothing was written" in roundtrip.summary
    assert roundtrip.facts["stages"] == {"write": "unknown", "stored": "unknown", "read": "pass"}
    assert before.rows() == rows


def test_with_an_address_alone_only_what_can_be_seen_from_outside_is_judged(before: Pulse) -> None:
    from services.settings import Target

    outside = Target(name="outside", app_url=before.target.app_url)
    score = before.score(**{name: getattr(outside, name) for name in Target.model_fields})
    known = {one.check_id for one in score.evidence if one.verdict is not Verdict.UNKNOWN}
    assert known == {"api-answers", "docs-served", "route-inventory", "certificate", "clock-agrees"}


def test_rows_that_a_dead_run_has_left_are_swept_by_the_next(before: Pulse) -> None:
    rows = before.rows()
    before.sql(
        "insert into journal_entries (user_id, content, mood_level, energy_level, stress_level)"
        " values ('user_123', 'Left behind [ops-probe-000000000000]', 5, 5, 5)"
    )
    assert before.look("journal-roundtrip")["journal-roundtrip"].verdict is Verdict.PASS
    assert before.rows() == rows


def test_where_our_role_may_not_delete_nothing_is_written(before: Pulse) -> None:
    rows = before.rows()
    context = before.context(deploy_url=None, supabase_service_key=None)
    seen = before.look("journal-roundtrip", context=context)["journal-roundtrip"]
    assert seen.verdict is Verdict.UNKNOWN
    assert "Nothing was written" in seen.summary
    assert before.rows() == rows
