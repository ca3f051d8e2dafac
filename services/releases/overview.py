"""Where a release stands, in numbers that say how they were made: risk, blockers, time left, what comes next."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.jobs.queue import Job
from services.releases.gate import Blocker, blockers, current_phase, next_step
from services.releases.run import PhaseView, RunView, StepState, StepView

RELEASE_PHASES = ("before", "during", "after")


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Explained:
    """A value together with the formula that made it and the figures that went in."""

    value: Any
    formula: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Next:
    """The one sentence and the one button: what comes next, on which step."""

    sentence: str
    button: str | None
    step_id: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    phase_id: str
    risk: Explained
    minutes_left: Explained
    blockers: tuple[Blocker, ...]
    next: Next
    settled: int
    of: int


def overview(view: RunView, jobs: Sequence[Job] = ()) -> Overview:
    """The overview of a run. jobs: finished jobs on this target, from which durations are measured."""
    current = current_phase(view)
    following = _phase_after(view, current)
    required = [step for step in view.steps if step.step.required]
    return Overview(
        phase_id=current,
        risk=risk(view),
        minutes_left=minutes_left(view, jobs),
        blockers=blockers(view, following) if following else (),
        next=what_next(view),
        settled=sum(step.settled for step in required),
        of=len(required),
    )


def _phase_after(view: RunView, phase_id: str) -> str | None:
    order = [phase.id for phase in view.phases]
    position = order.index(phase_id) + 1
    return order[position] if position < len(order) else None


def risk(view: RunView) -> Explained:
    """High: a required step of the release phases not yet crossed has failed or is contradicted.
    Medium: one is unknown or has expired, or nothing has been rehearsed. Low: none of these."""
    at_stake = [step for phase in _release_phases(view) if not phase.crossed for step in phase.steps]
    counts = {state: sum(step.state is state and step.step.required for step in at_stake) for state in StepState}
    wrong = counts[StepState.FAILED] + counts[StepState.CONTRADICTED]
    open_questions = counts[StepState.UNKNOWN] + counts[StepState.EXPIRED]
    rehearsals = [step for step in view.steps if step.step.action == "rehearse"]
    unrehearsed = any(not step.settled for step in rehearsals) and any(step in at_stake for step in rehearsals)
    level = Risk.HIGH if wrong else Risk.MEDIUM if open_questions or unrehearsed else Risk.LOW
    return Explained(
        level,
        "high if a required step failed or is contradicted; medium if one is unknown or expired, or the change has not "
        "been rehearsed; else low (phases that are crossed no longer count)",
        {"failed or contradicted": wrong, "unknown or expired": open_questions, "rehearsed": not unrehearsed},
    )


def minutes_left(view: RunView, jobs: Sequence[Job]) -> Explained:
    """Minutes until the release phases are done: the median of what such a step has taken here, else its share of
    the release's own expectation."""
    steps = [step for phase in _release_phases(view) for step in phase.steps if step.step.required]
    todo = [step for step in steps if not step.settled]
    share = (view.release.expected_minutes or 0) / len(steps) if steps else 0.0
    measured = _median_minutes(jobs)
    total = sum(measured.get(_kind_of(step), share) for step in todo)
    return Explained(
        round(total, 1),
        "sum over the required steps left before, during and after: the median time such a job took here, else the "
        "release's expected minutes divided by its steps",
        {
            "steps left": len(todo),
            "expected minutes a step": round(share, 2),
            "measured minutes": {kind: round(minutes, 2) for kind, minutes in measured.items()},
        },
    )


def _release_phases(view: RunView) -> list[PhaseView]:
    return [phase for phase in view.phases if phase.id in RELEASE_PHASES]


def _kind_of(step: StepView) -> str:
    return step.step.action or ("check" if step.step.checks else "sign-off")


def _median_minutes(jobs: Sequence[Job]) -> dict[str, float]:
    taken: dict[str, list[float]] = {}
    for job in jobs:
        if job.started and job.finished:
            taken.setdefault(job.kind, []).append((job.finished - job.started).total_seconds() / 60)
    return {kind: statistics.median(minutes) for kind, minutes in taken.items()}


_BUTTON: Mapping[str, str] = {
    "backup": "Take a backup",
    "rehearse": "Rehearse the deploy",
    "deploy": "Go to the deploy",
    "verify": "Run the verification",
    "redeploy_app": "Redeploy the app",
    "score": "Run the production test",
    "check": "Run its checks",
    "sign-off": "Go to the sign-off",
}


def what_next(view: RunView) -> Next:
    """What a release manager does now."""
    running = next((step for step in view.steps if step.state is StepState.RUNNING), None)
    if running is not None:
        return Next(f"Wait: {running.step.title} is running.", None, running.id)
    step = next_step(view)
    if step is None:
        return Next("Every step is settled: the release is done.", None, None)
    told: Mapping[StepState, str] = {
        StepState.FAILED: f"{step.step.title} failed: {step.because}",
        StepState.UNKNOWN: f"{step.step.title} is not known: {step.because}",
        StepState.EXPIRED: f"{step.step.title} has to be looked at again: what was seen is too old.",
        StepState.CONTRADICTED: f"{step.step.title} was signed off, but its check fails now.",
    }
    return Next(told.get(step.state, f"Next: {step.step.title}."), _BUTTON[_kind_of(step)], step.id)
