"""The kinds of job: the name of each, who may ask for it, which level it needs, whether it changes the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.access.permissions import Permission
from services.errors import NotUnderstood
from services.settings import Level


@dataclass(frozen=True, slots=True)
class JobKind:
    """exclusive: changes the target, so that only one such job may be active there at a time.
    repeats: safe to run again from its start after a worker died in the middle of it
    as_owner: below the level deploy, and sees more as the owner: done so while the target is armed"""

    id: str
    title: str
    permission: Permission
    level: Level
    exclusive: bool
    repeats: bool
    as_owner: bool = False


KINDS: Mapping[str, JobKind] = {
    kind.id: kind
    for kind in (
        JobKind("check", "Run checks", Permission.RUN_CHECKS, Level.LOOK, exclusive=False, repeats=True, as_owner=True),
        JobKind("score", "Production test", Permission.RUN_CHECKS, Level.LOOK, exclusive=False, repeats=True),
        JobKind("diagnose", "Diagnose", Permission.RUN_CHECKS, Level.LOOK, exclusive=False, repeats=True),
        JobKind(
            "rehearse",
            "Rehearse the deploy",
            Permission.REHEARSE,
            Level.OBSERVE,
            exclusive=False,
            repeats=True,
            as_owner=True,
        ),
        JobKind(
            "verify",
            "Run verification",
            Permission.RUN_CHECKS,
            Level.OBSERVE,
            exclusive=False,
            repeats=True,
            as_owner=True,
        ),
        JobKind("backup", "Take a backup", Permission.BACK_UP, Level.DEPLOY, exclusive=False, repeats=True),
        JobKind("deploy", "Deploy the schema", Permission.DEPLOY, Level.DEPLOY, exclusive=True, repeats=False),
        JobKind(
            "find_deploy",
            "Look for a deploy run by hand",
            Permission.DEPLOY,
            Level.OBSERVE,
            exclusive=False,
            repeats=True,
        ),
        JobKind("restart", "Restart the app", Permission.RESTART, Level.PLATFORM, exclusive=True, repeats=False),
        JobKind(
            "redeploy_app",
            "Redeploy the pushed build",
            Permission.RESTART,
            Level.PLATFORM,
            exclusive=True,
            repeats=False,
        ),
        JobKind(
            "back_out_app",
            "Bring the app back to the pinned build",
            Permission.ROLL_BACK,
            Level.PLATFORM,
            exclusive=True,
            repeats=False,
        ),
        JobKind("rollback", "Roll back the schema", Permission.ROLL_BACK, Level.DEPLOY, exclusive=True, repeats=False),
        JobKind("restore", "Restore a snapshot", Permission.ROLL_BACK, Level.DEPLOY, exclusive=True, repeats=False),
        JobKind(
            "purge_kept",
            "Drop for good what was kept long enough",
            Permission.ROLL_BACK,
            Level.DEPLOY,
            exclusive=True,
            repeats=True,
        ),
        JobKind("prove_level", "Prove a level", Permission.CONNECT, Level.LOOK, exclusive=False, repeats=True),
        JobKind("break_fault", "Break something", Permission.BREAK, Level.PLATFORM, exclusive=True, repeats=True),
        JobKind("repair_fault", "Repair", Permission.BREAK, Level.PLATFORM, exclusive=True, repeats=True),
    )
}


def job_kind(kind: str) -> JobKind:
    try:
        return KINDS[kind]
    except KeyError:
        raise NotUnderstood(
            f"There is no kind of job called '{kind}'.", "Nothing was queued.", f"Known kinds: {', '.join(KINDS)}."
        ) from None
