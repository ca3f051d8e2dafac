"""Knows how what is lost is told: kind, name, rows and bytes of every object that falls, asked at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from services.database.rollback.dependency_walk import Address
from services.database.row_security import hides_rows

_KINDS = {
    "table": "table",
    "foreign table": "table",
    "view": "view",
    "materialized view": "materialized view",
    "table column": "column",
    "composite type column": "attribute",
    "function": "function",
    "procedure": "function",
    "aggregate": "function",
    "table constraint": "constraint",
    "domain constraint": "constraint",
    "default value": "default",
    "publication relation": "publication",
    "statistics object": "statistics",
}
_UNSEEN = (
    "toast table",
    "composite type",
    "view column",
    "materialized view column",
    "foreign table column",
    "index column",
)
HOLDS_ROWS = frozenset({"table", "materialized view", "column", "rows"})
_AT_ONCE = 200

_DESCRIBE = f"""
WITH fallen AS MATERIALIZED (
  SELECT a.classid, a.objid, a.sub, a.by, n.nspname::text AS schema, c.relname::text AS table, c.relkind::text AS kind,
         c.oid AS relation
  FROM (SELECT p[1]::oid AS classid, p[2]::oid AS objid, p[3]::int AS sub, p[4] AS by
        FROM unnest(string_to_array(%s, E'\n')) AS line, string_to_array(line, E'\t', '') AS p) AS a
  LEFT JOIN pg_catalog.pg_class c ON c.oid = a.objid AND a.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_type t ON t.oid = a.objid AND a.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
  LEFT JOIN pg_catalog.pg_class tc ON tc.oid = t.typrelid
  LEFT JOIN pg_catalog.pg_trigger g ON g.oid = a.objid AND a.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
  LEFT JOIN pg_catalog.pg_rewrite w ON w.oid = a.objid AND a.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  WHERE COALESCE(c.relkind <> 't' AND n.nspname !~ '^pg_toast', true) AND NOT COALESCE(g.tgisinternal, false)
    AND COALESCE(t.typcategory <> 'A' AND t.typtype <> 'm' AND (t.typrelid = 0 OR tc.relkind = 'c'), true)
    AND COALESCE(w.rulename <> '_RETURN', true)
)
SELECT i.type, i.identity, f.schema, f.table, f.relation::bigint, f.by, a.attname::text,
       CASE WHEN f.sub = 0 AND f.kind IN ('r', 'm', 'i', 'S') THEN pg_catalog.pg_total_relation_size(f.relation) END,
       f.kind IN ('r', 'm') AND pg_catalog.has_table_privilege(f.relation, 'SELECT')
         AND NOT {hides_rows("f.relation")} AND COALESCE(a.attgenerated = '', true)
FROM fallen f
CROSS JOIN LATERAL pg_catalog.pg_identify_object(f.classid, f.objid, f.sub) i
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.sub AND f.sub > 0
WHERE i.type IS NOT NULL
ORDER BY i.type, i.identity
"""


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that goes, changes or breaks. rows, bytes: None where the thing holds none, or they cannot be told.

    effect: "dropped", "deleted", "changed", "emptied", "breaks" (a function whose text names what goes), "refused" for
    a statement that the server will refuse, or "unknown" for one that does not tell.
    by: the place of the statement that does it, as file:line.
    """

    kind: str
    object: str
    rows: int | None
    bytes: int | None
    effect: str = "dropped"
    schema: str | None = None
    table: str | None = None
    column: str | None = None
    by: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "object": self.object,
            "rows": self.rows,
            "bytes": self.bytes,
            "effect": self.effect,
            "by": self.by,
        }


def described(conn: psycopg.Connection[Any], fallen: Mapping[Address, str]) -> list[Loss]:
    """The fallen objects in words, with their rows and bytes. fallen: address -> the statement that takes it."""
    if not fallen:
        return []
    # One text: as arrays, thousands of values take longer to write than the server needs to look them up.
    places = {by: " ".join(by.split()) for by in set(fallen.values())}
    lines = "\n".join(f"{a}\t{b}\t{c}\t{places[by]}" for (a, b, c), by in fallen.items())
    losses: list[Loss] = []
    to_count: list[int] = []
    for kind, identity, schema, table, _, by, column, size, countable in conn.execute(_DESCRIBE, (lines,)).fetchall():
        if kind in _UNSEEN:
            continue
        name = _KINDS.get(kind, kind)
        if countable and (name in ("table", "materialized view") or column is not None):
            to_count.append(len(losses))
        losses.append(Loss(name, identity, None, size, "dropped", schema, table, column, by))
    for place, (rows, size) in zip(to_count, counted(conn, [losses[place] for place in to_count]), strict=True):
        losses[place] = replace(losses[place], rows=rows, bytes=size if losses[place].column else losses[place].bytes)
    return losses


def counted(conn: psycopg.Connection[Any], losses: Sequence[Loss]) -> Iterable[tuple[int | None, int | None]]:
    """(rows, bytes) of tables and columns, in their order; (None, None) where the server cannot count in its time."""
    for start in range(0, len(losses), _AT_ONCE):
        some = losses[start : start + _AT_ONCE]
        union = sql.SQL(" UNION ALL ").join(_count(place, loss) for place, loss in enumerate(some))
        try:
            with conn.transaction():
                found = {place: (rows, size) for place, rows, size in conn.execute(union).fetchall()}
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
            found = {}
        for place in range(len(some)):
            yield found.get(place, (None, None))


def _count(place: int, loss: Loss) -> sql.Composed:
    name = sql.Identifier(loss.schema or "", loss.table or "")
    if not loss.column:
        return sql.SQL("SELECT {}, pg_catalog.count(*), NULL::bigint FROM ONLY {}").format(sql.Literal(place), name)
    column = sql.Identifier(loss.column)
    return sql.SQL(
        "SELECT {0}, pg_catalog.count({1}), COALESCE(pg_catalog.sum(pg_catalog.pg_column_size({1})), 0)::bigint"
        " FROM ONLY {2}"
    ).format(sql.Literal(place), column, name)
