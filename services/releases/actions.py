"""What a person can set going in a run: check a step, act on it, back the app out, roll the database back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.access.permissions import Actor
from services.errors import NotUnderstood, Refused
from services.jobs.kinds import job_kind
from services.jobs.queue import Job, enqueue, recent_jobs
from services.releases.gate import waiting_for
from services.releases.ledger import enter_phase, require_open, require_step, run_view
from services.releases.run import RunView, StepView
from services.settings import Target
from services.store.database import Store


def deploy_phrase(release_id: str, target: str) -> str:
    return f"deploy {release_id} to {target}"


def rollback_phrase(release_id: str, target: str) -> str:
    return f"rollback {release_id} on {target}"


def purge_phrase(target: str) -> str:
    return f"purge what is kept on {target}"


def undo_phrase(snapshot_id: str, target: str) -> str:
    """What must be typed before a snapshot's whole change is taken back."""
    return f"undo {snapshot_id} on {target}"


def require_phrase(given: str | None, wanted: str) -> None:
    """Raise NotUnderstood unless the phrase was typed exactly: nearly right is not a confirmation."""
    if given != wanted:
        what = "No confirmation was typed." if not given else "The typed confirmation is not the phrase asked for."
        raise NotUnderstood(what, "Nothing was changed.", f"Type exactly: {wanted}", place="confirm")


def check_step(
    store: Store, *, actor: Actor, target: Target, run_id: str, step_id: str, seen: int, now: datetime
) -> Job:
    """Queue the checks of a step. seen: how many jobs of this step the screen showed, so that two clicks are one."""
    view = run_view(store, run_id, now)
    step = _workable(view, step_id, target)
    if not step.step.checks:
        raise Refused(f"'{step.step.title}' has no check.", "Nothing was run.", "It is settled by a sign-off.")
    payload = {"checks": list(step.step.checks)}
    return _queue(store, actor, target, view, step, "check", payload, seen, now)


def act(
    store: Store,
    *,
    actor: Actor,
    target: Target,
    run_id: str,
    step_id: str,
    seen: int,
    now: datetime,
    phrase: str | None = None,
    accept_stall_ms: float | None = None,
    predict: bool = False,
) -> Job:
    """Queue the action of a step. phrase: what was typed, for actions that change the database.

    accept_stall_ms: for a deploy, how long a statement may keep writers waiting, in milliseconds.
    predict: for a rehearsal, whether times on the target's real size are reckoned too.

    Raises Refused while the step's phase is closed or a step that it needs is not settled.
    """
    view = run_view(store, run_id, now)
    step = _workable(view, step_id, target)
    action = step.step.action
    if action is None:
        raise Refused(f"'{step.step.title}' has no action.", "Nothing was done.", "Run its checks or sign it off.")
    needed = waiting_for(view, step)
    if needed:
        named = ", ".join(f"{other.id} ({other.state.value})" for other in needed)
        raise Refused(
            f"'{step.step.title}' needs other steps first: {named}.",
            "Nothing was done.",
            "Settle them, then try again.",
        )
    if action == "deploy":
        require_phrase(phrase, deploy_phrase(view.release.id, target.name))
    wanted: dict[str, Any] = {} if accept_stall_ms is None else {"accept_stall_ms": accept_stall_ms}
    if predict and action == "rehearse":
        wanted["predict"] = True
    return _queue(store, actor, target, view, step, action, {**step.step.params, **wanted}, seen, now)


def purge_kept(store: Store, *, actor: Actor, target: Target, seen: int, phrase: str, now: datetime) -> Job:
    """Queue dropping for good what was kept long enough. seen: how many such jobs the screen showed."""
    require_phrase(phrase, purge_phrase(target.name))
    return enqueue(
        store,
        actor=actor,
        kind="purge_kept",
        target=target,
        payload={},
        idempotency_key=f"{target.name}/purge_kept/{seen + 1}",
        now=now,
    )


