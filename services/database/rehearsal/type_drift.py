"""Knows how to write a comparison whose two sides have different types, such as a uuid and the text of one."""

from __future__ import annotations

import re

from services.database.failure_classes import Failure
from services.database.parser import expression_sql, nodes, parse

_OPERATOR = re.compile(r"operator does not exist: (?P<left>.+?) (?P<operator>[-+*/<>=~!@#%^&|`?]+) (?P<right>.+)$")
_TEXTS = ("text", "character varying", "character", "name", "citext")


def cast_both_ways(failure: Failure, sql: str) -> str | None:
    """The real types on both sides, and the expression with the cast that makes them one."""
    match = _OPERATOR.search(failure.message)
    if match is None:
        return None
    left, right = match["left"], match["right"]
    to_text = "left" if right in _TEXTS and left not in _TEXTS else "right" if left in _TEXTS else ""
    told = f"Left is {left}, right is {right}"
    sides = _sides(sql, failure.said.position, match["operator"])
    if sides is None:
        return f"{told}: cast one of them to the other's type."
    one, other = sides
    if to_text == "left":
        return f"{told}: write {one}::text {match['operator']} {other}."
    if to_text == "right":
        return f"{told}: write {one} {match['operator']} {other}::text."
    return f"{told}: write {one} {match['operator']} {other}::{left}."


def _sides(sql: str, position: int | None, operator: str) -> tuple[str, str] | None:
    """Both operands, as written, of the operator at that character of the statement."""
    parsed = parse(sql)
    if parsed is None or position is None:
        return None
    at = len(sql[: position - 1].encode())
    for expression in nodes(parsed, "A_Expr"):
        if expression.location == at and expression.name and expression.name[-1].string.sval == operator:
            return expression_sql(expression.lexpr), expression_sql(expression.rexpr)
    return None
