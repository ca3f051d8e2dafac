"""Knows what a script will take with it: every object, row and byte, told by the catalog before anything is done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.connect import connect
from services.database.rollback.dependency_walk import Address, Dependency, DependencyGraph
from services.database.rollback.destructive import NamedDrop, NamedRows, Opaque, named_in
from services.database.script import Script

_KINDS = {
    "table": "table",
    "foreign table": "table",
    "view": "view",
    "materialized view": "materialized view",
    "table column": "column",
    "function": "function",
    "procedure": "function",
    "aggregate": "function",
    "trigger": "trigger",
    "index": "index",
    "policy": "policy",
    "sequence": "sequence",
    "type": "type",
    "schema": "schema",
    "extension": "extension",
    "table constraint": "constraint",
    "rule": "rule",
    "event trigger": "event trigger",
    "publication relation": "publication",
}

_DESCRIBE = """
SELECT a.classid::bigint, a.objid::bigint, a.sub, i.type, i.identity, n.nspname::text, c.relname::text, c.oid::bigint
FROM unnest(%s::oid[], %s::oid[], %s::int[]) AS a(classid, objid, sub)
CROSS JOIN LATERAL pg_catalog.pg_identify_object(a.classid, a.objid, a.sub) i
LEFT JOIN pg_catalog.pg_class c ON c.oid = a.objid AND a.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_type t ON t.oid = a.objid AND a.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_class tc ON tc.oid = t.typrelid
LEFT JOIN pg_catalog.pg_trigger g ON g.oid = a.objid AND a.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_rewrite w ON w.oid = a.objid AND a.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
WHERE i.type IS NOT NULL AND COALESCE(c.relkind <> 't', true) AND NOT COALESCE(g.tgisinternal, false)
  AND COALESCE(t.typcategory <> 'A' AND (t.typrelid = 0 OR tc.relkind = 'c'), true)
  AND COALESCE(w.rulename <> '_RETURN', true)
  AND (c.oid IS NULL OR n.nspname NOT LIKE 'pg\\_toast%%')
ORDER BY i.type, i.identity
"""

_BODIES = """
SELECT p.oid::bigint, pg_catalog.format('%I.%I(%s)', n.nspname, p.proname,
       pg_catalog.pg_get_function_identity_arguments(p.oid)), p.prosrc
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE l.lanname IN ('plpgsql', 'sql') AND p.prosqlbody IS NULL
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
"""


HOLDS_ROWS = frozenset({"table", "materialized view", "column", "rows"})


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that goes, changes or breaks. rows, bytes: None where the thing holds none, or they cannot be told.

    effect: "dropped", "deleted", "changed", "emptied", "breaks" (a function whose text names what goes), or "unknown"
    for a statement that does not tell.
    """

    kind: str
    object: str
    rows: int | None
    bytes: int | None
    effect: str = "dropped"
    schema: str | None = None
    table: str | None = None
    column: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "object": self.object,
            "rows": self.rows,
            "bytes": self.bytes,
            "effect": self.effect,
        }


def blast_radius(url: str, rollback_scripts: Sequence[Script]) -> list[Loss]:
    """What the scripts would take with them now. Reads only, with no lock above AccessShare.

    Raises as `connect` does.
    """
    with connect(url, read_only=True, statement_timeout_s=60) as conn, conn.transaction():
        return blast_radius_on(conn, rollback_scripts)


def blast_radius_on(conn: psycopg.Connection[Any], rollback_scripts: Sequence[Script]) -> list[Loss]:
    """The same, on a connection inside a transaction."""
    named = named_in(rollback_scripts)
    seeds = [seed for one in named if isinstance(one, NamedDrop) for seed in _addresses(conn, one)]
    fallen = _graph(conn).falling_with(seeds) if seeds else set()
    losses = [_sized(conn, loss) for loss in _described(conn, fallen)]
    gone = {loss.object for loss in losses if loss.kind == "table"}
    for one in named:
        if isinstance(one, NamedRows):
            losses += [rows for rows in _rows(conn, one) if rows.object not in gone]
    losses += _breaking(conn, losses, fallen)
    for one in named:
        if isinstance(one, Opaque):
            losses.append(Loss("statement", f"{one.file}:{one.line}: {one.what}", None, None, "unknown"))
    # What holds rows comes first: that is what cannot be made again.
    return sorted(losses, key=lambda loss: loss.rows is None)


def _addresses(conn: psycopg.Connection[Any], drop: NamedDrop) -> list[tuple[Address, bool]]:
    """The catalog addresses of a named object; none where it is not there (then there is nothing to lose)."""
    if drop.arguments is None:
        found = conn.execute(
            "SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::oid::bigint, p.oid::bigint, 0 FROM pg_catalog.pg_proc p"
            " WHERE p.proname = %s AND CASE WHEN %s::text IS NULL THEN pg_catalog.pg_function_is_visible(p.oid)"
            " ELSE p.pronamespace = pg_catalog.to_regnamespace(%s) END",
            (drop.names[-1], *((drop.names[0],) * 2 if len(drop.names) > 1 else (None, None))),
        ).fetchall()
        return [((row[0], row[1], row[2]), drop.cascade) for row in found]
    try:
        with conn.transaction():
            row = conn.execute(
                "SELECT classid::bigint, objid::bigint, objsubid FROM pg_catalog.pg_get_object_address(%s, %s, %s)",
                (drop.kind, list(drop.names), list(drop.arguments)),
            ).fetchone()
    except psycopg.errors.Error as error:
        if error.sqlstate is None:
            raise
        return []
    return [((row[0], row[1], row[2]), drop.cascade)] if row else []


