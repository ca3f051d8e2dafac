"""Knows what a second run of the same scripts would refuse or change again, and how to write it so that it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import psycopg

from services.database.connect import connect
from services.database.execution import Cancelled
from services.database.failure_classes import Failure
from services.database.fingerprint import Fingerprint, catalog_fingerprint, difference, row_hash
from services.database.parser import enum_name, parse
from services.database.rehearsal.further_failures import with_suggestion
from services.database.rehearsal.guarded_form import guarded_forms
from services.database.rehearsal.result import NotIdempotent
from services.database.rehearsal.runs import Manner, Run, run, with_suggestions
from services.database.rehearsal.shadow import Shadow
from services.database.script import Control, Statement

_ROW_STATEMENTS = frozenset(("select_stmt", "insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"))
_MOST_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class SecondRun:
    """failure: the first of the second run. not_idempotent: all that it refused or changed again, in script order."""

    failure: Failure | None = None
    not_idempotent: tuple[NotIdempotent, ...] = ()


@dataclass(slots=True)
class _Again:
    """What one statement did in the second run."""

    kind: Literal["fails", "catalog", "rows"]
    detail: str
    sqlstate: str | None = None
    made: tuple[str, ...] = ()


@dataclass(slots=True)
class _Later:
    """What a third run saw statement by statement: catalog facts it changed, tables whose rows it changed."""

    catalog: dict[int, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[int, tuple[str, ...]] = field(default_factory=dict)


def second_run(
    copy: Shadow,
    name: str,
    statements: Sequence[Statement],
    apart: frozenset[int],
    after: Fingerprint,
    cancelled: Cancelled,
) -> SecondRun:
    """Run all once more on the clone `name`, which the first run changed. after: its catalog as it is now.

    Raises Stopped when cancelled.
    """
    url = copy.url_of(name)
    strict = run(url, statements, apart, cancelled=cancelled)
    failure, seen = strict.failure, strict
    if failure is not None:
        seen = run(url, statements, apart, Manner(goes_on=True, on_failure=with_suggestion), cancelled=cancelled)
        failure = with_suggestions(failure, seen)
    again = _what_changed(copy, name, statements, apart, after, seen, cancelled)
    if not again:
        return SecondRun(failure)
    guarded = prove_guarded(
        copy,
        statements,
        apart,
        {index: guarded_forms(statements[index].sql, one.sqlstate, one.made) for index, one in again.items()},
        after,
        cancelled,
    )
    found = tuple(
        NotIdempotent(
            statements[index].file,
            statements[index].line,
            one.kind,
            one.detail,
            guarded.get(index),
        )
        for index, one in sorted(again.items())
    )
    if failure is not None:
        at = next((index for index, same in seen.failures if index is not None and same.line == failure.line), None)
        if at in guarded:
            failure = replace(failure, suggestion=guarded[at])
    return SecondRun(failure, found)


def _what_changed(
    copy: Shadow,
    name: str,
    statements: Sequence[Statement],
    apart: frozenset[int],
    after: Fingerprint,
    seen: Run,
    cancelled: Cancelled,
) -> dict[int, _Again]:
    """By index: what the second run, whose measurements are in `seen`, refused or did again."""
    found = {index: _Again("fails", one.message, one.sqlstate) for index, one in seen.failures if index is not None}
    wrote = _written(statements, seen)
    with connect(copy.as_superuser(name)) as conn:
        catalog = bool(difference(after, catalog_fingerprint(conn)))
    doubtful = {table for tables in wrote.values() for table, added in tables.items() if not added}
    later = _Later()
    if catalog or doubtful:
        later = _third_run(copy.url_of(name), statements, apart, wrote, doubtful, catalog, cancelled)
    for index, tables in wrote.items():
        changed = [table for table in tables if table not in doubtful] + list(later.rows.get(index, ()))
        if changed and index not in found:
            found[index] = _Again("rows", f"It changes rows of {', '.join(sorted(changed))} again.")
    for index, facts in later.catalog.items():
        if index not in found:
            told = ", ".join(facts[:3])
            found[index] = _Again("catalog", f"It changes the catalog again: {told}.", made=facts)
    return found


def _written(statements: Sequence[Statement], seen: Run) -> dict[int, dict[str, bool]]:
    """By index, the tables that the second run wrote to: True where it can only have added rows.

    The server's counters keep what a subtransaction wrote that was undone: such writes are left out, or doubted.
    """
    only_added: dict[str, bool] = {}
    wrote: dict[int, dict[str, bool]] = {}
    places = {id(statement): index for index, statement in enumerate(statements)}
    undone = _undone(statements)
    for statement, done in seen.measured:
        for effect in done.effects:
            if places[id(statement)] not in undone and (effect.inserted or effect.updated or effect.deleted):
                wrote.setdefault(places[id(statement)], {})[effect.relation] = True
                only_added.setdefault(effect.relation, True)
                only_added[effect.relation] &= not (effect.updated or effect.deleted or _may_undo(statement))
    return {index: {table: only_added[table] for table in tables} for index, tables in wrote.items()}


def _undone(statements: Sequence[Statement]) -> set[int]:
    """The statements between a savepoint of the script's own and its return to that: nothing of them stays."""
    marks: list[tuple[str, int]] = []
    found: set[int] = set()
    for index, statement in enumerate(statements):
        parsed = parse(statement.sql) if statement.control is Control.SAVEPOINT else None
        if parsed is None:
            continue
        asked = parsed.stmts[0].stmt.transaction_stmt
        kind, name = enum_name(asked, "kind"), str(asked.savepoint_name)
        if kind == "TRANS_STMT_SAVEPOINT":
            marks.append((name, index))
            continue
        at = next((place for place in range(len(marks) - 1, -1, -1) if marks[place][0] == name), None)
        if at is None:
            continue
        if kind == "TRANS_STMT_ROLLBACK_TO":
            found.update(range(marks[at][1], index))
            del marks[at + 1 :]
        else:
            del marks[at:]
    return found


