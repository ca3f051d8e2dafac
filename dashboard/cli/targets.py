"""Which target a command means, and that a change elsewhere than the sandbox names it."""

from __future__ import annotations

import os

from dashboard import composition
from dashboard.cli.person import SANDBOX
from services.errors import NotUnderstood
from services.settings import Target


def target_of(named: str | None) -> Target:
    """The target named, else that of OPS_TARGET, else the sandbox. Raises NotUnderstood for an unknown one."""
    return composition.settings().target(named)


def target_to_change(named: str | None, means: str = "Nothing was changed.") -> Target:
    """As `target_of`, for a command that changes something: any other than the sandbox must be spelled out."""
    default = os.environ.get("OPS_TARGET") or SANDBOX
    if named is None and default != SANDBOX:
        raise NotUnderstood(
            f"This changes {default}, which is the target only by OPS_TARGET.",
            means,
            f"Spell it out: --target {default}.",
            place="--target",
        )
    return target_of(named)