def _graph(conn: psycopg.Connection[Any]) -> DependencyGraph:
    rows = conn.execute(
        "SELECT classid::bigint, objid::bigint, objsubid, refclassid::bigint, refobjid::bigint, refobjsubid,"
        " deptype::text"
        " FROM pg_catalog.pg_depend"
    ).fetchall()
    return DependencyGraph(Dependency((a, b, c), (d, e, f), kind) for a, b, c, d, e, f, kind in rows)


def _described(conn: psycopg.Connection[Any], fallen: set[Address]) -> list[Loss]:
    ordered = sorted(fallen)
    columns = [list(part) for part in zip(*ordered, strict=True)] or [[], [], []]
    losses = []
    for _, _, sub, kind, identity, schema, table, _ in conn.execute(_DESCRIBE, columns).fetchall():
        name = _KINDS.get(kind)
        if name is None:
            continue  # defaults, casts and other parts that hold nothing and go unseen
        column = _column_name(conn, schema, table, sub) if name == "column" else None
        losses.append(Loss(name, identity, None, None, schema=schema, table=table, column=column))
    return losses


def _column_name(conn: psycopg.Connection[Any], schema: str, table: str, number: int) -> str | None:
    row = conn.execute(
        "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = %s::pg_catalog.regclass AND attnum = %s",
        (sql.Identifier(schema, table).as_string(conn), number),
    ).fetchone()
    return row[0] if row else None


def _sized(conn: psycopg.Connection[Any], loss: Loss) -> Loss:
    if loss.schema is None or loss.table is None:
        return loss
    name = sql.Identifier(loss.schema, loss.table)
    size = sql.SQL("pg_catalog.pg_total_relation_size({}::pg_catalog.regclass)").format(name.as_string(conn))
    if loss.kind == "column" and loss.column:
        column = sql.Identifier(loss.column)
        query = sql.SQL(
            "SELECT pg_catalog.count({0}), COALESCE(pg_catalog.sum(pg_catalog.pg_column_size({0})), 0)::bigint FROM {1}"
        ).format(column, name)
    elif loss.kind in ("table", "materialized view"):
        query = sql.SQL("SELECT pg_catalog.count(*), {} FROM {}").format(size, name)
    elif loss.kind == "index":
        query = sql.SQL("SELECT NULL::bigint, {}").format(size)
    else:
        return loss
    try:
        with conn.transaction():
            row = conn.execute(query).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        row = None  # the role may not read it: its rows go uncounted, and are no zero
    rows, size_bytes = row if row else (None, None)
    return Loss(loss.kind, loss.object, rows, size_bytes, loss.effect, loss.schema, loss.table, loss.column)


def _rows(conn: psycopg.Connection[Any], named: NamedRows) -> list[Loss]:
    """Rows that a DELETE, UPDATE or TRUNCATE would take; none where the table is not there."""
    found = conn.execute(
        "SELECT c.oid::pg_catalog.regclass::text, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass(%s)",
        (sql.Identifier(*named.names).as_string(conn),),
    ).fetchone()
    if found is None:
        return []
    _, schema, table = found
    name = sql.Identifier(schema, table)
    query = named.count_query or sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(name)
    try:
        with conn.transaction():
            row = conn.execute(query).fetchone()
    except psycopg.errors.Error as error:
        if error.sqlstate is None:
            raise
        row = None  # a later statement of the script may make what this one needs
    count = int(row[0]) if row else None
    return [Loss("rows", name.as_string(conn).replace('"', ""), count, None, named.effect, schema, table)]


def _breaking(conn: psycopg.Connection[Any], losses: Sequence[Loss], fallen: set[Address]) -> list[Loss]:
    """Functions that stay, but whose text names what goes: the server keeps no record of those."""
    names = {loss.table for loss in losses if loss.kind in ("table", "view", "materialized view") and loss.table}
    names |= {loss.object.split("(")[0].rsplit(".", 1)[-1] for loss in losses if loss.kind == "function"}
    names |= {loss.column for loss in losses if loss.kind == "column" and loss.column}
    if not names:
        return []
    pattern = re.compile(r"(?<![\w$])(?:" + "|".join(re.escape(name) for name in sorted(names)) + r")(?![\w$])", re.I)
    gone = {address[1] for address in fallen}
    return [
        Loss("function", identity, None, None, "breaks")
        for oid, identity, body in conn.execute(_BODIES).fetchall()
        if oid not in gone and pattern.search(body)
    ]
