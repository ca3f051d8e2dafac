"""Knows how a rehearsal, as its job's document tells it, becomes the plan of a script that somebody else runs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from services.database.by_hand.editor_script import Plan, PlannedStatement
from services.database.by_hand.queries import asked
from services.database.by_hand.seen import BY_HAND
from services.database.by_hand.settings import refuse_settings
from services.database.by_hand.uncopied import uncopied
from services.database.deployment.parts import known_apart
from services.database.deployment.stalls import refuse_stalls
from services.database.fingerprint import Fingerprint
from services.database.history.migrations import Listing
from services.database.script import Script, Statement, read_scripts
from services.database.verification import Query
from services.errors import Refused

EDITOR_ROLE = "postgres"
"""As whom Supabase's SQL Editor runs: taken only where the rehearsal does not say as whom it ran."""


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
    role: str | None = None,
    accept_loss: bool = False,
    accept_stall_ms: float | None = None,
    listings: Sequence[Listing] = (),
) -> Plan:
    """The plan of what was rehearsed.

    rehearsal: the document of `rehearse --json`; before, after: the target's catalog and the shadow's after the change.
    role: as whom it will be run; None: as whom it was rehearsed. accept_stall_ms: how long writers may be kept waiting.
    Raises Refused unless the rehearsal passed and was of these scripts; where rows would be lost or changed of which
    the script keeps no copy; where writers would wait for too long; and for what an editor's files cannot carry.
    """
    if rehearsal.get("verdict") != "pass" or before is None or after is None:
        raise Refused(
            f"The rehearsal of {release_id} on {target} did not pass.",
            "No script was written.",
            f"`rehearse {release_id}` shows why.",
        )
    statements = read_scripts(scripts).statements
    _refuse_others(rehearsal, statements, release_id)
    if not accept_loss:
        _refuse_loss(rehearsal, statements, before, release_id)
    refuse_stalls(statements, rehearsal["statements"], accept_stall_ms)
    plan = Plan(
        release_id,
        target,
        plan_hash,
        f"{BY_HAND}{uuid.uuid4()}",
        str(uuid.uuid4()),
        actor,
        role or (rehearsal.get("shadow") or {}).get("runs_as") or EDITOR_ROLE,
        before,
        expected_after(before, after),
        _planned(rehearsal, statements),
        queries,
        listings,
        *_way_back(rehearsal),
    )
    refuse_settings(plan.parts)
    for query in queries:
        asked(query)
    return plan


def _refuse_others(rehearsal: Mapping[str, Any], statements: Sequence[Statement], release_id: str) -> None:
    """What is to be written must be what was rehearsed, to the letter. An approval is bound to more: see `plans`."""
    told = [(one["file"], one["line"], one["sql"]) for one in rehearsal["statements"]]
    if told == [(one.file, one.line, one.sql) for one in statements]:
        return
    raise Refused(
        f"What {release_id} would run now is not what was rehearsed.",
        "No script was written.",
        f"Rehearse it again (`rehearse {release_id}`), then ask again.",
    )


def _refuse_loss(
    rehearsal: Mapping[str, Any], statements: Sequence[Statement], before: Fingerprint, release_id: str
) -> None:
    losses = sorted({str(one["object"]) for one in rehearsal.get("dangers", ()) if one.get("class") == "loss"})
    changed = [one for one in uncopied(statements, rehearsal["statements"], before) if one not in losses]
    does = [f"destroys what stands in {', '.join(losses)}"] if losses else []
    does += [f"changes rows or columns of {', '.join(changed)}"] if changed else []
    if does:
        raise Refused(
            f"{release_id} {' and '.join(does)}.",
            "No script was written: it would keep no proved copy of these rows, which our own deploy does.",
            "Deploy it from here, or take a backup and ask again, accepting the loss (--accept-loss).",
        )


def _planned(rehearsal: Mapping[str, Any], statements: Sequence[Statement]) -> list[PlannedStatement]:
    apart = _apart(rehearsal, statements)
    planned = [
        PlannedStatement(
            one,
            float(ran.get("ms") or 0),
            ran.get("locks") or {},
            place in apart,
            _at_most(ran),
        )
        for place, (one, ran) in enumerate(zip(statements, rehearsal["statements"], strict=True))
    ]
    order = rehearsal.get("order")
    return [planned[index] for index in order] if order else planned


def _at_most(ran: Mapping[str, Any]) -> float | None:
    predicted = ran.get("predicted_ms")
    return None if predicted is None else float(predicted["high"])


def _apart(rehearsal: Mapping[str, Any], statements: Sequence[Statement]) -> set[int]:
    """The places of statements outside transactions. The rehearsal tells their lines, on which others may stand."""
    known = known_apart(statements)
    found = set(known)
    for file, line in rehearsal.get("apart") or ():
        there = {place for place, one in enumerate(statements) if (one.file, one.line) == (str(file), int(line))}
        if there & known:
            continue
        if len(there) > 1:
            raise Refused(
                "One of the statements that end on this line cannot run in a transaction, and which is not known.",
                "No script was written.",
                "Write each on a line of its own and rehearse again.",
                place=f"{file}:{line}",
            )
        found |= there
    return found


def _way_back(rehearsal: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, str]:
    """The way back for the receipt, and a sentence on it. A release with rollback scripts has none derived."""
    inverse = rehearsal.get("inverse")
    rows = "rows that it changes or deletes do not come back, since it keeps no copy of them"
    if inverse is None:
        return None, f"Way back: the release's own rollback scripts; {rows}."
    if not inverse.get("sql") or inverse.get("rehearsed") == "fail":
        return None, "Way back: none could be derived and proved, so only a backup takes this back; take one first."
    kept = {key: inverse.get(key) or [] for key in ("not_restored", "rows")}
    return {"sql": inverse["sql"], **kept}, f"Way back: `rollback`, by what its receipt keeps; {rows}."


def expected_after(before: Fingerprint, after: Fingerprint) -> Fingerprint:
    """What the target's catalog must be afterwards: the shadow's, but for versions of extensions, which differ."""
    own = {key: value for key, value in before.facts.items() if key.startswith("extension ") and key in after.facts}
    return Fingerprint.of({**after.facts, **own})
