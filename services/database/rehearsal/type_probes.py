"""Knows what to ask of a column's values before its type is changed: too long, or not to be cast."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from services.database.parser import deparse, expression_sql, new_tree

_TEXTS = ("text", "character varying", "character", "name", "citext")
_WIDER = {
    "smallint": ("integer", "bigint", "numeric", "real", "double precision"),
    "integer": ("bigint", "numeric", "double precision"),
    "bigint": ("numeric",),
    "real": ("double precision",),
    "date": ("timestamp without time zone", "timestamp with time zone"),
    "json": ("jsonb",),
    "jsonb": ("json",),
}
_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "decimal": "numeric",
}


@dataclass(frozen=True, slots=True)
class TypeQuestion:
    """What to count, over which rows, and how the server refuses them; no sqlstate: only an error of the question."""

    question: str
    count: str
    where: str
    sqlstate: str
    message: str


def type_questions(column: str, old: str, new: Any, using: Any | None) -> list[TypeQuestion] | None:
    """The questions for one column. column: quoted; old: its type as format_type tells it; new: the grammar's TypeName.

    None where it cannot be decided by asking.
    """
    base = _NAMES.get(new.names[-1].string.sval, new.names[-1].string.sval)
    written = _written(new)
    modifiers = [one.a_const.ival.ival for one in new.typmods if one.HasField("a_const")]
    plain_old = re.sub(r"\(.*\)", "", old)
    value = f"({expression_sql(using)})" if using is not None else column
    if base in _TEXTS:
        return _to_text(value, old, plain_old, base, modifiers, using is not None)
    if using is None and not modifiers and (base == plain_old or base in _WIDER.get(plain_old, ())):
        return []
    question = f"Can every value become {written}?"
    return [TypeQuestion(question, f"0, pg_catalog.count({value}::{written})", "", "", "")]


def _to_text(
    value: str, old: str, plain_old: str, base: str, modifiers: list[int], using: bool
) -> list[TypeQuestion] | None:
    found = [] if not using else [TypeQuestion("Can it be computed?", f"0, pg_catalog.count({value})", "", "", "")]
    if not modifiers:
        return found if base != "character" else None
    known = re.search(r"\((\d+)\)", old)
    if not using and plain_old == base and known and int(known[1]) <= modifiers[0]:
        return found
    text = f"pg_catalog.rtrim({value}::text, ' ')"
    shown = f"{base}({modifiers[0]})"
    return [
        *found,
        TypeQuestion(
            f"Are there values longer than {modifiers[0]} characters?",
            "pg_catalog.count(*)",
            f"pg_catalog.length({text}) > {modifiers[0]}",
            "22001",
            f"value too long for type {shown}",
        ),
    ]


def _written(type_name: Any) -> str:
    """The SQL of a type."""
    tree = new_tree()
    cast = tree.stmts.add().stmt.select_stmt.target_list.add().res_target.val.type_cast
    cast.arg.a_const.isnull = True
    cast.type_name.CopyFrom(type_name)
    return deparse(tree).removeprefix("SELECT NULL::")
