"""Knows how to write a deploy as SQL that a person runs in an editor: guarded, verified and receipted like our own."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.database.change_lock import LOCK_KEY
from services.database.deployment.receipts import SCHEMA_SQL
from services.database.fingerprint import CATALOG_QUERY, Fingerprint
from services.database.history.migrations import Listing
from services.database.script import Statement
from services.database.verification import Query

EDITOR_S = 60
"""How long Supabase's SQL Editor waits for an answer, in seconds."""

_LOCK_TRIES = 40
_BLOCKING = {
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}
_TEXTS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A statement as it was rehearsed. locks: mode by relation that was there before; ms: how long it took there."""

    statement: Statement
    ms: float = 0.0
    locks: Mapping[str, str] = field(default_factory=dict)
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What was rehearsed, and for whom the script is written.

    before, after: the target's catalog, and what it must be afterwards. job_id names the deploy in its receipt.
    role: the one the editor runs as.
    """

    release_id: str
    target: str
    plan_hash: str
    job_id: str
    receipt_id: str
    actor: str
    role: str
    before: Fingerprint
    after: Fingerprint
    statements: Sequence[PlannedStatement]
    queries: Sequence[Query] = ()
    listings: Sequence[Listing] = ()
    """How the change is listed where the target keeps a list of its migrations."""


@dataclass(frozen=True, slots=True)
class EditorScript:
    """One file to run. `took_ms`: how long its statements took in the rehearsal; `alone`: outside any transaction."""

    name: str
    sql: str
    took_ms: float
    alone: bool = False


def editor_scripts(plan: Plan, now: datetime) -> tuple[EditorScript, ...]:
    """The files in the order in which they are run; one, unless statements cannot run in a transaction.

    Every transaction stops unless it meets the catalog it expects; the last verifies and writes the receipt.
    """
    groups = _groups(plan.statements)
    last = len(groups)
    return tuple(
        _alone(plan, group[0], number, last) if group and group[0].apart else _together(plan, group, number, last, now)
        for number, group in enumerate(groups, start=1)
    )


def _groups(statements: Sequence[PlannedStatement]) -> list[list[PlannedStatement]]:
    """Runs of statements that share a transaction, and each that has to stand alone; a transaction comes last."""
    groups: list[list[PlannedStatement]] = []
    for one in statements:
        if one.apart or not groups or groups[-1][0].apart:
            groups.append([])
        groups[-1].append(one)
    if not groups or groups[-1][0].apart:
        groups.append([])
    return groups


def _alone(plan: Plan, one: PlannedStatement, number: int, of: int) -> EditorScript:
    where = f"{one.statement.file}:{one.statement.line}"
    head = (
        f"-- {plan.release_id} on {plan.target}, file {number} of {of}: {where}.\n"
        "-- The server refuses this statement inside a transaction: run this file by itself.\n"
        "-- If it fails halfway, it may leave an invalid index: drop that index, then run this file again.\n"
    )
    return EditorScript(_name(plan, number, of), f"{head}{one.statement.sql}\n;\n", one.ms, alone=True)


def _together(plan: Plan, group: Sequence[PlannedStatement], number: int, of: int, now: datetime) -> EditorScript:
    took = sum(one.ms for one in group)
    first, final = number == 1, number == of
    parts = [_head(plan, took, number, of, now), _text("begin.sql", role=_literal(plan.role), lock=str(LOCK_KEY))]
    parts.append(_text("fingerprint.sql", query=CATALOG_QUERY))
    if first:
        parts.append(_text("catalog.sql", expected=_literal(plan.before.digest)))
    for one in group:
        parts += _locks(one)
        parts.append(f"-- {one.statement.file}:{one.statement.line}\n{one.statement.sql}\n;\n")
    parts.append(_text("settle.sql"))
    if final:
        parts += [_verification(query) for query in plan.queries]
        parts.append(_receipt(plan))
    parts.append(_text("end.sql", told=_literal(_told(plan, number, of))))
    return EditorScript(_name(plan, number, of), "\n".join(parts), took)


