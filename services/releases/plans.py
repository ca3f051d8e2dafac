"""Knows what a deploy is bound to: whether what it would run on a target now is the plan that was rehearsed there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from services.database.fingerprint import Fingerprint
from services.database.script import Script
from services.errors import Refused
from services.releases.bundle import Release
from services.releases.pending import Pending

if TYPE_CHECKING:
    from services.database.rehearsal.result import Rehearsal


def plan_hash_of(
    release: Release, scripts: Sequence[Script], catalog: str | None, order: Sequence[int] | None
) -> str | None:
    """The SHA-256 (hex) that a person approves: of what is to run, on the catalog with this digest, in this order, and
    of the release's whole content. None without a catalog.

    The content stands in it because a yes is for the verification and the way back too, which do not run as scripts.
    """
    from services.database.rehearsal.result import plan_hash

    runs = plan_hash(scripts, Fingerprint(catalog, {}) if catalog else None, order)
    return hashlib.sha256(f"{runs} {release.content_hash}".encode()).hexdigest() if runs else None


def rehearsal_document(release: Release, wanted: Pending, result: Rehearsal) -> dict[str, Any]:
    """What is kept, and printed, of a rehearsal of `wanted`: its result, and what it was a rehearsal of.

    Its plan_hash is that of the release on this target, which the approval and the deploy are bound to.
    """
    catalog = result.before.digest if result.before else None
    return {
        "content_hash": release.content_hash,
        "target_fingerprint": catalog,
        "history": [one.to_json() for one in wanted.divergence],
        **result.to_json(),
        "plan_hash": plan_hash_of(release, wanted.scripts, catalog, result.order),
    }


def refuse_another_plan(rehearsal: Mapping[str, Any], release: Release, wanted: Pending) -> None:
    """Raise Refused unless what would run now is to the byte what was rehearsed.

    The catalog alone does not tell: which migrations a target has had are rows. Once this has passed nothing else can
    run, whatever becomes of the list meanwhile: the scripts are those in `wanted`, and a version that somebody lists
    before our COMMIT stops the deploy when it lists its own.
    rehearsal: the document of `rehearse --json`; wanted: read from the target now.
    """
    catalog = rehearsal.get("target_fingerprint")
    now = plan_hash_of(release, wanted.scripts, str(catalog) if catalog else None, rehearsal.get("order"))
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
        return f"The plan hash of {release.id} is another than that of its rehearsal."
    said = [f"{', '.join(sorted(now - then))} would run as well"] if now - then else []
    said += [f"{', '.join(sorted(then - now))} would not run any more"] if then - now else []
    return f"The target's list of applied migrations has changed since the rehearsal: {' and '.join(said)}."
