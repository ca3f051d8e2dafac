"""Knows the Postgres grammar, through one door: SQL in, parse tree out, None for what the grammar refuses."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

# Loaded by name: the parser's type stubs are not valid for a strict type checker, and a parse tree is untyped anyway.
_postgast: Any = importlib.import_module("postgast")

_BRACE_TOO_MANY = re.compile(r"(?<=[\[,])\{\}\}")


def parse(sql: str) -> Any | None:
    """The parse tree (protobuf `ParseResult`) of `sql`, or None where it is not valid SQL."""
    try:
        return _postgast.parse(sql)
    except _postgast.PgQueryError:
        return None


def enum_name(message: Any, field: str) -> str:
    """The name of an enum field's value, such as "AT_DropColumn"."""
    descriptor = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(descriptor.values_by_number[getattr(message, field)].name)


def deparse(tree: Any) -> str:
    """The SQL text of a parse tree."""
    return str(_postgast.deparse(tree))


def new_tree() -> Any:
    """An empty parse tree, to be filled and deparsed."""
    return importlib.import_module("postgast.pg_query_pb2").ParseResult()


def parse_plpgsql(source: str) -> Any | None:
    """The syntax tree (lists and mappings) of a CREATE FUNCTION in PL/pgSQL, or None where it is not valid."""
    try:
        return _postgast.parse_plpgsql(source)
    except _postgast.PgQueryError:
        return None
    except json.JSONDecodeError as error:
        # Of a trigger's own variables the library writes one brace too many for each.
        return json.loads(_BRACE_TOO_MANY.sub("{}", error.doc))


def walk(node: Any) -> Any:
    """(field name, message) of every part of a parse tree, itself first."""
    return _postgast.walk(node)


def nodes(message: Any, kind: str) -> Iterator[Any]:
    """The nodes of one kind in a parse tree, by the grammar's name for it, such as "RangeVar"."""
    return (one for _, one in walk(message) if one.DESCRIPTOR.name == kind)


def expression_sql(node: Any) -> str:
    """The SQL text of one expression of a parse tree."""
    tree = new_tree()
    tree.stmts.add().stmt.select_stmt.target_list.add().res_target.val.CopyFrom(node)
    return deparse(tree).removeprefix("SELECT ")
