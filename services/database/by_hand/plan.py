"""Knows how a rehearsal, as its job's document tells it, becomes the plan of a script that somebody else runs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from services.database.by_hand.editor_script import Plan, PlannedStatement
from services.database.fingerprint import Fingerprint
from services.database.history.migrations import Listing
from services.database.names import identifier
from services.database.script import Script, read_scripts
from services.database.verification import Query
from services.errors import Refused

EDITOR_ROLE = "postgres"
"""As whom Supabase's SQL Editor runs."""


def plan_of(
    rehearsal: Mapping[str, Any],
    before: Fingerprint | None,
    after: Fingerprint | None,
    scripts: Sequence[Script],
    queries: Sequence[Query],
    *,
    release_id: str,
    target: str,
    plan_hash: str,
    actor: str,
    role: str = EDITOR_ROLE,
    accept_loss: bool = False,
    listings: Sequence[Listing] = (),
) -> Plan:
    """The plan of what was rehearsed.

    rehearsal: the document of `rehearse --json`; before, after: the target's catalog and the shadow's after the change.
    Raises Refused unless the rehearsal passed, and where rows would be lost that the script cannot keep a copy of.
    """
    if rehearsal.get("verdict") != "pass" or before is None or after is None:
        raise Refused(
            f"The rehearsal of {release_id} on {target} did not pass.",
            "No script was written.",
            f"`rehearse {release_id}` shows why.",
        )
    losses = sorted({str(one["object"]) for one in rehearsal.get("dangers", ()) if one.get("class") == "loss"})
    if losses and not accept_loss:
        raise Refused(
            f"{release_id} destroys what stands in {', '.join(losses)}.",
            "No script was written: it would keep no proved copy of these rows, which our own deploy does.",
            "Deploy it from here, or take a backup and ask again, accepting the loss (--accept-loss).",
        )
    return Plan(
        release_id,
        target,
        plan_hash,
        f"by-hand {uuid.uuid4()}",
        str(uuid.uuid4()),
        actor,
        role,
        before,
        expected_after(before, after),
        _planned(rehearsal, scripts),
        queries,
        listings,
    )


def _planned(rehearsal: Mapping[str, Any], scripts: Sequence[Script]) -> list[PlannedStatement]:
    apart = {(str(file), int(line)) for file, line in rehearsal.get("apart") or ()}
    statements = read_scripts(scripts).statements
    planned = [
        PlannedStatement(one, float(ran.get("ms") or 0), _tables(ran.get("locks") or {}), (one.file, one.line) in apart)
        for one, ran in zip(statements, rehearsal["statements"], strict=True)
    ]
    order = rehearsal.get("order")
    return [planned[index] for index in order] if order else planned


def expected_after(before: Fingerprint, after: Fingerprint) -> Fingerprint:
    """What the target's catalog must be afterwards: the shadow's, but for versions of extensions, which differ."""
    own = {key: value for key, value in before.facts.items() if key.startswith("extension ") and key in after.facts}
    return Fingerprint.of({**after.facts, **own})


def _tables(locks: Mapping[str, str]) -> dict[str, str]:
    """The locks by names as SQL writes them."""
    return {identifier(*name.split(".", 1)): mode for name, mode in locks.items()}
