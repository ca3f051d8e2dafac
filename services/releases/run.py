"""A run of a release's checklist against a target: append-only events in, the state of every step out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.jobs.queue import Job, JobState
from services.releases.bundle import Phase, Release, Step
from services.verdict import Evidence, Freshness, Verdict, worst


class StepState(StrEnum):
    """Skipped or waived is never passed, and unknown is not either."""

    TODO = "todo"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    WAIVED = "waived"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    release_id: str
    content_hash: str
    target: str
    started_by: str
    started: datetime


@dataclass(frozen=True, slots=True)
class RunEvent:
    seq: int
    step_id: str | None
    kind: str
    decision: int | None
    actor: str
    at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepEvidence:
    """Evidence that was taken for one step of one run."""

    step_id: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class CheckView:
    """One check of a step: its newest evidence for this step, if any, and whether that still counts."""

    check_id: str
    evidence: Evidence | None
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class StepView:
    """What the screen shows of a step. because: the one sentence that explains the state."""

    step: Step
    phase_id: str
    state: StepState
    because: str
    checks: tuple[CheckView, ...]
    decision: RunEvent | None
    decisions: int
    job: Job | None
    jobs: int

    @property
    def id(self) -> str:
        return self.step.id

    @property
    def settled(self) -> bool:
        return self.state in (StepState.PASSED, StepState.WAIVED)

    @property
    def latest(self) -> datetime | None:
        """When the newest thing this state rests on was seen or decided."""
        times = [check.evidence.started for check in self.checks if check.evidence]
        if self.job and self.job.finished:
            times.append(self.job.finished)
        if self.decision:
            times.append(self.decision.at)
        return max(times, default=None)


@dataclass(frozen=True, slots=True)
class PhaseView:
    phase: Phase
    steps: tuple[StepView, ...]
    crossed: bool

    @property
    def id(self) -> str:
        return self.phase.id

    @property
    def settled(self) -> int:
        return sum(step.settled for step in self.steps)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as of `now`: a function of its release, its events, its evidence and its jobs alone."""

    run: Run
    release: Release
    phases: tuple[PhaseView, ...]
    events: tuple[RunEvent, ...]
    now: datetime
    pin: Mapping[str, Any] | None = field(default=None)

    @property
    def steps(self) -> tuple[StepView, ...]:
        return tuple(step for phase in self.phases for step in phase.steps)

    def step(self, step_id: str) -> StepView:
        return next(step for step in self.steps if step.id == step_id)

    def phase_of(self, step_id: str) -> PhaseView:
        return next(phase for phase in self.phases if any(step.id == step_id for step in phase.steps))


DECISIONS = frozenset({"signed", "waived", "withdrawn"})


def derive(
    run: Run,
    release: Release,
    events: Sequence[RunEvent],
    evidence: Iterable[StepEvidence],
    jobs: Sequence[Job],
    now: datetime,
) -> RunView:
    """Work out the state of every step.

    events:   the run's events, oldest first
    evidence: all evidence taken for this run's steps, oldest first
    jobs:     the run's jobs, newest first
    """
    newest: dict[tuple[str, str], Evidence] = {}
    for item in evidence:
        newest[item.step_id, item.evidence.check_id] = item.evidence
    entered = {str(event.payload["phase"]) for event in events if event.kind == "phase-entered"}
    order = [phase.id for phase in release.phases]
    furthest = max((order.index(phase) for phase in entered if phase in order), default=-1)
    phases = tuple(
        PhaseView(
            phase=phase,
            steps=tuple(_step_view(step, phase.id, newest, events, jobs, now) for step in phase.steps),
            crossed=index < furthest,
        )
        for index, phase in enumerate(release.phases)
    )
    pins = [event.payload for event in events if event.kind == "pinned"]
    return RunView(run, release, phases, tuple(events), now, pins[-1] if pins else None)


def _step_view(
    step: Step,
    phase_id: str,
    newest: Mapping[tuple[str, str], Evidence],
    events: Sequence[RunEvent],
    jobs: Sequence[Job],
    now: datetime,
) -> StepView:
    own_jobs = [job for job in jobs if job.step_id == step.id]
    decisions = [event for event in events if event.step_id == step.id and event.kind in DECISIONS]
    decision = decisions[-1] if decisions and decisions[-1].kind != "withdrawn" else None
    checks = tuple(_check_view(check_id, newest.get((step.id, check_id)), step, now) for check_id in step.checks)
    state, because = _state(step, checks, decision, own_jobs, now)
    return StepView(
        step,
        phase_id,
        state,
        because,
        checks,
        decision,
        len(decisions),
        own_jobs[0] if own_jobs else None,
        len(own_jobs),
    )


