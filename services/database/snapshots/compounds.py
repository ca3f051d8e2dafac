"""Knows which tables hold values of composite and row types, and which of them lose values with an attribute."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definitions
from services.database.inverse.alter import attribute_pairs, is_composite, is_reordered
from services.database.snapshots.after_images import key_text
from services.database.snapshots.conflicts import told
from services.database.snapshots.merge import Conflict, Why
from services.database.snapshots.narrowed import not_by_the_change
from services.database.snapshots.snapshot import Part, key_of

_MADE_OF = """
    SELECT t.typelem WHERE t.typelem <> 0
    UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0
    UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE t.oid IN (g.rngtypid, g.rngmultitypid)
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
    WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
"""
"""The types that a type (alias t) is made of: of an array, a domain, a range, and attributes of a composite type."""

_REACHED = f"""
WITH RECURSIVE reached AS (
  SELECT a.attrelid AS oid, a.atttypid AS type FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'ops') AND t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace
  UNION
  SELECT r.oid, x.type FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.type
  CROSS JOIN LATERAL ({_MADE_OF}) x(type)
)
SELECT DISTINCT r.oid::bigint, a.attrelid::bigint, a.attnum FROM reached r
JOIN pg_catalog.pg_type t ON t.oid = r.type JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid
WHERE t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped
"""

_WITHIN = f"""
WITH RECURSIVE reached AS (
  SELECT w.name, pg_catalog.to_regtype(w.name)::oid AS type FROM pg_catalog.unnest(%s::text[]) w(name)
  UNION
  SELECT r.name, x.type FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.type
  CROSS JOIN LATERAL ({_MADE_OF}) x(type)
)
SELECT DISTINCT name FROM reached WHERE type = ANY(%s::oid[])
"""

_DROPPED = """
SELECT attrelid::bigint, attnum FROM pg_catalog.pg_attribute
WHERE attrelid = ANY(%s::oid[]) AND attnum > 0 AND attisdropped
"""

Reached = Mapping[int, frozenset[tuple[int, int]]]
"""By the oid of a table: (relation, number) of every attribute of which its columns hold values."""


def attributes_held(conn: psycopg.Connection[Any]) -> Reached:
    """The attributes of which each user table holds values, inside values of its columns."""
    found: dict[int, set[tuple[int, int]]] = {}
    for table, relation, number in conn.execute(_REACHED).fetchall():
        found.setdefault(table, set()).add((relation, number))
    return {table: frozenset(attributes) for table, attributes in found.items()}


def holders_of_lost(conn: psycopg.Connection[Any], before: Reached) -> set[int]:
    """The oids of the tables that held values of an attribute which was dropped. A type that went whole took columns
    along, which are told by themselves."""
    relations = sorted({relation for attributes in before.values() for relation, _ in attributes})
    if not relations:
        return set()
    dropped = {(row[0], row[1]) for row in conn.execute(_DROPPED, (relations,)).fetchall()}
    return {table for table, attributes in before.items() if attributes & dropped}


_COLUMNS = """
SELECT n.nspname::text, c.relname::text, a.attname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE c.oid = ANY(%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace
ORDER BY 1, 2, a.attnum
"""


def tell_emptied(
    conn: psycopg.Connection[Any], snapshot_id: str, parts: Sequence[Part], now: Definitions, target: Definitions
) -> list[Conflict]:
    """Write down whole each value, written since the change, that holds something in an attribute which is about to go
    with its type turned back; tells their keys."""
    going = _going(conn, now, target)
    found: list[Conflict] = []
    for table, attributes in attributes_held(conn).items() if going else ():
        names = {going[one] for one in attributes if one in going}
        for schema, relation, column in conn.execute(_COLUMNS, ([table],)).fetchall() if names else ():
            part = next((p for p in parts if (p.schema, p.table) == (schema, relation) and p.key_columns), None)
            key = part.key_columns if part is not None else key_of(conn, schema, relation)
            value = sql.SQL("n.{}").format(sql.Identifier(column))
            rows = conn.execute(
                sql.SQL(
                    "INSERT INTO ops.conflicts (snapshot_id, table_name, key, column_name, why, now)"
                    " SELECT {id}, {table}, {key}, {column}, {why}, {value}::text FROM ONLY {place} n"
                    " WHERE ({held}) AND {since} RETURNING key"
                ).format(
                    id=sql.Literal(snapshot_id),
                    table=sql.Literal(f"{schema}.{relation}"),
                    key=key_text("n", key) if key else sql.SQL("ARRAY[]::text[]"),
                    column=sql.Literal(column),
                    why=sql.Literal(str(Why.NO_CAST)),
                    value=value,
                    place=sql.Identifier(schema, relation),
                    held=sql.SQL(" OR ").join(
                        sql.SQL("pg_catalog.jsonb_path_exists(pg_catalog.to_jsonb({}), {}::jsonpath)").format(
                            value, sql.Literal(f"$.**.{json.dumps(name)} ? (@ != null)")
                        )
                        for name in sorted(names)
                    ),
                    since=not_by_the_change(part, column, value),
                )
            ).fetchall()
            if rows:
                found.append(told(f"{schema}.{relation}.{column}", Why.NO_CAST, [row[0] for row in rows]))
    return found


def _going(conn: psycopg.Connection[Any], now: Definitions, target: Definitions) -> dict[tuple[int, int], str]:
    """(relation, number) of the attributes that turning types back takes out, with their names."""
    found: dict[tuple[int, int], str] = {}
    for old in target:
        is_now = now.by_place.get((old.kind, old.oid, 0))
        if not is_composite(old) or is_now is None or not is_composite(is_now):
            continue
        stay = {pair[1][3] for pair in attribute_pairs(old, is_now)}
        numbers = [one[3] for one in is_now.facts["attributes"] or () if one[3] not in stay]
        rows = conn.execute(
            "SELECT a.attrelid::bigint, a.attnum, a.attname::text FROM pg_catalog.pg_attribute a"
            " JOIN pg_catalog.pg_type t ON t.typrelid = a.attrelid WHERE t.oid = %s AND a.attnum = ANY(%s)",
            (old.oid, numbers),
        ).fetchall() if numbers else []  # fmt: skip
        found |= {(relation, number): name for relation, number, name in rows}
    return found


def without_reordered(
    conn: psycopg.Connection[Any],
    parts: Sequence[Part],
    now: Definitions,
    target: Definitions,
    tables: Sequence[str],
) -> tuple[list[Part], list[Conflict]]:
    """The parts without columns whose kept texts would mean something else: of a type whose attributes will stand in
    another order, or of the row type of one of these tables, whose columns will. Each is told; what was kept of it
    stays where it lies."""
    types = {
        old.oid
        for old in target
        if is_composite(old)
        and (is_now := now.by_place.get((old.kind, old.oid, 0))) is not None
        and is_composite(is_now)
        and is_reordered(old, is_now)
    }
    rows = conn.execute(
        "SELECT c.reltype::bigint FROM pg_catalog.unnest(%s::text[]) w(name)"
        " JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(w.name)",
        (list(tables),),
    ).fetchall()
    types |= {row[0] for row in rows}
    found: list[Part] = []
    conflicts: list[Conflict] = []
    for part in parts:
        holding = _of_types(conn, part, types) if types and part.copy_name else set()
        spoiled = {name: held for name in sorted(holding) if (held := _values(conn, part, name))}
        conflicts += [Conflict(f"{part.name}.{name}", str(Why.REORDERED), held) for name, held in spoiled.items()]
        if not spoiled:
            found.append(part)
        elif part.key_columns and spoiled.keys().isdisjoint(part.key_columns):
            kept = [(n, t) for n, t in zip(part.columns, part.column_types, strict=True) if n not in spoiled]
            found.append(replace(part, columns=tuple(n for n, _ in kept), column_types=tuple(t for _, t in kept)))
    return found, conflicts


def _values(conn: psycopg.Connection[Any], part: Part, name: str) -> int:
    """How many values a column of a copy holds; what is NULL means the same in any order."""
    row = conn.execute(
        sql.SQL("SELECT pg_catalog.count({}) FROM {}").format(sql.Identifier(name), part.copy)
    ).fetchone()
    return int(row[0]) if row else 0


def _of_types(conn: psycopg.Connection[Any], part: Part, types: set[int]) -> set[str]:
    """The columns of a part whose values hold some of these types, by what their types of before are called."""
    rows = conn.execute(_WITHIN, (list(set(part.column_types)), sorted(types))).fetchall()
    kinds = {row[0] for row in rows}
    return {name for name, kind in zip(part.columns, part.column_types, strict=True) if kind in kinds}
