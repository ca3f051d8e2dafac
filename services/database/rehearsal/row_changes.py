"""Knows whose values earlier statements of a script may have changed, so that the target's rows no longer tell them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from services.database.parser import enum_name, parse
from services.database.rehearsal.measure import Effect, StatementEffects
from services.database.script import Statement

WRITING = ("RowExclusiveLock",)
"""What INSERT, UPDATE, DELETE and MERGE take, also where there was no row to write."""

_CALLING = ("select_stmt", "call_stmt", "do_stmt", "execute_stmt")
_WITH_OTHER_VALUES = ("AT_AlterColumnType", "AT_AddColumn", "AT_SetExpression")


class Changed:
    """Tables ("schema.table") with the columns that were changed in them since the start; None for any column."""

    def __init__(self, tables: Iterable[str]) -> None:
        self._tables = [name for name in tables if "." in name]
        self._columns: dict[str, frozenset[str] | None] = {}

    def may_hold(self, relation: str, columns: frozenset[str]) -> bool:
        """Whether one of these columns may hold other values than the target's."""
        if relation not in self._columns:
            return False
        changed = self._columns[relation]
        return changed is None or bool(changed & columns)

    def add(self, statement: Statement, done: StatementEffects) -> None:
        """After one statement."""
        locked = {one.relation for one in done.effects if one.lock in WRITING or wrote(one)}
        parsed = parse(statement.sql)
        kind = statement.kind
        stmt: Any = getattr(parsed.stmts[0].stmt, kind, None) if parsed is not None and parsed.stmts else None
        if kind == "update_stmt" and stmt is not None:
            # A lock that an earlier statement holds is not taken anew, and an index shows that there is no row.
            read = {one.relation for one in done.effects if one.scans}
            columns = frozenset(one.res_target.name for one in stmt.target_list)
            self._note({*locked, *read, *self._named(stmt.relation.relname)}, columns)
        elif kind == "alter_table_stmt" and stmt is not None:
            self._note(locked, None)
            self._note(self._named(stmt.relation.relname), _with_other_values(stmt))
        elif kind == "rename_stmt" and stmt is not None:
            self._renamed(stmt)
        else:
            self._note(locked, None)
            if kind in _CALLING:
                words = set(re.findall(r"\w+", statement.sql.lower()))
                again = {one.relation for one in done.effects if one.scans}
                again |= {one for one in self._tables if one.rpartition(".")[2].lower() in words}
                self._note(again & self._columns.keys(), None)

    def _renamed(self, stmt: Any) -> None:
        """What bears a name now is not what bears it in the target."""
        if enum_name(stmt, "rename_type") == "OBJECT_COLUMN":
            self._note(self._named(stmt.relation.relname), frozenset((stmt.newname, stmt.subname)))
        elif enum_name(stmt, "rename_type") == "OBJECT_TABLE":
            self._note({*self._named(stmt.relation.relname), *self._named(stmt.newname)}, None)

    def _named(self, bare: str) -> set[str]:
        return {one for one in self._tables if one.rpartition(".")[2] == bare}

    def _note(self, relations: Iterable[str], columns: frozenset[str] | None) -> None:
        for relation in relations:
            before = self._columns.get(relation, frozenset())
            if columns is None or before is None:
                self._columns[relation] = None
            elif columns:
                self._columns[relation] = before | columns


def wrote(effect: Effect) -> bool:
    """Whether the statement wrote rows of this relation."""
    return bool(effect.inserted or effect.updated or effect.deleted)


def _with_other_values(stmt: Any) -> frozenset[str]:
    """Columns that an ALTER TABLE makes, or whose values it writes anew."""
    found = set()
    for one in stmt.cmds:
        command = one.alter_table_cmd
        if enum_name(command, "subtype") in _WITH_OTHER_VALUES:
            found.add(command.name or getattr(command, "def").column_def.colname)
    return frozenset(found)
