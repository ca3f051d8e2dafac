"""The gate between phases: may we go on, and if not, the shortest list of what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass

from services.releases.run import RunView, StepState, StepView

_ACTION: dict[StepState, str] = {
    StepState.TODO: "Do it.",
    StepState.RUNNING: "Wait for it to end.",
    StepState.FAILED: "Mend what it found, then run it again.",
    StepState.UNKNOWN: "Find out: run it again when the other side answers.",
    StepState.EXPIRED: "Run it again: what was seen is too old.",
    StepState.CONTRADICTED: "Its check fails now: mend it or withdraw the sign-off.",
}


@dataclass(frozen=True, slots=True)
class Blocker:
    """One step that keeps a phase closed: why, and what to do about it."""

    step_id: str
    title: str
    state: StepState
    why: str
    do: str


def blockers(view: RunView, phase_id: str) -> tuple[Blocker, ...]:
    """What keeps `phase_id` closed; empty: it is open.

    Every required step of each earlier phase must have passed or be waived. A phase that has been crossed is not
    asked again: its evidence was fresh at the crossing, and it may age. A step that only waits for another
    blocker is left out, so that the list names causes and not their consequences.
    """
    found: dict[str, StepView] = {}
    for phase in view.phases:
        if phase.id == phase_id:
            break
        if phase.crossed:
            continue
        found.update({step.id: step for step in phase.steps if step.step.required and not step.settled})
    roots = [
        step
        for step in found.values()
        if step.state is not StepState.TODO or not any(need in found for need in step.step.needs)
    ]
    return tuple(Blocker(step.id, step.step.title, step.state, step.because, _ACTION[step.state]) for step in roots)


def is_open(view: RunView, phase_id: str) -> bool:
    return not blockers(view, phase_id)


def waiting_for(view: RunView, step: StepView) -> tuple[StepView, ...]:
    """The steps that `step` declares it needs and that are not settled."""
    return tuple(other for other in view.steps if other.id in step.step.needs and not other.settled)


def current_phase(view: RunView) -> str:
    """The first phase with a required step that is not settled, crossed phases left out; the last one when all are."""
    for phase in view.phases:
        if not phase.crossed and any(step.step.required and not step.settled for step in phase.steps):
            return phase.id
    return view.phases[-1].id


def next_step(view: RunView) -> StepView | None:
    """What comes next: the first step of the current phase that is not settled; None when the run is done."""
    current = current_phase(view)
    for step in next(phase for phase in view.phases if phase.id == current).steps:
        if not step.settled and step.state is not StepState.RUNNING and not waiting_for(view, step):
            return step
    return None