def _may_undo(statement: Statement) -> bool:
    """True for a block that handles errors: what it wrote before one is undone."""
    return statement.kind == "do_stmt" and "exception" in statement.sql.lower()


def _third_run(
    url: str,
    statements: Sequence[Statement],
    apart: frozenset[int],
    wrote: Mapping[int, Mapping[str, bool]],
    doubtful: set[str],
    catalog: bool,
    cancelled: Cancelled,
) -> _Later:
    """Once more, looking after each statement; a table counts as changed only if it is another at the end."""
    later, seen_rows = _Later(), dict[int, set[str]]()
    with connect(url) as conn:
        start = catalog_fingerprint(conn) if catalog else None
        rows = {table: _hash(conn, table) for table in doubtful}
    last, latest = start, dict(rows)

    def look(conn: psycopg.Connection[Any], index: int) -> None:
        nonlocal last
        for table in doubtful & set(wrote.get(index, ())):
            now = _hash(conn, table)
            if now is None or now != latest[table]:
                seen_rows.setdefault(index, set()).add(table)
            latest[table] = now
        if last is not None and statements[index].kind not in _ROW_STATEMENTS:
            catalog_now = catalog_fingerprint(conn)
            if changed := difference(last, catalog_now):
                later.catalog[index] = (*changed.added, *changed.changed, *changed.removed)
            last = catalog_now

    run(url, statements, apart, Manner(goes_on=True, measured=False, after_each=look), cancelled=cancelled)
    # What a later statement puts back, such as DROP and CREATE of one view, is no change.
    with connect(url) as conn:
        changed_tables = {table for table in doubtful if rows[table] is None or rows[table] != _hash(conn, table)}
        if start is not None:
            net = difference(start, catalog_fingerprint(conn))
            kept = {*net.added, *net.changed, *net.removed}
            facts = {index: tuple(one for one in made if one in kept) for index, made in later.catalog.items()}
            later.catalog = {index: made for index, made in facts.items() if made}
    later.rows = {index: tuple(sorted(tables & changed_tables)) for index, tables in seen_rows.items()}
    return later


def _hash(conn: psycopg.Connection[Any], table: str) -> Any:
    """The row hash of a table, None where the role may not read it."""
    schema, _, bare = table.partition(".")
    allowed = conn.execute(
        "SELECT pg_catalog.has_table_privilege(pg_catalog.format('%%I.%%I', %s::text, %s::text), 'SELECT')",
        (schema, bare),
    ).fetchone()
    return row_hash(conn, schema, bare) if allowed and allowed[0] else None


def prove_guarded(
    copy: Shadow,
    statements: Sequence[Statement],
    apart: frozenset[int],
    candidates: Mapping[int, Sequence[str]],
    after: Fingerprint | None,
    cancelled: Cancelled,
) -> dict[int, str]:
    """Of the candidates, for each index the first that ran twice without an error and without changing anything more.

    after: the catalog that the scripts as they are lead to; a guarded form must lead to the same. None: not compared.
    """
    chosen = {index: 0 for index, forms in candidates.items() if forms}
    for _ in range(_MOST_ROUNDS):
        if not chosen:
            return {}
        replaced = [
            replace(one, sql=candidates[index][chosen[index]]) if index in chosen else one
            for index, one in enumerate(statements)
        ]
        bad = _not_proved(copy, replaced, apart, frozenset(chosen), after, cancelled)
        if not bad:
            return {index: candidates[index][at] for index, at in chosen.items()}
        chosen = {
            index: at + (index in bad) for index, at in chosen.items() if at + (index in bad) < len(candidates[index])
        }
    return {}


def _not_proved(
    copy: Shadow,
    statements: Sequence[Statement],
    apart: frozenset[int],
    guarded: frozenset[int],
    after: Fingerprint | None,
    cancelled: Cancelled,
) -> set[int]:
    """Which of the guarded statements fail or change something when the whole is run twice on a clone of its own."""
    name = copy.clone()
    going_on = Manner(goes_on=True)
    first = run(copy.url_of(name), statements, apart, going_on, cancelled=cancelled)
    bad = {index for index, _ in first.failures if index in guarded}
    if bad or not guarded:
        return bad
    with connect(copy.as_superuser(name)) as conn:
        once = catalog_fingerprint(conn)
    if after is not None and once.digest != after.digest:
        return set(guarded)
    second = run(copy.url_of(name), statements, apart, going_on, cancelled=cancelled)
    bad = {index for index, _ in second.failures if index in guarded}
    wrote = _written(statements, second)
    bad |= {index for index, tables in wrote.items() if index in guarded and any(tables.values())}
    with connect(copy.as_superuser(name)) as conn:
        twice = catalog_fingerprint(conn)
    if twice.digest != once.digest and after is not None and not bad:
        bad |= guarded & _who_changed_again(copy, statements, apart, cancelled)
    return bad


def _who_changed_again(
    copy: Shadow, statements: Sequence[Statement], apart: frozenset[int], cancelled: Cancelled
) -> set[int]:
    """Run twice on a fresh clone; the indexes of statements that lastingly change the catalog the second time."""
    url = copy.url_of(copy.clone())
    run(url, statements, apart, Manner(goes_on=True, measured=False), cancelled=cancelled)
    return set(_third_run(url, statements, apart, {}, set(), True, cancelled).catalog)
