"""The way forward: the checklist's release phases, step by step, through the same functions that the screen calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dashboard.drill.stage import Stage
from services.access.permissions import Actor
from services.errors import OpsError
from services.jobs.handlers import make_worker
from services.jobs.queue import Job, job
from services.releases.actions import act, check_step, deploy_phrase
from services.releases.ledger import run_view, sign_off
from services.releases.overview import RELEASE_PHASES
from services.releases.run import StepView

Tell = Callable[[str], None]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Course:
    """One drill's run: who acts, the worker that carries jobs out in this process, and how long each step took."""

    stage: Stage
    actor: Actor
    run_id: str
    tell: Tell
    took_ms: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def finish(self, queued: Job) -> Job:
        """Carry out everything that is queued, and return this job as it ended."""
        worker = make_worker(self.stage.store, lambda: self.stage.settings, watch=False)
        while worker.step():
            pass
        return job(self.stage.store, queued.id)

    def walk(self) -> list[str]:
        """Go through the steps of before, during and after; stops at the first that does not pass, and says why."""
        for phase in run_view(self.stage.store, self.run_id, utc_now()).release.phases:
            if phase.id not in RELEASE_PHASES:
                continue
            for step in phase.steps:
                began = time.monotonic()
                try:
                    self._take(step.id)
                except OpsError as error:
                    self.errors[step.id] = str(error)
                self.took_ms[step.id] = (time.monotonic() - began) * 1000
                seen = self._view(step.id)
                self.tell(f"  {seen.state.value:12} {step.id:9} {self.errors.get(step.id) or seen.because}")
                if step.required and not seen.settled:
                    return [f"{step.id} is {seen.state.value}: {self.errors.get(step.id) or seen.because}"]
        return []

    def _take(self, step_id: str) -> None:
        """Do what a person would: act where there is an action, else check, then sign where a signature is wanted."""
        seen = self._view(step_id)
        store, actor, target, run_id = self.stage.store, self.actor, self.stage.target, self.run_id
        if seen.step.action is not None:
            phrase = deploy_phrase(self._release_id(), target.name) if seen.step.action == "deploy" else None
            self.finish(
                act(
                    store,
                    actor=actor,
                    target=target,
                    run_id=run_id,
                    step_id=step_id,
                    seen=seen.jobs,
                    phrase=phrase,
                    now=utc_now(),
                )
            )
        elif seen.step.checks:
            self.finish(
                check_step(
                    store,
                    actor=actor,
                    target=target,
                    run_id=run_id,
                    step_id=step_id,
                    seen=seen.jobs,
                    now=utc_now(),
                )
            )
        if seen.step.signoff:
            sign_off(
                store,
                actor=actor,
                run_id=run_id,
                step_id=step_id,
                note="Drilled.",
                seen=seen.decisions,
                now=utc_now(),
            )

    def _view(self, step_id: str) -> StepView:
        return run_view(self.stage.store, self.run_id, utc_now()).step(step_id)

    def _release_id(self) -> str:
        return run_view(self.stage.store, self.run_id, utc_now()).release.id

    def steps(self) -> list[Mapping[str, Any]]:
        """Every step of the checklist as the drill left it; those of later phases are todo."""
        view = run_view(self.stage.store, self.run_id, utc_now())
        return [
            {
                "id": step.id,
                "phase": step.phase_id,
                "state": step.state.value,
                "summary": self.errors.get(step.id) or step.because,
                "took_ms": round(self.took_ms.get(step.id, 0.0), 1),
            }
            for step in view.steps
        ]

    def result_of(self, action: str) -> Mapping[str, Any]:
        """What the last job of the step with this action came to; empty where it never ran."""
        for step in run_view(self.stage.store, self.run_id, utc_now()).steps:
            if step.step.action == action and step.job is not None:
                return step.job.result or {}
        return {}

    def deployed(self) -> bool:
        """Whether the database was changed in this run."""
        return bool(self.result_of("deploy").get("applied"))
