"""Turns the query string of a REST call into SQL: the part of PostgREST's language that supabase-py writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

_OPERATORS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "LIKE",
    "ilike": "ILIKE",
    "match": "~",
    "imatch": "~*",
    "cs": "@>",
    "cd": "<@",
}
_RESERVED = frozenset({"select", "order", "limit", "offset", "on_conflict", "columns", "apikey"})
_COLUMN = re.compile(r"^(?:(?P<alias>[A-Za-z_]\w*):)?(?P<name>[A-Za-z_]\w*)(?:::(?P<cast>[a-z_ ]+(?:\[\])?))?$")
_IS = {"null": "NULL", "true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN"}


class NotSupported(Exception):
    """The call is outside what we understand; answered as PostgREST answers a query it cannot parse."""


@dataclass(frozen=True)
class RestQuery:
    """What rows, in which order, which columns. limit None = no limit asked for."""

    columns: sql.Composable
    where: sql.Composable
    order: sql.Composable
    limit: int | None
    offset: int

    @classmethod
    def parse(cls, parameters: Sequence[tuple[str, str]]) -> RestQuery:
        """Raises NotSupported for embedding, logic trees, JSON paths and anything malformed."""
        last = dict(parameters)
        filters = [_filter(name, value) for name, value in parameters if name not in _RESERVED]
        return cls(
            columns=_columns(last.get("select") or "*"),
            where=sql.SQL(" WHERE ") + sql.SQL(" AND ").join(filters) if filters else sql.SQL(""),
            order=_order(last.get("order", "")),
            limit=_whole(last["limit"]) if "limit" in last else None,
            offset=_whole(last.get("offset", "0")),
        )


def _whole(text: str) -> int:
    if not text.isdigit():
        raise NotSupported(f"'{text}' is not a number of rows")
    return int(text)


def _columns(text: str) -> sql.Composable:
    if text.strip() == "*":
        return sql.SQL("*")
    return sql.SQL(", ").join(_column(part.strip()) for part in text.split(","))


def _column(part: str) -> sql.Composable:
    if part == "*":
        return sql.SQL("*")
    found = _COLUMN.match(part)
    if found is None:
        raise NotSupported(f"cannot select '{part}'")
    column: sql.Composable = sql.Identifier(found["name"])
    if found["cast"]:
        column = sql.SQL("{}::{}").format(column, sql.SQL(found["cast"]))
    return sql.SQL("{} AS {}").format(column, sql.Identifier(found["alias"] or found["name"]))


def _order(text: str) -> sql.Composable:
    if not text:
        return sql.SQL("")
    return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(_order_term(part) for part in text.split(","))


def _order_term(part: str) -> sql.Composable:
    name, *words = part.split(".")
    known = {"asc": "ASC", "desc": "DESC", "nullsfirst": "NULLS FIRST", "nullslast": "NULLS LAST"}
    if not name.isidentifier() or any(word not in known for word in words):
        raise NotSupported(f"cannot order by '{part}'")
    return sql.SQL(" ").join([sql.Identifier(name), *(sql.SQL(known[word]) for word in words)])


def _filter(name: str, value: str) -> sql.Composable:
    if not name.isidentifier() or name in ("or", "and", "not"):
        raise NotSupported(f"cannot filter by '{name}'")
    negated = value.startswith("not.")
    operator, found, operand = value.removeprefix("not.").partition(".")
    if not found:
        raise NotSupported(f"'{name}={value}' has no operator")
    condition = sql.SQL("{} {}").format(sql.Identifier(name), _comparison(operator, operand))
    return sql.SQL("NOT ({})").format(condition) if negated else condition


def _comparison(operator: str, operand: str) -> sql.Composable:
    if operator == "is" and operand.lower() in _IS:
        return sql.SQL("IS ") + sql.SQL(_IS[operand.lower()])
    if operator == "in" and operand.startswith("(") and operand.endswith(")"):
        return sql.SQL("= ANY ({})").format(sql.Literal("{" + operand[1:-1] + "}"))
    if operator not in _OPERATORS:
        raise NotSupported(f"there is no operator '{operator}' for '{operand}'")
    if operator in ("like", "ilike"):
        operand = operand.replace("*", "%")
    return sql.SQL(_OPERATORS[operator]) + sql.SQL(" ") + sql.Literal(operand)
