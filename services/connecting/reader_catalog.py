"""What a database's catalog says of the role that we are connected as: what it is, may read, write and call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.database.row_security import hides_rows

Conn = psycopg.Connection[Any]

# Schemas of people's own: the server's are left out.
_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

_RELATIONS = f"""
SELECT wanted.key AS name, c.relkind IN ('v', 'm') AS is_view, c.reltuples::bigint AS estimate,
       CASE WHEN c.relkind IN ('r', 'p', 'm') THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END AS bytes,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS reachable,
       {hides_rows("c.oid")} AS hides,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND (wanted.value ? a.attname OR wanted.value ? '*')
               AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum) AS missing,
       (SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
          AND a.attidentity <> 'a' ORDER BY a.attnum LIMIT 1) AS a_column,
       ARRAY(SELECT DISTINCT t.relname || '.' || a.attname
             FROM pg_catalog.pg_rewrite AS w
             JOIN pg_catalog.pg_depend AS d ON d.objid = w.oid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> c.oid
             JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
             WHERE w.ev_class = c.oid ORDER BY 1) AS reads
FROM pg_catalog.jsonb_each(%s) AS wanted
JOIN pg_catalog.pg_namespace AS n ON n.nspname = pg_catalog.split_part(wanted.key, '.', 1)
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = pg_catalog.split_part(wanted.key, '.', 2)
  AND c.relkind IN ('r', 'p', 'v', 'm')
"""

_ROLE = """
SELECT r.rolname::text AS name, r.rolsuper AS superuser, r.rolcreaterole AS makes_roles,
       r.rolcreatedb AS makes_databases, r.rolreplication AS replicates,
       r.rolbypassrls AS passes_rls, nullif(r.rolvaliduntil, 'infinity') AS valid_until,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members AS m
             JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS member_of,
       (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_shdepend AS d WHERE d.deptype = 'o'
        AND d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = r.oid) AS owns,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') AS makes_temporary,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS makes_schemas
FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
"""

_WRITABLE = f"""
SELECT n.nspname || '.' || c.relname AS name
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_OWN} AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE
    WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'USAGE, UPDATE')
    WHEN c.relkind IN ('r', 'p', 'v', 'f') THEN pg_catalog.has_table_privilege(c.oid, 'DELETE, TRUNCATE, TRIGGER')
         OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE') END
UNION ALL
SELECT 'schema ' || n.nspname FROM pg_catalog.pg_namespace AS n
WHERE {_OWN} AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
ORDER BY 1
"""

_BEYOND = f"""
SELECT n.nspname || '.' || c.relname || '.' || a.attname AS name
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.jsonb_each(%s) AS wanted ON wanted.key = n.nspname || '.' || c.relname
WHERE {_OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
  AND (wanted.value IS NULL OR NOT (wanted.value ? a.attname OR wanted.value ? '*'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""

_CALLABLE = f"""
SELECT n.nspname || '.' || p.proname AS name, n.nspname = 'public' AS public, p.prosecdef AS as_owner,
       e.extname AS extension
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
  AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
WHERE {_OWN} AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND (p.prosecdef OR e.extname IN ('dblink', 'http', 'pg_net', 'postgres_fdw'))
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A declared table or view that is there.

    estimate: rows by the catalog, -1 where it was never counted; bytes: of its rows on disk
    reachable: its schema is open to us; hides: row-level security leaves us no rows, or only some
    missing: wanted columns that we may not read; a_column: one that a write could name
    reads: columns a view is made of
    """

    name: str
    is_view: bool
    estimate: int
    bytes: int
    reachable: bool
    hides: bool
    missing: tuple[str, ...]
    a_column: str | None
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """What the role is. owns: how many objects belong to it."""

    name: str
    superuser: bool
    makes_roles: bool
    makes_databases: bool
    replicates: bool
    passes_rls: bool
    valid_until: datetime | None
    member_of: tuple[str, ...]
    owns: int
    makes_temporary: bool
    makes_schemas: bool


@dataclass(frozen=True, slots=True)
class Reaching:
    """A function that does more than its caller may. as_owner: it has its owner's rights; extension: which it is of."""

    name: str
    public: bool
    as_owner: bool
    extension: str | None


def relations(conn: Conn, columns: Mapping[str, tuple[str, ...]]) -> list[Relation]:
    """The wanted tables and views that are there, in their order. columns: by "schema.table", "*" for all."""
    found = {row["name"]: row for row in _rows(conn, _RELATIONS, _json(columns))}
    return [
        Relation(**{**row, "missing": tuple(row["missing"]), "reads": tuple(row["reads"])})
        for row in (found[name] for name in columns if name in found)
    ]


def role(conn: Conn) -> Role:
    """The role that we are."""
    (row,) = _rows(conn, _ROLE)
    return Role(**{**row, "member_of": tuple(row["member_of"])})


def writable(conn: Conn) -> list[str]:
    """Tables, sequences and schemas on which the role holds a right to write."""
    return [str(row["name"]) for row in _rows(conn, _WRITABLE)]


def readable_beyond(conn: Conn, columns: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Columns that the role may read although nothing of ours does."""
    return [str(row["name"]) for row in _rows(conn, _BEYOND, _json(columns))]


def reaching_functions(conn: Conn) -> list[Reaching]:
    """Functions that the role may call and by which it could do more than it may by itself, or reach other servers."""
    return [Reaching(**row) for row in _rows(conn, _CALLABLE)]


def _json(columns: Mapping[str, tuple[str, ...]]) -> tuple[Jsonb]:
    return (Jsonb({name: list(wanted) for name, wanted in columns.items()}),)


def _rows(conn: Conn, query: str, parameters: tuple[Any, ...] | None = None) -> list[dict[str, Any]]:
    return conn.cursor(row_factory=dict_row).execute(query.encode(), parameters).fetchall()
