"""Knows what an executed script really takes: the catalog's objects and the rows before and after, read independently
of the walk and of the server's dependency records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

_CATALOGS = (
    "pg_class", "pg_proc", "pg_type", "pg_constraint", "pg_attrdef", "pg_rewrite", "pg_trigger", "pg_policy",
    "pg_namespace", "pg_extension", "pg_cast", "pg_operator", "pg_opclass", "pg_opfamily", "pg_amop", "pg_amproc",
    "pg_collation", "pg_conversion", "pg_statistic_ext", "pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template",
    "pg_publication", "pg_publication_rel", "pg_publication_namespace", "pg_event_trigger", "pg_foreign_data_wrapper",
    "pg_foreign_server", "pg_user_mapping", "pg_default_acl", "pg_language", "pg_transform", "pg_am",
)  # fmt: skip
_OBJECTS = (
    " UNION ALL ".join(
        f"SELECT '{one}'::regclass::oid AS classid, oid AS objid, 0 AS sub FROM {one} WHERE oid >= 16384"
        for one in _CATALOGS
    )
    + " UNION ALL SELECT 'pg_class'::regclass::oid, a.attrelid, a.attnum FROM pg_attribute a"
    " JOIN pg_class c ON c.oid = a.attrelid WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped"
    " AND c.relkind IN ('r', 'p', 'f', 'c')"
)
_ROWS = """
SELECT c.oid::bigint, c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384
"""
_MISSING = ("XX000", "42P01", "42703", "42883", "42704", "3F000", "42601")
"""Undefined table, column, function, object, schema; "type does not exist" as PL/pgSQL words it; and what a session
that has met the type finds in its place."""


@dataclass
class State:
    """objects: address -> (type, identity). rows: table's oid -> {ctid of the first insert is no key, so its id}."""

    objects: dict[tuple[int, int, int], tuple[str, str]]
    rows: dict[int, dict[Any, str]]


def read(conn: psycopg.Connection[Any]) -> State:
    found = conn.execute(
        f"SELECT o.classid::bigint, o.objid::bigint, o.sub, i.type, i.identity FROM ({_OBJECTS}) o"
        " CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, o.sub) i"
    ).fetchall()
    return State({(a, b, c): (kind, name) for a, b, c, kind, name in found}, {})


def read_rows(conn: psycopg.Connection[Any]) -> dict[int, list[tuple[Any, str]]]:
    """Every row of every table as (first column, all of it as text)."""
    tables = conn.execute(_ROWS).fetchall()
    union = " UNION ALL ".join(
        f"SELECT {oid}::bigint, t.ctid::text, t::text FROM ONLY {name} t" for oid, name in tables
    )
    rows: dict[int, list[tuple[Any, str]]] = {oid: [] for oid, _ in tables}
    if union:
        for oid, place, text in conn.execute(union).fetchall():
            rows[oid].append((place, text))
    return rows


def taken(before: State, after: State) -> set[tuple[int, int, int]]:
    """The addresses that are gone; a table's columns stand for themselves only where the table is still there."""
    gone = before.objects.keys() - after.objects.keys()
    return {one for one in gone if one[2] == 0 or (one[0], one[1], 0) not in gone}


def failing(conn: psycopg.Connection[Any], calls: dict[str, str]) -> set[str]:
    """The functions whose call fails since something is missing."""
    found = set()
    for function, call in calls.items():
        conn.execute("SAVEPOINT called")
        try:
            # Made anew, as a later session would read it: this one remembers how it was.
            made = conn.execute("SELECT pg_get_functiondef(to_regproc(%s))", (function,)).fetchone()
            conn.execute(made[0])
            conn.execute(call)
        except psycopg.Error as error:
            if error.sqlstate not in _MISSING:
                raise
            found.add(function)
        conn.execute("ROLLBACK TO called")
    return found