def _head(plan: Plan, took_ms: float, number: int, of: int, now: datetime) -> str:
    files = "" if of == 1 else f", file {number} of {of}; run them in this order"
    slow = took_ms > EDITOR_S * 1000 / 2
    limit = (
        f"-- On the copy its statements took {took_ms / 1000:.1f} s. The SQL Editor gives up after about {EDITOR_S} s"
        + (": use psql on a direct connection instead.\n" if slow else ".\n")
    )
    return (
        f"-- {plan.release_id} on {plan.target}{files}.\n"
        f"-- Written {now:%Y-%m-%d %H:%M} UTC from rehearsed content {plan.plan_hash[:16]}, to be run as {plan.role}.\n"
        "-- Run the whole file at once. It changes all or nothing: if anything stops it, nothing was changed.\n" + limit
    )


def _locks(one: PlannedStatement) -> list[str]:
    """Take each strong lock with short waits and pauses, so that nobody queues behind a statement that waits."""
    wanted = [(relation, _BLOCKING[mode]) for relation, mode in sorted(one.locks.items()) if mode in _BLOCKING]
    if not wanted:
        return []
    takes = "\n    ".join(f"LOCK TABLE {relation} IN {mode} MODE;" for relation, mode in wanted)
    return [_text("locks.sql", takes=takes, tries=str(_LOCK_TRIES))]


def _verification(query: Query) -> str:
    """The query as each role that its comment names, where there is such a role; else as the one that runs it."""
    tag = _tag(query.sql)
    given = {"query": f"${tag}${query.sql}\n${tag}$", "outer": f"{tag}_do"}
    if not query.roles:
        return _text("verification.sql", id=_literal(query.id), there="true", role="NULL", **given)
    return "\n".join(
        _text(
            "verification.sql", id=_literal(f"{query.id} as {role}"), there=_there(role), role=_literal(role), **given
        )
        for role in query.roles
    )


def _there(role: str) -> str:
    return f"EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {_literal(role)})"


def _receipt(plan: Plan) -> str:
    return _text(
        "receipt.sql",
        schema=SCHEMA_SQL,
        listings="\n".join(_listing(plan, one) for one in plan.listings),
        expected=_literal(plan.after.digest),
        id=_literal(plan.receipt_id),
        job=_literal(plan.job_id),
        release=_literal(plan.release_id),
        plan=_literal(plan.plan_hash),
        actor=_literal(plan.actor),
        statements=str(len(plan.statements)),
        before=_literal(plan.before.digest),
        facts_before=_bytes(plan.before),
        facts_after=_bytes(plan.after),
    )


def _listing(plan: Plan, one: Listing) -> str:
    statements = ", ".join(_literal(text) for text in one.statements)
    return _text(
        "listing.sql",
        version=_literal(one.version),
        name=_literal(one.name),
        statements=f"ARRAY[{statements}]::text[]",
        receipt=_literal(plan.receipt_id),
        tag=_tag(" ".join((one.name, *one.statements))),
    )


def _told(plan: Plan, number: int, of: int) -> str:
    if number < of:
        return f"File {number} of {of} is done; go on with the next."
    return f"{plan.release_id} is deployed and verified; its receipt is {plan.receipt_id}."


def _name(plan: Plan, number: int, of: int) -> str:
    stem = re.sub(r"[^a-z0-9_-]+", "-", plan.release_id.lower()).strip("-") or "release"
    return f"{stem}.sql" if of == 1 else f"{stem}-{number:02}-of-{of:02}.sql"


def _text(name: str, /, **values: str) -> str:
    """A text of this folder with its `{{places}}` filled; what is filled in is never searched for further places."""
    raw = (_TEXTS / name).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], raw)


def _tag(text: str) -> str:
    """A dollar-quote tag that the text does not contain."""
    number = 0
    while f"$ops{number}" in text:
        number += 1
    return f"ops{number}"


def _literal(text: str) -> str:
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{quoted}'"


def _bytes(fingerprint: Fingerprint) -> str:
    return f"pg_catalog.decode('{base64.b64encode(fingerprint.packed()).decode()}', 'base64')"
