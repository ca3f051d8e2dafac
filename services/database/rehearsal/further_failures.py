"""Knows what else would fail: a run that goes on after errors, and which failures only follow from an earlier one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from services.database.failure_classes import Failure
from services.database.parser import enum_name, nodes, parse
from services.database.rehearsal.catalog_names import read_names
from services.database.rehearsal.result import FurtherFailure
from services.database.rehearsal.runs import Run
from services.database.rehearsal.suggestions import suggestion
from services.database.script import Statement

_ABOUT_NAMES = frozenset(
    (
        "missing-relation",
        "missing-column",
        "missing-function",
        "missing-object",
        "missing-schema",
        "missing-row",
        "type-mismatch",
        "exists-already",
        "null-value",
        "wrong-kind",
        "dependents",
        "duplicate-row",
    )
)
"""Classes in which the server names what is missing or in the way, so that the statement to blame can be found."""

_WORD = re.compile(r"[A-Za-z_][\w$]*")
_CREATES = re.compile(
    r"\b(?:create|add|alter|drop|rename|insert|into)\b[^;]*?[\s.\"](?P<name>[A-Za-z_][\w$]*)", re.IGNORECASE
)


def with_suggestion(conn: psycopg.Connection[Any], statement: Statement, failure: Failure) -> Failure:
    """The failure with what would help, by the catalog as the connection's transaction sees it."""
    names = read_names(conn)
    told = suggestion(failure, statement, names)
    if told is not None and told.startswith("DROP ") and (kept := _kept(conn, statement, told.partition(";\n")[0])):
        told = f"{told}\n{suggestion(kept, statement, names) or kept.message}"
    return replace(failure, suggestion=told)


def _kept(conn: psycopg.Connection[Any], statement: Statement, drop: str) -> Failure | None:
    """Why what is to be dropped and made anew cannot be dropped; None where it can."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(drop.encode())
    except psycopg.Error as error:
        return Failure.of(statement.file, statement.line, error)
    return None


def further_failures(statements: Sequence[Statement], going_on: Run, first: int | None) -> tuple[FurtherFailure, ...]:
    """All failures of a run that went on, after the first, each with the line of what brought it about.

    first: the index of the first failure's statement; None where COMMIT failed, after which nothing is left.
    """
    if first is None:
        return ()
    found: list[FurtherFailure] = []
    blamed = [first]
    for index, failure in going_on.failures:
        if index == first:
            continue
        cause = _cause(statements, blamed, statements[index] if index is not None else None, failure)
        found.append(FurtherFailure(failure, statements[cause].line if cause is not None else None))
        if index is not None:
            blamed.append(index)
    return tuple(found)


def _cause(
    statements: Sequence[Statement], failed: Sequence[int], statement: Statement | None, failure: Failure
) -> int | None:
    """The latest failed statement that would have made, changed or dropped what this failure is about."""
    if failure.failure_class.id not in _ABOUT_NAMES:
        return None
    about = _names(failure)
    for index in reversed(failed):
        if about & changes(statements[index].sql):
            return index
    return None


def _names(failure: Failure) -> set[str]:
    """The names that the server's words hold, without their schemas."""
    text = f"{failure.message} {failure.said.detail if failure.failure_class.id != 'dependents' else ''}"
    if failure.failure_class.id == "missing-row":
        text = " ".join(re.findall(r'in table "([^"]+)"', failure.said.detail))
        return {text.rpartition(".")[2]}
    quoted = {one.rpartition(".")[2] for one in re.findall(r'"([^"]+)"', text)}
    if match := re.search(r"(?:function|procedure|aggregate) ([\w.]+)\(", text):
        quoted.add(match[1].rpartition(".")[2])
    if match := re.search(r"column ([\w.]+) does not exist", text):
        quoted |= set(match[1].split("."))
    return quoted


def changes(sql: str) -> set[str]:
    """The names, without schemas, of what a statement would make, change or drop, and of tables it would fill."""
    parsed = parse(sql)
    if parsed is None or not parsed.stmts:
        # What the grammar refuses, and would have been read by a person as this.
        return {match["name"].lower() for match in _CREATES.finditer(sql)} | _first_words(sql)
    node = parsed.stmts[0].stmt
    kind = node.WhichOneof("node")
    stmt: Any = getattr(node, kind)
    if kind == "do_stmt":
        return {one.lower() for one in _WORD.findall(sql)}
    names: set[str] = set()
    if kind == "alter_table_stmt":
        for command in stmt.cmds:
            names |= _altered(command.alter_table_cmd)
        return names or {stmt.relation.relname}
    if kind == "drop_stmt":
        return {_last(one) for one in stmt.objects}
    if kind == "create_schema_stmt":
        return {stmt.schemaname} | {one.relname for one in nodes(stmt, "RangeVar")}
    for field in ("relation", "view", "sequence", "base", "var"):
        if any(known.name == field for known in stmt.DESCRIPTOR.fields) and stmt.HasField(field):
            names.add(getattr(stmt, field).relname)
    if kind == "create_table_as_stmt":
        names.add(stmt.into.rel.relname)
    for field in ("idxname", "extname", "policy_name", "trigname", "rulename", "newname", "subname", "role", "pubname"):
        if any(known.name == field for known in stmt.DESCRIPTOR.fields) and (name := getattr(stmt, field)):
            names.add(str(name))
    for field in ("funcname", "type_name", "domainname", "defnames"):
        known_field = next((known for known in stmt.DESCRIPTOR.fields if known.name == field), None)
        if known_field is not None and known_field.is_repeated and getattr(stmt, field):
            names.add(getattr(stmt, field)[-1].string.sval)
    if kind == "composite_type_stmt":
        names.add(stmt.typevar.relname)
    return names


def _altered(command: Any) -> set[str]:
    subtype = enum_name(command, "subtype")
    definition = getattr(command, "def")
    if subtype == "AT_AddColumn":
        return {definition.column_def.colname}
    if subtype == "AT_AddConstraint":
        return {definition.constraint.conname} if definition.constraint.conname else {"_"}
    return {command.name} if command.name else {"_"}


def _first_words(sql: str) -> set[str]:
    match = re.search(
        r"\b(?:table|view|function|type|index|schema|into|column)\s+(?:if\s+(?:not\s+)?exists\s+)?([\w.\"]+)",
        sql,
        re.IGNORECASE,
    )
    return {match[1].replace('"', "").rpartition(".")[2].lower()} if match else set()


def _last(node: Any) -> str:
    """The last part of a name in a DROP: a list of words, a function with arguments, or a type."""
    if node.HasField("list"):
        return str(node.list.items[-1].string.sval)
    if node.HasField("object_with_args"):
        return str(node.object_with_args.objname[-1].string.sval)
    if node.HasField("type_name"):
        return str(node.type_name.names[-1].string.sval)
    return str(node.string.sval)
