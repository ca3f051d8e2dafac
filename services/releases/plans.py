"""Knows what a deploy is bound to: whether what it would run on a target now is the plan that was rehearsed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.database.fingerprint import Fingerprint
from services.errors import Refused
from services.releases.bundle import Release
from services.releases.pending import Pending


def plan_hash_of(wanted: Pending, catalog: str | None, order: Sequence[int] | None) -> str | None:
    """The SHA-256 (hex) of what is to run, on the catalog with this digest, in this order. None without a catalog."""
    from services.database.rehearsal.result import plan_hash

    return plan_hash(wanted.scripts, Fingerprint(catalog, {}) if catalog else None, order)


def refuse_another_plan(rehearsal: Mapping[str, Any], release: Release, wanted: Pending) -> None:
    """Raise Refused unless what would run now is to the byte what was rehearsed.

    The catalog alone does not tell: which migrations a target has had are rows. Once this has passed nothing else can
    run, whatever becomes of the list meanwhile: the scripts are those in `wanted`, and a version that somebody lists
    before our COMMIT stops the deploy when it lists its own.
    rehearsal: the document of `rehearse --json`; wanted: read from the target now.
    """
    catalog = rehearsal.get("target_fingerprint")
    now = plan_hash_of(wanted, str(catalog) if catalog else None, rehearsal.get("order"))
    if now is not None and now == rehearsal.get("plan_hash"):
        return
    raise Refused(
        _what_changed(rehearsal, release, wanted),
        "Nothing was changed: what would run now was neither rehearsed nor approved.",
        "Rehearse again.",
    ).because("another-plan")


def _what_changed(rehearsal: Mapping[str, Any], release: Release, wanted: Pending) -> str:
    then = {str(one.get("file")) for one in rehearsal.get("statements") or ()}
    now = {script.file for script in wanted.scripts}
    if not release.migrations or then == now:
        return f"The plan of {release.id} is another than the one that was rehearsed."
    said = [f"{', '.join(sorted(now - then))} would run as well"] if now - then else []
    said += [f"{', '.join(sorted(then - now))} would not run any more"] if then - now else []
    return f"The target's list of applied migrations has changed since the rehearsal: {' and '.join(said)}."