def undo_change(
    store: Store, *, actor: Actor, target: Target, snapshot_id: str, seen: int, phrase: str, now: datetime
) -> Job:
    """Queue taking back the whole change of a snapshot: also what it had made goes. seen: how many restores the screen
    showed."""
    require_phrase(phrase, undo_phrase(snapshot_id, target.name))
    return enqueue(
        store,
        actor=actor,
        kind="restore",
        target=target,
        payload={"snapshot_id": snapshot_id, "undo": True},
        idempotency_key=f"{target.name}/undo/{snapshot_id}/{seen + 1}",
        now=now,
    )


def look_for_deploy(
    store: Store, *, actor: Actor, target: Target, run_id: str, step_id: str, seen: int, now: datetime
) -> Job:
    """Queue a look for the receipt of a deploy that was run by hand; the step passes when it is seen.

    Raises Refused while the step's phase is closed, and for a step that deploys nothing.
    """
    view = run_view(store, run_id, now)
    step = _workable(view, step_id, target)
    if step.step.action != "deploy":
        raise Refused(f"'{step.step.title}' deploys nothing.", "Nothing was looked for.", "Look at the deploy's step.")
    return _queue(store, actor, target, view, step, "find_deploy", {}, seen, now)


def _workable(view: RunView, step_id: str, target: Target) -> StepView:
    if view.run.target != target.name:
        raise Refused(
            f"This run belongs to {view.run.target}, not to {target.name}.", "Nothing was done.", "Open its own target."
        )
    require_step(view, step_id)
    require_open(view, step_id)
    return view.step(step_id)


def _queue(
    store: Store,
    actor: Actor,
    target: Target,
    view: RunView,
    step: StepView,
    kind: str,
    payload: Mapping[str, Any],
    seen: int,
    now: datetime,
) -> Job:
    actor.require(job_kind(kind).permission, target.name)
    enter_phase(store, actor=actor, view=view, phase_id=step.phase_id, now=now)
    return enqueue(
        store,
        actor=actor,
        kind=kind,
        target=target,
        payload=payload,
        idempotency_key=f"{view.run.id}/{step.id}/{kind}/{seen + 1}",
        now=now,
        run_id=view.run.id,
        step_id=step.id,
    )


def back_out_app(store: Store, *, actor: Actor, target: Target, run_id: str, seen: int, now: datetime) -> Job:
    """Queue the first half of a back-out: the app to the build pinned at GO, judged by its route inventory.

    seen: how many back-outs of this run the screen showed.
    """
    view = run_view(store, run_id, now)
    if view.pin is None:
        raise Refused(
            "This run has pinned no build: nothing was deployed in it.",
            "Nothing was done.",
            "There is nothing to undo.",
        )
    return _queue_for_run(store, actor, target, view, "back_out_app", {"pin": dict(view.pin)}, seen, now)


def roll_back(
    store: Store, *, actor: Actor, target: Target, run_id: str, seen: int, phrase: str | None, now: datetime
) -> Job:
    """Queue the rollback of the database; needs the typed phrase. seen: how many rollbacks the screen showed."""
    view = run_view(store, run_id, now)
    require_phrase(phrase, rollback_phrase(view.release.id, target.name))
    return _queue_for_run(store, actor, target, view, "rollback", {"release": view.release.id}, seen, now)


def _queue_for_run(
    store: Store,
    actor: Actor,
    target: Target,
    view: RunView,
    kind: str,
    payload: Mapping[str, Any],
    seen: int,
    now: datetime,
) -> Job:
    if view.run.target != target.name:
        raise Refused(f"This run belongs to {view.run.target}.", "Nothing was done.", "Open its own target.")
    return enqueue(
        store,
        actor=actor,
        kind=kind,
        target=target,
        payload=payload,
        idempotency_key=f"{view.run.id}/{kind}/{seen + 1}",
        now=now,
        run_id=view.run.id,
    )


def jobs_seen(store: Store, target: str, run_id: str, kind: str) -> int:
    """How many jobs of a kind a run has had: what a screen passes back as `seen`."""
    return len(recent_jobs(store, target, run_id=run_id, kind=kind, limit=1000))