def _check_view(check_id: str, evidence: Evidence | None, step: Step, now: datetime) -> CheckView:
    if evidence is None:
        return CheckView(check_id, None, Freshness.NEVER)
    if step.expires_s is None:
        return CheckView(check_id, evidence, evidence.freshness(now))
    until = evidence.started + timedelta(seconds=step.expires_s)
    return CheckView(check_id, evidence, Freshness.FRESH if now < until else Freshness.EXPIRED)


def _state(
    step: Step, checks: tuple[CheckView, ...], decision: RunEvent | None, jobs: Sequence[Job], now: datetime
) -> tuple[StepState, str]:
    job = jobs[0] if jobs else None
    if job and job.active:
        return StepState.RUNNING, f"{job.title} is {job.state.value}."
    if step.action == "deploy":
        job = _of_deploy(jobs)
    signed = decision is not None and decision.kind == "signed"
    seen, because = _seen(step, checks, job, now, signed=signed)
    if decision and decision.kind == "waived" and seen is not StepState.PASSED:
        until = datetime.fromisoformat(decision.payload["until"])
        if now < until:
            owner = decision.payload["owner"]
            return StepState.WAIVED, f"Waived by {decision.actor} for {owner}: {decision.payload['reason']}"
        because = f"The waiver of {decision.actor} has ended. {because}"
    if decision and signed:
        if seen is StepState.FAILED:
            return StepState.CONTRADICTED, f"Signed off by {decision.actor}, but: {because}"
        if not step.checks and not step.action:
            return _signed(step, decision, now)
    return seen, because


def _signed(step: Step, decision: RunEvent, now: datetime) -> tuple[StepState, str]:
    if step.expires_s is not None and now >= decision.at + timedelta(seconds=step.expires_s):
        return StepState.EXPIRED, f"The sign-off of {decision.actor} is too old to count."
    note = decision.payload.get("note") or "no note"
    return StepState.PASSED, f"Signed off by {decision.actor}: {note}"


def _seen(
    step: Step, checks: tuple[CheckView, ...], job: Job | None, now: datetime, *, signed: bool
) -> tuple[StepState, str]:
    """The state by effects alone: what the step's action came to and what its checks saw."""
    if step.action:
        ended = _action_state(step, job, now, proved=bool(checks))
        if ended is not None:
            return ended
    taken = [check.evidence for check in checks if check.evidence]
    if not checks:
        return StepState.TODO, "Waits for someone's sign-off." if step.signoff else "Nothing has been done yet."
    if len(taken) < len(checks):
        missing = ", ".join(check.check_id for check in checks if check.evidence is None)
        failed = next((e for e in taken if e.verdict is Verdict.FAIL), None)
        if failed:
            return StepState.FAILED, failed.summary
        return StepState.TODO, f"Not checked yet: {missing}."
    verdict = worst(evidence.verdict for evidence in taken)
    if verdict is not Verdict.PASS:
        first = next(evidence for evidence in taken if evidence.verdict is verdict)
        state = StepState.FAILED if verdict is Verdict.FAIL else StepState.UNKNOWN
        return state, first.summary
    if any(check.freshness is Freshness.EXPIRED for check in checks):
        return StepState.EXPIRED, "It passed, but that was too long ago to count."
    if step.signoff and not signed:
        return StepState.TODO, f"{taken[0].summary} It waits for someone's sign-off."
    return StepState.PASSED, taken[-1].summary


_ENDED: Mapping[JobState, StepState] = {
    JobState.FAILED: StepState.FAILED,
    JobState.UNKNOWN: StepState.UNKNOWN,
    JobState.INTERRUPTED: StepState.UNKNOWN,
    JobState.CANCELLED: StepState.TODO,
}


def _of_deploy(jobs: Sequence[Job]) -> Job | None:
    """The job that a deploy step stands on. Checks alone are none: they see what is there, not that it was approved.

    Once a deploy is in, or one by hand was found to be as it has to be, checks tell what became of it.
    """
    deploys = [job for job in jobs if job.kind in ("deploy", "find_deploy")]
    newest = deploys[0] if deploys else None
    came_in = any((job.result or {}).get("applied") for job in deploys)
    refused = newest is not None and newest.kind == "find_deploy" and newest.state is JobState.FAILED
    return jobs[0] if came_in and not refused else newest


def _action_state(step: Step, job: Job | None, now: datetime, *, proved: bool) -> tuple[StepState, str] | None:
    """The state that an action's job forces by itself; None where the step's checks decide."""
    if job is None:
        return StepState.TODO, "Nothing has been done yet."
    summary = str((job.result or {}).get("summary", "")) or f"{job.title} has {job.state.value}."
    if job.state is not JobState.PASSED:
        return _ENDED[job.state], summary
    if proved:
        return None
    if step.expires_s is not None and job.finished and now >= job.finished + timedelta(seconds=step.expires_s):
        return StepState.EXPIRED, "It passed, but that was too long ago to count."
    return StepState.PASSED, summary
