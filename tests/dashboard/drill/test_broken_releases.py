"""A drill must not hold when the release is broken, in whatever way: each test breaks the real one in one place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.drill.command import Report, drill_on
from dashboard.drill.stage import Stage, stage
from services.sandbox.control import client
from tests.campaign import only_in_full

RELEASE = Path(__file__).resolve().parents[3] / "apps" / "pulsecheck" / "releases" / "beta-optimization"

Drill = Callable[[], Report]


@pytest.fixture(scope="module")
def shared_stage() -> Iterator[Stage]:
    with stage(os.environ) as scene:
        yield scene


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the release for a test to break; its files are no longer listed, so that some may go or come."""
    copy = tmp_path / RELEASE.name
    shutil.copytree(RELEASE, copy)
    lines = (copy / "release.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    first = lines.index("files:\n")
    after = next(number for number in range(first + 1, len(lines)) if not lines[number].startswith(" "))
    (copy / "release.yaml").write_text("".join(lines[:first] + lines[after:]), encoding="utf-8")
    return copy


@pytest.fixture
def drill(shared_stage: Stage, broken: Path) -> Iterator[Drill]:
    """Drills the broken copy on the shared sandbox, which is put back as it began afterwards."""

    def run() -> Report:
        report = Report()
        drill_on(shared_stage, str(broken), report, lambda sentence: None)
        return report

    yield run
    client(shared_stage.home).reset()


def state(report: Report, step_id: str) -> str:
    return next(str(step["state"]) for step in report.steps if step["id"] == step_id)


@pytest.mark.campaign
@only_in_full
def test_a_script_that_cannot_run_is_stopped_by_the_rehearsal(drill: Drill, broken: Path) -> None:
    (broken / "deploy" / "085_typo.sql").write_text("ALTER TABLE public.no_such_table ADD COLUMN x int;\n")
    report = drill()
    assert state(report, "during-1") == "failed"
    assert report.deploy is None
    assert "085_typo.sql:1" in report.problems[0]
    assert state(report, "during-2") == "todo"


@pytest.mark.campaign
@only_in_full
def test_a_red_verification_query_stops_the_deploy_before_commit(drill: Drill, broken: Path) -> None:
    (broken / "verify" / "095_red.sql").write_text(
        "-- Proves nothing; a row shows that it was asked.\nSELECT 1 AS x;\n"
    )
    report = drill()
    assert state(report, "during-1") == "passed"
    assert report.deploy == "fail"
    assert report.rollback is None
    assert not [problem for problem in report.problems if "Nothing was deployed, and yet" in problem]


@pytest.mark.campaign
@only_in_full
def test_a_rollback_that_leaves_something_and_takes_old_rows_is_found_out_in_both(drill: Drill, broken: Path) -> None:
    (broken / "deploy" / "090_more.sql").write_text("CREATE TABLE IF NOT EXISTS public.left_behind (id bigint);\n")
    (broken / "rollback" / "040_too_much.sql").write_text(
        "DELETE FROM public.journal_entries WHERE id IN (SELECT id FROM public.journal_entries ORDER BY id LIMIT 7);\n"
    )
    report = drill()
    assert report.deploy == "pass"
    assert report.score_after is not None
    assert report.rollback is not None
    assert report.rollback["fingerprint_restored"] is False
    assert any("left_behind" in problem for problem in report.problems)
    assert any("public.journal_entries" in problem for problem in report.problems)


def lose_a_view(broken: Path, *, meant: bool = True) -> None:
    """meant: the script says that it breaks what looks into the view, so that the rehearsal lets it pass."""
    said = "-- breaks: public.probe_beta_release()\n" if meant else ""
    (broken / "deploy" / "095_lost.sql").write_text(f"{said}DROP VIEW public.beta_feedback_analysis;\n")
    for query in (broken / "verify").iterdir():
        query.unlink()
    (broken / "verify" / "010_quiet.sql").write_text("-- Proves nothing at all.\nSELECT 1 WHERE false;\n")


@pytest.mark.campaign
@only_in_full
def test_a_lost_view_that_something_needs_is_stopped_by_the_rehearsal(drill: Drill, broken: Path) -> None:
    lose_a_view(broken, meant=False)
    report = drill()
    assert state(report, "during-1") == "failed"
    assert report.deploy is None
    assert "public.probe_beta_release() no longer works" in report.problems[0]


@pytest.mark.campaign
@only_in_full
def test_a_lost_view_is_found_before_the_build_is_started(drill: Drill, broken: Path) -> None:
    lose_a_view(broken)
    report = drill()
    assert report.deploy == "pass"
    assert "failed" in (state(report, "during-4"), state(report, "during-5"))
    assert state(report, "after-1") == "todo"


@pytest.mark.campaign
@only_in_full
def test_a_build_that_cannot_start_is_found_and_the_way_back_still_works(drill: Drill, broken: Path) -> None:
    lose_a_view(broken)
    checklist = (broken / "release.yaml").read_text(encoding="utf-8")
    for careful in (", function-probe, trigger-probe", ", anon-reads-nothing, service-reads-all"):
        assert careful in checklist
        checklist = checklist.replace(careful, "")
    (broken / "release.yaml").write_text(checklist, encoding="utf-8")
    report = drill()
    assert report.deploy == "pass"
    assert state(report, "after-1") == "failed"
    assert report.score_after is None
    assert report.rollback is not None
    assert report.rollback["fingerprint_restored"] is True
    assert report.rollback["rows_lost"] == 0


@pytest.mark.campaign
@only_in_full
def test_rows_that_anybody_may_read_are_found(drill: Drill, broken: Path) -> None:
    (broken / "deploy" / "095_open.sql").write_text(
        "-- breaks: public.user_tier_limits\n"
        "ALTER TABLE public.user_tier_limits DISABLE ROW LEVEL SECURITY;\n"
        "GRANT SELECT ON public.user_tier_limits TO anon;\n"
    )
    for name in ("040_row_level_security.sql", "050_rights.sql", "051_anon_is_refused.sql", "041_policies.sql"):
        (broken / "verify" / name).unlink()
    report = drill()
    assert report.deploy == "pass"
    assert state(report, "during-5") != "passed"
    assert report.score_after is None
