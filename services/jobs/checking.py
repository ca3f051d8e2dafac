"""Jobs that look: checks, the production test, diagnosis; and the evidence they leave."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.app_definition import AppDefinition, load_app
from services.checks.caps import Purse
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.registry import CheckSpec
from services.checks.runner import CLEAN_UP_S, WITHIN_S, run_checks
from services.checks.score import SCORE_WITHIN_S, run_score
from services.incidents.causes import causes_of
from services.incidents.diagnosis import State
from services.incidents.diagnosis import diagnose as rank_causes
from services.jobs.backups import newest_proved
from services.jobs.queue import JobState, recent_jobs
from services.jobs.worker import JobContext, Outcome
from services.releases.bundle import Release, load_release
from services.releases.ledger import get_run, latest_run, pinned_release, record_evidence
from services.settings import Target
from services.store.database import Store
from services.verdict import Evidence, Verdict, worst

STATE_OF = {Verdict.PASS: JobState.PASSED, Verdict.FAIL: JobState.FAILED, Verdict.UNKNOWN: JobState.UNKNOWN}


def check_context(
    store: Store,
    target: Target,
    app: AppDefinition,
    now: datetime,
    *,
    run_id: str | None = None,
    rehearsal: Mapping[str, Any] | None = None,
) -> CheckContext:
    """What checks work with: the run's pinned release (else the newest run's, else the app's own) and what our
    store knows of it. rehearsal: the one that has just ended, which the store does not know yet."""
    release = _release(store, target, app, run_id)
    return CheckContext(
        target=target,
        app=app,
        now=now,
        marker=f"ops-probe-{secrets.token_hex(4)}",
        release=release,
        store_facts={
            "rehearsal": (rehearsal or last_rehearsal(store, target.name, release)) if release else None,
            "backup": newest.as_fact() if (newest := newest_proved(store, target.name)) else None,
        },
        purse=Purse(store, target),
    )


def _release(store: Store, target: Target, app: AppDefinition, run_id: str | None) -> Release | None:
    run = get_run(store, run_id) if run_id else latest_run(store, target.name)
    if run is not None:
        return pinned_release(store, run.content_hash)
    folder = app.folder / "releases"
    return load_release(app.default_release, root=folder) if app.default_release else None


def last_rehearsal(store: Store, target: str, release: Release) -> dict[str, Any] | None:
    """The newest finished rehearsal of exactly this content on this target, as the store keeps it.

    Where it predicted no times, what an earlier one of the same plan had predicted stands in it: "predicted", the
    statements' "predicted_ms" and "stall_ms", and "predicted_at", when that one finished (ISO 8601). A wait that is
    known is not forgotten by a rehearsal that did not ask for it.
    """
    newest: dict[str, Any] | None = None
    for job in recent_jobs(store, target, kind="rehearse", limit=200):
        result = job.result or {}
        if job.active or result.get("content_hash") != release.content_hash or not job.finished:
            continue
        finished = job.finished.isoformat()
        if newest is None:
            newest = {**result, "finished": finished, "job_id": job.id}
        elif result.get("predicted") and _same_plan(newest, result):
            return _with_prediction(newest, result, finished)
        if newest.get("predicted") or not newest.get("plan_hash"):
            return newest
    return newest


def _same_plan(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.get("plan_hash") == other.get("plan_hash")


def _with_prediction(newest: dict[str, Any], earlier: Mapping[str, Any], finished: str) -> dict[str, Any]:
    """The newest rehearsal with the times that an earlier one of the same plan, and so of the same statements, told."""
    known = {(one["file"], one["line"], one["sql"]): one for one in earlier.get("statements") or ()}

    def predicted(one: dict[str, Any]) -> dict[str, Any]:
        told = known.get((one["file"], one["line"], one["sql"]), {})
        return {**one, **{key: told.get(key) for key in ("predicted_ms", "stall_ms")}}

    statements = [predicted(one) for one in newest.get("statements") or ()]
    return {**newest, "statements": statements, "predicted": earlier["predicted"], "predicted_at": finished}


def look(
    context: JobContext,
    ids: Sequence[str],
    rehearsal: Mapping[str, Any] | None = None,
    *,
    step_id: str | None = None,
    within_s: float | None = None,
) -> list[Evidence]:
    """Run checks for this job and keep their evidence, under the job's run and step where it has them.

    step_id: another step than the job's. within_s: as run_checks; None: its default, and for a choice of checks as
    long as the longest of them may take.
    """
    app = load_app(context.target.app)
    now = context.clock()
    surroundings = check_context(
        context.store, context.target, app, now, run_id=context.job.run_id, rehearsal=rehearsal
    )
    catalogue = catalogue_of(app)
    if within_s is None:
        within_s = WITHIN_S if len(ids) == len(catalogue) else max([WITHIN_S, *_longest(catalogue[one] for one in ids)])
    evidence = run_checks(catalogue, ids, surroundings, now, context.emit, within_s=within_s)
    record_evidence(context.store, evidence, run_id=context.job.run_id, step_id=step_id or context.job.step_id)
    return evidence


def _longest(specs: Iterable[CheckSpec]) -> list[float]:
    return [spec.deadline_s + CLEAN_UP_S for spec in specs]


def prove(context: JobContext, rehearsal: Mapping[str, Any] | None = None) -> list[Evidence]:
    """After an action: look at the effects that its step names, so that the step stands on them."""
    if context.job.run_id is None or context.job.step_id is None:
        return []
    release = pinned_release(context.store, get_run(context.store, context.job.run_id).content_hash)
    checks = release.step(context.job.step_id).checks
    return look(context, checks, rehearsal) if checks else []


def look_again(context: JobContext, action: str) -> None:
    """Look at the effects of this run's steps of that action once more: what was seen there may be gone now."""
    if context.job.run_id is None:
        return
    release = pinned_release(context.store, get_run(context.store, context.job.run_id).content_hash)
    for step in release.steps:
        if step.action == action and step.checks:
            look(context, step.checks, step_id=step.id)


