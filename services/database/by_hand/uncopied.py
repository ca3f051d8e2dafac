"""Knows of which tables our own deploy would keep a copy, and a script does not: what it changes there is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.database.deployment.parts import node_of
from services.database.fingerprint import Fingerprint
from services.database.parser import enum_name
from services.database.script import Statement
from services.database.snapshots.foretold import Names, changed_tables, dropped_columns, rewrites_only

_HIDE_WRITES = ("do_stmt", "call_stmt", "select_stmt", "execute_stmt")


def uncopied(
    statements: Sequence[Statement], rehearsed: Sequence[Mapping[str, Any]], before: Fingerprint
) -> tuple[str, ...]:
    """The tables ("schema.table") that were there before and whose rows or columns are changed, by text or by effect.

    rehearsed: the rehearsal's statements, as its document holds them, in the scripts' own order. Where a statement
    writes by ways that do not show (a function, a trigger), the lock with which it wrote counts.
    """
    found: set[str] = set()
    locked: dict[str, str] = {}
    for statement, told in zip(statements, rehearsed, strict=True):
        locks: Mapping[str, str] = told.get("locks") or {}
        locked.update(locks)  # a lock that is held already is not told again
        named = [*changed_tables(statement), *(table for table, _ in dropped_columns(statement))]
        found |= _there(named, locked)
        if not rewrites_only(statement):
            found |= {table for table in told.get("rewrites") or () if table in locked}
        hidden = statement.kind in _HIDE_WRITES and told.get("rows_written")
        found |= _written(statement, locked if hidden else locks)
    return tuple(sorted(found - _no_tables(before)))


def _no_tables(before: Fingerprint) -> set[str]:
    """Views, and what else holds no rows of its own."""
    start = "relation "
    return {
        key.removeprefix(start).replace('"', "")
        for key, value in before.facts.items()
        if key.startswith(start) and value[:2] not in ("r ", "p ")
    }


def _written(statement: Statement, locks: Mapping[str, str]) -> set[str]:
    written = {table for table, mode in locks.items() if mode == "RowExclusiveLock"}
    node = node_of(statement)
    if statement.kind != "insert_stmt" or node is None or _updates(node):
        return written
    # A plain INSERT takes nothing from the table that it names; what else it writes to is written by a trigger.
    target = (node.relation.schemaname, node.relation.relname) if node.relation.schemaname else (node.relation.relname,)
    return written - _there([target], locks)


def _updates(node: Any) -> bool:
    return enum_name(node.on_conflict_clause, "action") == "ONCONFLICT_UPDATE"


def _there(named: Iterable[Names], locks: Mapping[str, str]) -> set[str]:
    """The tables behind names as written; a name without schema is whichever the statement locked."""
    wanted = [".".join(names) for names in named]
    return {table for table in locks for name in wanted if table == name or table.endswith(f".{name}")}
