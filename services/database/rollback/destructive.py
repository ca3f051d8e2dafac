"""Knows what a script says it will destroy: the objects it drops, the rows it deletes, and where it cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.database.parser import deparse, enum_name, new_tree, parse
from services.database.script import Script, Statement, split

_DROPPED = {
    "OBJECT_TABLE": "table",
    "OBJECT_FOREIGN_TABLE": "foreign table",
    "OBJECT_VIEW": "view",
    "OBJECT_MATVIEW": "materialized view",
    "OBJECT_INDEX": "index",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_TYPE": "type",
    "OBJECT_DOMAIN": "type",
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "procedure",
    "OBJECT_ROUTINE": "routine",
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_TRIGGER": "trigger",
    "OBJECT_POLICY": "policy",
    "OBJECT_RULE": "rule",
    "OBJECT_SCHEMA": "schema",
    "OBJECT_EXTENSION": "extension",
}
_HARMLESS_SELECTS = ("do_stmt", "call_stmt")


@dataclass(frozen=True, slots=True)
class NamedDrop:
    """One object that a statement drops, in the words of `pg_get_object_address`.

    arguments None: a function named without its argument types.
    """

    kind: str
    names: tuple[str, ...]
    arguments: tuple[str, ...] | None
    cascade: bool
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class NamedRows:
    """Rows that a statement deletes or changes: the table, and a query that counts them. None: all of the table."""

    names: tuple[str, ...]
    effect: str
    count_query: str | None
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A statement whose effect its text does not tell."""

    what: str
    file: str
    line: int


Named = NamedDrop | NamedRows | Opaque


def named_in(scripts: Sequence[Script]) -> list[Named]:
    """Everything the scripts name for destruction, in order."""
    return [named for script in scripts for statement in split(script) for named in _named(statement)]


def _named(statement: Statement) -> list[Named]:
    parsed = parse(statement.sql)
    if parsed is None or not parsed.stmts:
        return [Opaque("a statement that cannot be read", statement.file, statement.line)]
    node = getattr(parsed.stmts[0].stmt, statement.kind)
    if statement.kind == "drop_stmt":
        return _drops(node, statement)
    if statement.kind == "alter_table_stmt":
        return _alterations(node, statement)
    if statement.kind == "truncate_stmt":
        tables = [relation.range_var for relation in node.relations]
        return [NamedRows(_names(t), "emptied", None, statement.file, statement.line) for t in tables]
    if statement.kind in ("delete_stmt", "update_stmt"):
        effect = "deleted" if statement.kind == "delete_stmt" else "changed"
        return [NamedRows(_names(node.relation), effect, _counting(node), statement.file, statement.line)]
    if statement.kind in _HARMLESS_SELECTS:
        what = "a DO block" if statement.kind == "do_stmt" else "a CALL"
        return [Opaque(what, statement.file, statement.line)]
    return []


def _drops(node: Any, statement: Statement) -> list[Named]:
    kind = _DROPPED.get(enum_name(node, "remove_type"))
    if kind is None:
        return [Opaque("a DROP of a rare kind", statement.file, statement.line)]
    cascade = enum_name(node, "behavior") == "DROP_CASCADE"
    found: list[Named] = []
    for item in node.objects:
        names, arguments = _object(item)
        found.append(NamedDrop(kind, names, arguments, cascade, statement.file, statement.line))
    return found


def _object(item: Any) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    kind = item.WhichOneof("node")
    if kind == "string":
        return (item.string.sval,), ()
    if kind == "list":
        return tuple(part.string.sval for part in item.list.items), ()
    if kind == "type_name":
        return (_type(item.type_name),), ()
    function = item.object_with_args
    names = tuple(part.string.sval for part in function.objname)
    if function.args_unspecified:
        return names, None
    return names, tuple(_type(argument.type_name) for argument in function.objargs)


def _type(type_name: Any) -> str:
    name = ".".join('"' + part.string.sval.replace('"', '""') + '"' for part in type_name.names)
    return name + "[]" * len(type_name.array_bounds)


def _alterations(node: Any, statement: Statement) -> list[Named]:
    found: list[Named] = []
    for item in node.cmds:
        command = item.alter_table_cmd
        what = enum_name(command, "subtype")
        kind = {"AT_DropColumn": "table column", "AT_DropConstraint": "table constraint"}.get(what)
        names = _names(node.relation)
        if kind:
            cascade = enum_name(command, "behavior") == "DROP_CASCADE"
            found.append(NamedDrop(kind, (*names, command.name), (), cascade, statement.file, statement.line))
        elif what == "AT_AlterColumnType":
            found.append(NamedRows(names, "changed", None, statement.file, statement.line))
    return found


def _names(relation: Any) -> tuple[str, ...]:
    return (relation.schemaname, relation.relname) if relation.schemaname else (relation.relname,)


def _counting(node: Any) -> str:
    """The SELECT count(*) over the very rows that a DELETE or UPDATE would touch."""
    counting = parse("SELECT pg_catalog.count(*)")
    tree = new_tree()
    tree.CopyFrom(counting)
    select = tree.stmts[0].stmt.select_stmt
    select.from_clause.add().range_var.CopyFrom(node.relation)
    others = node.using_clause if hasattr(node, "using_clause") else node.from_clause
    for other in others:
        select.from_clause.add().CopyFrom(other)
    if node.HasField("where_clause"):
        select.where_clause.CopyFrom(node.where_clause)
    if node.HasField("with_clause"):
        select.with_clause.CopyFrom(node.with_clause)
    return deparse(tree)
