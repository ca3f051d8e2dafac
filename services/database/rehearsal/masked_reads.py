"""Knows which statements look inside texts that were replaced on the shadow, so that they may find something else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql as sql_parts

from services.database.parser import enum_name, nodes, parse
from services.database.rehearsal.masking import looks_masked
from services.database.script import Statement

_LOOKS_INSIDE = frozenset(
    (
        "position",
        "strpos",
        "split_part",
        "substring",
        "substr",
        "left",
        "right",
        "regexp_match",
        "regexp_matches",
        "regexp_like",
        "regexp_count",
        "regexp_replace",
        "regexp_substr",
        "regexp_instr",
        "starts_with",
        "like_escape",
        "to_tsvector",
        "ascii",
        "md5",
        "hashtext",
    )
)
_PATTERN_KINDS = ("AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR")
_PATTERN_OPERATORS = frozenset(("~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "!~~*", "@@", "^@"))
_IN_BODIES = re.compile(
    rf"\b(?:i?like|similar\s+to|{'|'.join(sorted(_LOOKS_INSIDE))})\b|!?~~?\*?|@@|\^@", re.IGNORECASE
)
_BUILT = re.compile(
    r"\|\|\s*E?'[^'\s]*@|@[^'\s]*'\s*\|\|"
    r"|\b(?:concat|concat_ws)\s*\([^;]*(?:'@|@')"
    r"|\bformat\s*\(\s*E?'[^']*(?:%[\d$-]*[sIL][^'\s]*@|@[^'\s]*%)",
    re.IGNORECASE,
)
_ANY = frozenset("*")
_TEXTS = """
SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE n.nspname || '.' || c.relname = ANY (%s) AND (a.attname = ANY (%s) OR '*' = ANY (%s))
  AND NOT a.attisdropped AND a.attnum > 0 AND c.relkind = 'r'
  AND (t.typcategory = 'S' OR t.typname IN ('json', 'jsonb'))
"""


def looked_inside(statement: Statement) -> frozenset[str]:
    """Names of columns, or in a body any words, inside of whose values the statement looks for something."""
    parsed = parse(statement.sql)
    if parsed is None:
        return frozenset()
    if statement.kind == "do_stmt":
        words = re.findall(r"[A-Za-z_]\w*", statement.sql.lower())
        return frozenset(words) if _IN_BODIES.search(statement.sql) else frozenset()
    found = [column for one in nodes(parsed, "A_Expr") if _is_pattern(one) for column in _columns(one)]
    for call in nodes(parsed, "FuncCall"):
        if call.funcname[-1].string.sval in _LOOKS_INSIDE:
            found += _columns(call)
    return frozenset(found)


def words_of(statement: Statement) -> frozenset[str]:
    """All that may be a column's name in the statement."""
    return frozenset(re.findall(r"[A-Za-z_]\w*", statement.sql)) | frozenset(
        re.findall(r"[A-Za-z_]\w*", statement.sql.lower())
    )


def builds_address(statement: Statement) -> frozenset[str]:
    """Any column, where the statement puts addresses together: those were not spelled out, so none of them was kept."""
    return _ANY if _BUILT.search(statement.sql) else frozenset()


def _is_pattern(expression: Any) -> bool:
    operator = expression.name[-1].string.sval if expression.name else ""
    return enum_name(expression, "kind") in _PATTERN_KINDS or operator in _PATTERN_OPERATORS


def _columns(node: Any) -> list[str]:
    return [one.fields[-1].string.sval for one in nodes(node, "ColumnRef")]


def replaced_among(conn: psycopg.Connection[Any], relations: Iterable[str], columns: Iterable[str]) -> list[str]:
    """Of these columns of these relations ("schema.name") of the shadow, those in which a text was replaced."""
    found = []
    names = sorted(columns)
    for schema, table, column in conn.execute(_TEXTS, (sorted(relations), names, names)).fetchall():
        query = sql_parts.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(
            sql_parts.Identifier(schema, table), looks_masked(sql_parts.Identifier(column))
        )
        row = conn.execute(query).fetchone()
        if row is not None and row[0]:
            found.append(f"{schema}.{table}.{column}")
    return found
