"""`python -m dashboard drill`: forward, score, back, and the witness's word on all of it."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.cli.answer import BAD, GOOD, Answer, Tell, columns
from dashboard.cli.on_a_target import release_for
from dashboard.cli.person import person
from dashboard.drill import witness
from dashboard.drill.forward import Course, utc_now
from dashboard.drill.stage import SANDBOX, Stage, stage
from dashboard.processes.logs import log_to
from services.app_definition import load_app
from services.errors import OpsError
from services.jobs.queue import JobState, enqueue
from services.releases.actions import back_out_app, roll_back, rollback_phrase
from services.releases.ledger import start_run
from services.settings import Target
from services.verdict import Verdict


@dataclass
class Report:
    """What the drill prints, filled in as it goes; problems: everything that did not hold."""

    score_before: Mapping[str, Any] | None = None
    steps: list[Mapping[str, Any]] = field(default_factory=list)
    deploy: str | None = None
    score_after: Mapping[str, Any] | None = None
    back_out: Mapping[str, Any] | None = None
    rollback: Mapping[str, Any] | None = None
    problems: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "held": not self.problems,
            "score_before": self.score_before,
            "steps": self.steps,
            "deploy": self.deploy,
            "score_after": self.score_after,
            "back_out": self.back_out,
            "rollback": self.rollback,
            "problems": self.problems,
            "took_s": self.took_s,
        }


def run_drill(reference: str, tell: Tell, environ: Mapping[str, str]) -> Answer:
    """Drill a release. Exit code 0 only if every step passed, the score rose, and everything of before came back."""
    log_to(sys.stderr)
    began = time.monotonic()
    # What cannot be understood is told before anything is started for it.
    release_for(reference, Target(name=SANDBOX))
    report = Report()
    tell("Starting a sandbox of the drill's own ...")
    with stage(environ) as scene:
        drill_on(scene, reference, report, tell)
        tell("Taking the sandbox away ...")
    report.took_s = round(time.monotonic() - began, 1)
    return Answer.of(report.to_json(), _lines(report), BAD if report.problems else GOOD)


def drill_on(scene: Stage, reference: str, report: Report, tell: Tell) -> None:
    """Drill a release on a fresh world and write down in the report what was seen, and all that did not hold."""
    release = release_for(reference, scene.target)
    actor = person(scene.target, {})
    course = Course(scene, actor, "", tell)
    report.score_before = _score(course)
    tell(f"Score before: {_told(report.score_before)}")
    before = witness.look(scene.superuser_url)
    course.run_id = start_run(scene.store, actor=actor, release=release, target=scene.target.name, now=utc_now())
    report.problems += course.walk()
    report.deploy = course.result_of("deploy").get("verdict")
    if report.deploy != Verdict.PASS.value:
        report.problems.append(f"The deploy is {report.deploy or 'not done'}.")
    if not report.problems:
        report.score_after = _read(course.result_of("score")) or _score(course)
        tell(f"Score after:  {_told(report.score_after)}")
        if report.score_after["percent"] <= load_app(scene.target.app).thresholds.score_percent:
            report.problems.append(f"The score after the release is {_told(report.score_after)}.")
    # As they stood at the end of the way forth: the way back takes some of it away again.
    report.steps = list(course.steps())
    if course.deployed():
        _back(course, release.id, before, report, tell)
    else:
        report.problems += [f"Nothing was deployed, and yet: {told}" for told in _changed(course, before)]


def _changed(course: Course, before: witness.Testimony) -> list[str]:
    return witness.differences(before, witness.look(course.stage.superuser_url))


def _back(course: Course, release_id: str, before: witness.Testimony, report: Report, tell: Tell) -> None:
    """The way back: the app first, then, on purpose and by phrase, the database; both judged by what is there then."""
    scene, actor, target, run_id = course.stage, course.actor, course.stage.target, course.run_id
    try:
        app = course.finish(back_out_app(scene.store, actor=actor, target=target, run_id=run_id, seen=0, now=utc_now()))
        summary = str((app.result or {}).get("summary", ""))
        tell(f"Back-out of the app: {app.state.value}: {summary}")
        if app.state is not JobState.PASSED:
            report.problems.append(f"The app is not back on its old build: {summary}")
        score = _score(course)
        report.back_out = {"verdict": app.state.value, "summary": summary, "score": score}
        tell(f"Score with the old build: {_told(score)}")
        if report.score_before is not None and score["passed"] != report.score_before["passed"]:
            report.problems.append(f"With the old build back the score is {_told(score)}, not what it was before.")
        alive = witness.look(scene.superuser_url)
        phrase = rollback_phrase(release_id, scene.target.name)
        done = course.finish(
            roll_back(scene.store, actor=actor, target=target, run_id=run_id, seen=0, phrase=phrase, now=utc_now())
        )
        result = done.result or {}
        tell(f"Rollback: {done.state.value}: {result.get('summary')}")
        if done.state is not JobState.PASSED:
            report.problems.append(f"The rollback is {done.state.value}: {result.get('summary')}")
    except OpsError as error:
        report.problems.append(f"The way back is barred: {error}")
        return
    different = _changed(course, before)
    lost = witness.lost_rows(scene.superuser_url, alive, result.get("snapshot_id"))
    report.rollback = {
        "fingerprint_restored": bool(result.get("fingerprint_restored")) and not different,
        "rows_lost": max(lost, int(result.get("rows_lost") or 0)),
        "differences": different,
        "snapshot_id": result.get("snapshot_id"),
    }
    report.problems += [f"After the rollback: {told}" for told in different]
    if report.rollback["rows_lost"]:
        report.problems.append(f"{report.rollback['rows_lost']} rows are neither in place nor in the snapshot.")
    if not report.rollback["fingerprint_restored"] and not different:
        report.problems.append("The rollback itself says that the catalog is not what it was before the deploy.")


def _score(course: Course) -> Mapping[str, Any]:
    queued = enqueue(
        course.stage.store,
        actor=course.actor,
        kind="score",
        target=course.stage.target,
        payload={},
        idempotency_key=f"drill/{secrets.token_hex(8)}",
        now=utc_now(),
    )
    ended = course.finish(queued).result or {}
    return _read(ended) or {"passed": 0, "of": 0, "percent": 0.0, "failed": [str(ended.get("summary"))]}


def _read(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The score in a job's result; None where it holds none."""
    if "passed" not in result:
        return None
    failed = [f"{one['id']}: {one['summary']}" for one in result["features"] if one["verdict"] != Verdict.PASS.value]
    return {"passed": result["passed"], "of": result["of"], "percent": result["percent"], "failed": failed}


def _told(score: Mapping[str, Any]) -> str:
    return f"{score['passed']}/{score['of']}" + "".join(f"\n    not passed: {one}" for one in score["failed"])


def _lines(report: Report) -> list[str]:
    lines = columns([(step["state"], step["id"], step["summary"]) for step in report.steps])
    for name, score in (("before", report.score_before), ("after", report.score_after)):
        lines.append(f"score {name}: " + (f"{score['passed']}/{score['of']}" if score else "not taken"))
    back = report.rollback
    if back:
        lines.append(
            f"catalog restored: {'yes' if back['fingerprint_restored'] else 'NO'}; {back['rows_lost']} rows lost"
        )
    lines += [f"PROBLEM: {problem}" for problem in report.problems]
    return [*lines, f"{'Everything held' if not report.problems else 'It did not hold'}; {report.took_s} s."]