def summary_of(evidence: Iterable[Evidence]) -> tuple[Verdict, str]:
    """The verdict of several and the sentence of the one that decided it."""
    taken = list(evidence)
    verdict = worst(item.verdict for item in taken)
    deciding = [item for item in taken if item.verdict is verdict]
    if verdict is Verdict.PASS:
        return verdict, taken[0].summary if len(taken) == 1 else f"All {len(taken)} checks passed."
    more = f" (and {len(deciding) - 1} more)" if len(deciding) > 1 else ""
    return verdict, (deciding[0].summary + more) if deciding else "Nothing was checked."


def check(context: JobContext) -> Outcome:
    """Run the named checks; the job passes only where each of them does."""
    evidence = look(context, list(context.job.payload["checks"]))
    verdict, summary = summary_of(evidence)
    document = {
        "verdict": verdict.value,
        "checks": [item.to_json() for item in evidence],
        "not_used": catalogue_of(load_app(context.target.app)).told_not_used(),
    }
    return Outcome(STATE_OF[verdict], summary, document)


def score(context: JobContext) -> Outcome:
    """The production test: the whole catalogue, read as the app's features."""
    app = load_app(context.target.app)
    now = context.clock()
    surroundings = check_context(context.store, context.target, app, now, run_id=context.job.run_id)
    result = run_score(app, surroundings, now, context.emit)
    record_evidence(context.store, result.evidence)
    prove(context)
    if result.percent > app.thresholds.score_percent:
        state = JobState.PASSED
    elif any(feature.verdict is Verdict.FAIL for feature in result.features):
        state = JobState.FAILED
    else:
        state = JobState.UNKNOWN
    return Outcome(state, result.sentence, result.to_json())


def diagnose(context: JobContext) -> Outcome:
    """Look at everything, then rank the causes that the evidence speaks for."""
    app = load_app(context.target.app)
    catalogue = catalogue_of(app)
    evidence = {item.check_id: item for item in look(context, catalogue.ids, within_s=SCORE_WITHIN_S)}
    costs = {spec.id: spec.cost.calls + spec.cost.cents for spec in catalogue}
    found = rank_causes(evidence, causes_of(app), costs)
    if found.state is State.HEALTHY:
        return Outcome(JobState.PASSED, "Healthy: every symptom was looked for and none was seen.", found.to_json())
    if found.state is State.UNKNOWN:
        looked = f"{len(found.ruled_out)} causes are ruled out"
        return Outcome(JobState.UNKNOWN, f"No known cause fits what was seen; {looked}.", found.to_json())
    first = found.causes[0]
    return Outcome(JobState.FAILED, f"{first.cause.title} ({first.confidence.value}).", found.to_json())
