"""A release on a target: through jobs, with the rights, the store and the records of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboard import composition
from dashboard.cli import told, told_rehearsal
from dashboard.cli.answer import Answer, tell
from dashboard.cli.following import carry_out, require_way
from dashboard.cli.person import person
from dashboard.cli.targets import target_of, target_to_change
from services.access.permissions import Permission
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.errors import Refused, Unavailable
from services.jobs.checking import last_rehearsal
from services.jobs.kinds import KINDS
from services.jobs.queue import Job, JobState
from services.releases.actions import deploy_phrase, require_phrase, rollback_phrase, undo_phrase
from services.releases.bundle import Release, load_release
from services.settings import Level, Target
from services.verdict import Verdict


def release_for(reference: str, target: Target) -> Release:
    """The release, its steps checked against what the target's app and we can do."""
    app = load_app(target.app)
    return load_release(
        reference, root=app.folder / "releases", known_checks=catalogue_of(app).ids, known_actions=tuple(KINDS)
    )


def _same_for_others(reference: str, release: Release, target: Target) -> str:
    """The reference as another process understands it too: the app's own release by id, any other by its full path."""
    if release.folder is not None and release.folder.parent == load_app(target.app).folder / "releases":
        return release.folder.name
    return str(Path(reference).resolve())


def rehearse(reference: str, named: str | None, rows: str | None, *, predict: bool = False) -> Answer:
    target = target_of(named)
    release = release_for(reference, target)
    wanted = {**({"rows": rows} if rows else {}), **({"predict": True} if predict else {})}
    return told_rehearsal.rehearsal(dict(ended_job("rehearse", target, release, reference, wanted).result or {}))


def deploy(reference: str, named: str | None, phrase: str | None, accept_stall_ms: float | None = None) -> Answer:
    """Deploy; a content that has not passed a rehearsal on this target is rehearsed first."""
    target = target_to_change(named)
    release = release_for(reference, target)
    require_phrase(phrase, deploy_phrase(release.id, target.name))
    actor = person(target)
    actor.require(Permission.DEPLOY, target.name)
    target.require(Level.DEPLOY)
    require_way(composition.store(), "deploy", target)
    require_rehearsal(reference, target, release)
    accepted = {"accept_stall_ms": accept_stall_ms} if accept_stall_ms is not None else {}
    return told.deployment(ended_job("deploy", target, release, reference, accepted).result or {})


def require_rehearsal(reference: str, target: Target, release: Release) -> None:
    """Rehearse what has not passed a rehearsal in this content here. Raises Refused where it does not pass."""
    before = last_rehearsal(composition.store(), target.name, release)
    if before is not None and before["verdict"] == Verdict.PASS.value:
        return
    tell(f"{release.id} has not passed a rehearsal on {target.name} in this content: rehearsing it first.")
    result = ended_job("rehearse", target, release, reference, {}).result or {}
    if result["verdict"] != Verdict.PASS.value:
        raise Refused(
            f"The rehearsal did not pass: {result['summary']}",
            "Nothing was changed.",
            f"`rehearse {reference}` shows all of it.",
        )


def verify(reference: str, named: str | None) -> Answer:
    target = target_of(named)
    release = release_for(reference, target)
    return told.verification(ended_job("verify", target, release, reference, {}).result or {})


def rollback(reference: str, named: str | None, phrase: str | None, keep_days: int | None = None) -> Answer:
    """Roll back, or only say what would go (phrase None). A release without scripts goes back by those derived."""
    target = target_to_change(named) if phrase is not None else target_of(named)
    release = release_for(reference, target)
    if phrase is None:
        from services.database.rollback.roll_back import preview_of
        from services.jobs.releasing import reading_url, rows_policy

        target.require(Level.OBSERVE)
        rows = rows_policy(target)
        seen = preview_of(reading_url(target), release.id, release.rollback, on_a_copy=True, rows=rows)
        return told.previewed(seen)
    require_phrase(phrase, rollback_phrase(release.id, target.name))
    kept = {"keep_days": keep_days} if keep_days is not None else {}
    return told.rolled_back(ended_job("rollback", target, release, reference, kept).result or {})


def restore(snapshot: str, named: str | None, *, undo: bool = False, phrase: str | None = None) -> Answer:
    """Put back what the snapshot keeps; undo, with its phrase: also remove what the change had made."""
    target = target_to_change(named)
    if undo:
        require_phrase(phrase, undo_phrase(snapshot, target.name))
    ended = carry_out("restore", target, {"snapshot_id": snapshot, **({"undo": True} if undo else {})})
    return told.restored(_with_result(ended).result or {})


def ended_job(kind: str, target: Target, release: Release, reference: str, more: Mapping[str, Any]) -> Job:
    """The job when it has ended with a result to tell. Raises Refused or Unavailable where it ended without one."""
    return _with_result(carry_out(kind, target, {"release": _same_for_others(reference, release, target), **more}))


def _with_result(ended: Job) -> Job:
    result = ended.result or {}
    if ended.state in (JobState.CANCELLED, JobState.INTERRUPTED):
        kind_of_end = Unavailable if ended.state is JobState.INTERRUPTED else Refused
        raise kind_of_end(
            f"'{ended.title}' was {ended.state.value}: {result.get('summary', 'its worker is gone')}",
            "Its events are on /history.",
            "Ask again when you want it done.",
        )
    return ended
