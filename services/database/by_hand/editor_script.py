"""Knows how to write a deploy as SQL that a person runs in an editor: guarded, verified and receipted like our own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.database.by_hand.files import File, files_of
from services.database.by_hand.lone import Trace, trace_of
from services.database.by_hand.queries import asked
from services.database.by_hand.settings import replayed, settings_made, taken_back
from services.database.by_hand.texts import filled, one_line, packed, quoted
from services.database.change_lock import LOCK_KEY
from services.database.deployment.parts import Part, parts_of
from services.database.deployment.receipts import MARK, SCHEMA_SQL
from services.database.fingerprint import CATALOG_QUERY, Fingerprint
from services.database.history.migrations import Listing, bare
from services.database.names import literal
from services.database.script import Statement
from services.database.verification import Query

EDITOR_S = 60
"""How long Supabase's SQL Editor waits for an answer, in seconds."""

_PATIENCE_S = 55
"""How long one statement may take where the Editor waits for it: it must not be told of a time-out and commit later."""

_LONG_PATIENCE_S = 600
_LOCK_TRIES = 40
_COUNT = "\n    GET DIAGNOSTICS rows_of_one = ROW_COUNT;\n    found := found + rows_of_one;"
_BLOCKING = {
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A statement as it was rehearsed.

    locks: mode by "schema.relation" that was there before; ms: how long it took on the copy; at_most_ms: how long it
    will take on the target's real size at the most, None where that was not predicted.
    """

    statement: Statement
    ms: float = 0.0
    locks: Mapping[str, str] = field(default_factory=dict)
    apart: bool = False
    at_most_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What was rehearsed, and for whom the script is written.

    before, after: the target's catalog, and what it must be afterwards. job_id names the deploy in its receipt.
    role: the one the editor runs as. inverse: the way back as the rehearsal derived and tried it, for the receipt;
    None where there is none, `way_back` then says in a sentence how the release goes back.
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
    inverse: Mapping[str, Any] | None = None
    way_back: str = ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """What shares a transaction and what stands alone, as in a deploy of our own, which could go on with these."""
        apart = {place for place, one in enumerate(self.statements) if one.apart}
        return parts_of([one.statement for one in self.statements], apart)


@dataclass(frozen=True, slots=True)
class EditorScript:
    """One file to run. `alone`: outside any transaction. way_back: how the release goes back, a sentence.

    took_ms: how long its statements took in the rehearsal; at_most_ms: how long they will take on the target's real
    size, None where it is not known.
    """

    name: str
    sql: str
    took_ms: float
    alone: bool = False
    at_most_ms: float | None = None
    way_back: str = ""


def editor_scripts(plan: Plan, now: datetime) -> tuple[EditorScript, ...]:
    """The files in the order in which they are run; one, unless statements cannot run in a transaction.

    Then transactions stand before, between and after those: the first writes the receipt as one that is begun, each
    later one refuses to run unless all before it were and left the catalog as it is, and the last verifies and ends it.
    Raises Refused where a query cannot be asked from inside a script.
    """
    files = files_of(plan.parts)
    numbers = {one.part.seq: one.number for one in files if one.part is not None}
    order = "ARRAY[" + ", ".join(str(numbers[seq]) for seq in sorted(numbers)) + "]"
    return tuple(
        _alone(plan, one, one.part) if one.part is not None and one.part.apart else _together(plan, one, order, now)
        for one in files
    )


def _alone(plan: Plan, file: File, part: Part) -> EditorScript:
    (one,) = _planned(plan, part)
    trace = trace_of(one.statement)
    index = one.statement.kind in ("index_stmt", "reindex_stmt")
    broken = "it may leave an invalid index: drop that index, then run this file again" if index else "run it again"
    seen = "looks whether it was" if trace.seen else "cannot see whether it was: do not leave this one out"
    head = (
        f"-- {one_line(f'{plan.release_id} on {plan.target}')}, file {file.number} of {file.of}: {_where(one)}.\n"
        "-- The server refuses this statement inside a transaction, so nothing guards it: run this file by itself, as\n"
        f"-- {one_line(plan.role)}, after file {file.number - 1} and before file {file.number + 1}, which {seen}.\n"
        f"-- If it fails halfway, {broken}.\n"
        f"{_time(one.ms, one.at_most_ms)}"
    )
    name = _name(plan, file)
    return EditorScript(name, f"{head}{one.statement.sql}\n;\n", one.ms, True, one.at_most_ms, plan.way_back)


def _together(plan: Plan, file: File, order: str, now: datetime) -> EditorScript:
    group = _planned(plan, file.part)
    took, at_most = sum(one.ms for one in group), _sum(one.at_most_ms for one in group)
    first, final = file.number == 1, file.number == file.of
    limits = filled("limits.sql", patience=str(_LONG_PATIENCE_S if _is_long(at_most) else _PATIENCE_S))
    unchanged, receipt = literal(file.unchanged), literal(plan.receipt_id)
    before = _before(plan, file.part)
    parts = [
        _head(plan, file, took, at_most, now),
        filled(
            "begin.sql",
            limits=limits,
            role=literal(plan.role),
            lock=str(LOCK_KEY),
            unchanged=unchanged,
            mark=literal(MARK),
        ),
        filled("fingerprint.sql", query=CATALOG_QUERY),
        filled("first.sql", receipt=receipt, files=order, expected=literal(plan.before.digest)) if first else "",
        _after_lone(plan, file, file.left, order) if file.left is not None else "",
        *(f"{one.sql}\n;\n" for one in replayed(before) if group),
        limits if before and group else "",
        *_statements(group, limits, unchanged),
        filled("settle.sql", limits=limits),
    ]
    if final:
        parts += [_verification(query, unchanged) for query in plan.queries]
        parts.append(filled("changed.sql", expected=literal(plan.after.digest), unchanged=unchanged))
    if first:
        parts += [filled("schema.sql", schema=SCHEMA_SQL), _receipt(plan)]
    if file.of > 1 and file.part is not None:
        parts.append(filled("step.sql", receipt=receipt, step=str(file.part.seq), digest=literal(file.part.digest)))
    if file.coming is not None:
        parts.append(_before_lone(plan, file.coming))
    if final:
        parts += [_done(plan), *(_listing(plan, one, unchanged) for one in plan.listings)]
    mine = [*before, *(one.statement for one in group)] if group else []
    parts.append(_end(plan, file, taken_back(mine)))
    sql = "\n".join(part for part in parts if part)
    return EditorScript(_name(plan, file), sql, took, False, at_most, plan.way_back)


def _head(plan: Plan, file: File, took_ms: float, at_most_ms: float | None, now: datetime) -> str:
    several = "" if file.of == 1 else f", file {file.number} of {file.of}; run them in this order"
    all_or_nothing = "It changes all or nothing: if anything stops it, " + (
        file.unchanged if file.number == 1 else "this file has changed nothing"
    )
    lines = [
        f"{plan.release_id} on {plan.target}{several}.",
        f"Written {now:%Y-%m-%d %H:%M} UTC from rehearsed content {plan.plan_hash[:16]}, to be run as {plan.role}.",
        f"Run the whole file at once. {all_or_nothing}.",
    ]
    if file.of > 1:
        lines += [
            "What the files before it did stays in. Each stops unless those before it were run. Where one was stopped,",
            "put right what stopped it and run it again, or deploy from the release cockpit, which goes on there.",
        ]
    if plan.way_back:
        lines.append(plan.way_back)
    lines.append("With psql: psql -v ON_ERROR_STOP=1 -f FILE")
    return "".join(f"-- {one_line(line)}\n" for line in lines) + _time(took_ms, at_most_ms)


def _time(took_ms: float, at_most_ms: float | None) -> str:
    return f"-- {time_sentence(took_ms, at_most_ms)}\n"


def whole_time(files: Sequence[EditorScript]) -> str:
    """How long all of them will take, in words."""
    return time_sentence(sum(one.took_ms for one in files), at_most_of(files))


def at_most_of(files: Sequence[EditorScript]) -> float | None:
    """How many milliseconds all of them will take at the most, None where that is not known."""
    return _sum(one.at_most_ms for one in files)


def time_sentence(took_ms: float, at_most_ms: float | None) -> str:
    """How long statements will take, as predicted, or that it is not known; and how long an editor waits."""
    waits = f"The SQL Editor gives up after about {EDITOR_S} s"
    beside = "verification and our checks come on top"
    if at_most_ms is None:
        return (
            f"How long its statements will take is not known: on the copy, which may lack rows, it was "
            f"{took_ms / 1000:.1f} s; a rehearsal that predicts (--predict) tells. {waits}."
        )
    instead = ": use psql on a direct connection instead" if _is_long(at_most_ms) else ""
    return f"Its statements will take up to {max(100.0, at_most_ms) / 1000:.1f} s; {beside}. {waits}{instead}."


def _is_long(at_most_ms: float | None) -> bool:
    """Whether an editor may give up before it ends, with what comes on top."""
    return at_most_ms is not None and at_most_ms >= EDITOR_S * 1000 / 2


def _statements(group: Sequence[PlannedStatement], limits: str, unchanged: str) -> Iterator[str]:
    for one in group:
        yield _locks(one, unchanged)
        yield f"-- {_where(one)}\n{one.statement.sql}\n;\n"
        # A script's own SET lock_timeout = 0 would let writers queue behind it for ever.
        if any(made.name is None or made.name.endswith("_timeout") for made in settings_made(one.statement)):
            yield limits


def _locks(one: PlannedStatement, unchanged: str) -> str:
    """Take each strong lock with short waits and pauses, so that nobody queues behind a statement that waits."""
    wanted = [(relation, _BLOCKING[mode]) for relation, mode in sorted(one.locks.items()) if mode in _BLOCKING]
    if not wanted:
        return ""
    rows = ", ".join(f"({literal(relation)}, {literal(mode)})" for relation, mode in wanted)
    return filled("locks.sql", wanted=rows, tries=str(_LOCK_TRIES), unchanged=unchanged)


def _after_lone(plan: Plan, file: File, left: Part, order: str) -> str:
    (one,) = _planned(plan, left)
    trace = trace_of(one.statement)
    return filled(
        "later.sql",
        receipt=literal(plan.receipt_id),
        number=str(file.number),
        of=str(file.of),
        before=str(file.number - 1),
        files=order,
        step=str(left.seq),
        mark=_mark(trace),
        seen=trace.seen or "true",
        what=literal(_where(one)),
        may_change=trace.may_change,
    )


def _before_lone(plan: Plan, coming: Part) -> str:
    (one,) = _planned(plan, coming)
    trace = trace_of(one.statement)
    return filled(
        "next.sql",
        receipt=literal(plan.receipt_id),
        step=str(coming.seq),
        digest=literal(coming.digest),
        file=literal(one.statement.file),
        line=str(one.statement.line),
        table=trace.table or "NULL",
        mark=_mark(trace),
    )


def _mark(trace: Trace) -> str:
    return f"({trace.mark})::text" if trace.mark else "NULL::text"


def _verification(query: Query, unchanged: str) -> str:
    """The query as each role that its comment names, where there is such a role; else as the one that runs it."""
    statements = "\n".join(
        f"    EXECUTE {quoted(one.sql)};" + (_COUNT if one.gives_rows else "") for one in asked(query)
    )
    given = {"statements": statements, "unchanged": unchanged}
    if not query.roles:
        return filled("verification.sql", id=literal(query.id), there="true", role="NULL", **given)
    return "\n".join(
        filled("verification.sql", id=literal(f"{query.id} as {role}"), there=_there(role), role=literal(role), **given)
        for role in query.roles
    )


def _there(role: str) -> str:
    return f"EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal(role)})"


def _receipt(plan: Plan) -> str:
    return filled(
        "receipt.sql",
        receipt=literal(plan.receipt_id),
        job=literal(plan.job_id),
        release=literal(plan.release_id),
        plan=literal(plan.plan_hash),
        actor=literal(plan.actor),
        statements=str(len(plan.parts[0].statements)),
        before=literal(plan.before.digest),
        facts_before=packed(plan.before),
        after=literal(plan.after.digest),
        facts_after=packed(plan.after),
        inverse="NULL"
        if plan.inverse is None
        else f"{literal(json.dumps(dict(plan.inverse), ensure_ascii=False))}::jsonb",
    )


def _done(plan: Plan) -> str:
    return filled("done.sql", receipt=literal(plan.receipt_id), statements=str(len(plan.statements)))


def _listing(plan: Plan, one: Listing, unchanged: str) -> str:
    statements = ", ".join(literal(bare(text)) for text in one.statements)
    return filled(
        "listing.sql",
        version=literal(one.version),
        name=literal(one.name),
        statements=f"ARRAY[{statements}]::text[]",
        ours="true" if one.ours else "false",
        receipt=literal(plan.receipt_id),
        unchanged=unchanged,
    )


def _end(plan: Plan, file: File, resets: Sequence[str]) -> str:
    receipt = literal(plan.receipt_id)
    if file.number == file.of:
        told = f"{plan.release_id} is deployed and verified; its receipt is {plan.receipt_id}."
        is_in = f"SELECT EXISTS (SELECT FROM ops.deploy_receipts WHERE id = {receipt} AND state = 'done')"
    else:
        told = f"File {file.number} of {file.of} is done; go on with the next."
        step = file.part.seq if file.part is not None else file.left.seq if file.left is not None else 0
        is_in = (
            f"SELECT EXISTS (SELECT FROM ops.deploy_steps WHERE receipt_id = {receipt} AND seq = {step}"
            " AND done_at IS NOT NULL)"
        )
    return filled(
        "end.sql",
        resets="".join(f"{reset}\n" for reset in resets),
        unchanged=literal(file.unchanged),
        is_in=literal(is_in),
        told=literal(told),
        not_told=literal(f"{plan.release_id} is NOT deployed: {file.unchanged}. The first error above says why."),
    )


def _planned(plan: Plan, part: Part | None) -> list[PlannedStatement]:
    """The part's statements as they were planned."""
    if part is None:
        return []
    places = {id(one) for one in part.statements}
    return [one for one in plan.statements if id(one.statement) in places]


def _before(plan: Plan, part: Part | None) -> list[Statement]:
    """All statements of the parts before this one."""
    return [one for each in plan.parts if part is not None and each.seq < part.seq for one in each.statements]


def _sum(times: Iterator[float | None]) -> float | None:
    known = list(times)
    return None if any(one is None for one in known) else sum(one for one in known if one is not None)


def _where(one: PlannedStatement) -> str:
    return one_line(f"{one.statement.file}:{one.statement.line}")


def _name(plan: Plan, file: File) -> str:
    stem = re.sub(r"[^a-z0-9_-]+", "-", plan.release_id.lower()).strip("-") or "release"
    return f"{stem}.sql" if file.of == 1 else f"{stem}-{file.number:02}-of-{file.of:02}.sql"
