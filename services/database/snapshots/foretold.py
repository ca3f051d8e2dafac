"""Knows what statements say they take: tables and columns they name, before anything has run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from services.database.parser import enum_name, parse
from services.database.script import Statement
from services.database.snapshots.effects import Place

_ROW_STATEMENTS = ("delete_stmt", "update_stmt", "merge_stmt")
_HARMLESS_REWRITES = {"AT_AddColumn", "AT_SetTableSpace", "AT_SetLogged", "AT_SetUnLogged", "AT_SetAccessMethod"}

Names = tuple[str, ...]
"""A name as written: ("schema", "table") or ("table",)."""


def dropped_tables(statement: Statement) -> tuple[Names, ...]:
    """The tables that a top-level DROP TABLE names; none for any other statement."""
    node = _node(statement)
    if node is None or statement.kind != "drop_stmt" or enum_name(node, "remove_type") != "OBJECT_TABLE":
        return ()
    return tuple(tuple(part.string.sval for part in item.list.items)[-2:] for item in node.objects)


def changed_tables(statement: Statement) -> tuple[Names, ...]:
    """The tables whose rows a top-level statement deletes, changes or casts."""
    node = _node(statement)
    if node is None:
        return ()
    if statement.kind == "truncate_stmt":
        return tuple(_names(relation.range_var) for relation in node.relations)
    if statement.kind in _ROW_STATEMENTS:
        return (_names(node.relation),)
    if statement.kind == "alter_table_stmt" and any(what == "AT_AlterColumnType" for what, _ in _commands(node)):
        return (_names(node.relation),)
    return ()


def dropped_columns(statement: Statement) -> tuple[tuple[Names, str], ...]:
    """The columns that a top-level ALTER TABLE drops."""
    node = _node(statement)
    if node is None or statement.kind != "alter_table_stmt":
        return ()
    return tuple((_names(node.relation), name) for what, name in _commands(node) if what == "AT_DropColumn")


def rewrites_only(statement: Statement) -> tuple[Names, ...]:
    """The table that a statement may rewrite while it takes no value: ADD COLUMN, SET LOGGED, CLUSTER."""
    node = _node(statement)
    if node is None:
        return ()
    if statement.kind == "cluster_stmt" and node.HasField("relation"):
        return (_names(node.relation),)
    if statement.kind == "alter_table_stmt" and {what for what, _ in _commands(node)} <= _HARMLESS_REWRITES:
        return (_names(node.relation),)
    return ()


def retyped_as_they_are(statement: Statement) -> bool:
    """Whether all that an ALTER TABLE may do to values is to cast them to another type: no USING says otherwise."""
    node = _node(statement)
    if node is None or statement.kind != "alter_table_stmt":
        return False
    commands = [item.alter_table_cmd for item in node.cmds]
    casts = [one for one in commands if enum_name(one, "subtype") == "AT_AlterColumnType"]
    others = {enum_name(one, "subtype") for one in commands} - {"AT_AlterColumnType"}
    return others <= _HARMLESS_REWRITES and not any(
        getattr(one, "def").column_def.HasField("raw_default") for one in casts
    )


def placed(conn: psycopg.Connection[Any], names: Names) -> Place | None:
    """Where a name leads by the search_path of now: (schema, table) of an ordinary table, else None."""
    row = conn.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = pg_catalog.to_regclass(%s) AND c.relkind = 'r' AND c.relpersistence <> 't'",
        (sql.Identifier(*names).as_string(conn),),
    ).fetchone()
    return (row[0], row[1]) if row else None


def all_placed(conn: psycopg.Connection[Any], names: Sequence[Names]) -> Iterator[Place]:
    """The places of those names that lead somewhere."""
    for one in names:
        if place := placed(conn, one):
            yield place


def _node(statement: Statement) -> Any | None:
    parsed = parse(statement.sql) if statement.kind else None
    if parsed is None or not parsed.stmts:
        return None
    first = parsed.stmts[0].stmt
    return getattr(first, str(first.WhichOneof("node")))


def _commands(node: Any) -> Iterator[tuple[str, str]]:
    for item in node.cmds:
        command = item.alter_table_cmd
        yield enum_name(command, "subtype"), str(command.name)


def _names(relation: Any) -> Names:
    return (relation.schemaname, relation.relname) if relation.schemaname else (relation.relname,)
