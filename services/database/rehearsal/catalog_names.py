"""Knows how to read the names that a catalog holds, so that a wrong one can be told the right one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.database.fingerprint import bare_search_path

_VISIBLE = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')"

_RELATIONS = f"""
SELECT n.nspname::text, c.relname::text, c.relkind::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'i', 'I')
  AND {_VISIBLE} ORDER BY 1, 2
"""
_COLUMNS = f"""
SELECT n.nspname::text, c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_VISIBLE}
ORDER BY 1, 2, a.attnum
"""
_FUNCTIONS = f"""
SELECT n.nspname::text, p.proname::text, pg_catalog.pg_get_function_identity_arguments(p.oid),
       pg_catalog.pg_get_function_result(p.oid)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {_VISIBLE} ORDER BY 1, 2
"""
_BUILT_IN = "SELECT DISTINCT proname::text FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
_TYPES = f"""
SELECT n.nspname::text, t.typname::text FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typelem = 0 AND ({_VISIBLE} OR n.nspname = 'pg_catalog') AND t.typname !~ '^(_|pg_)' ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Relation:
    schema: str
    name: str
    kind: str

    @property
    def full(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    relation: str
    name: str
    type: str
    not_null: bool


@dataclass(frozen=True, slots=True)
class Function:
    schema: str
    name: str
    arguments: str
    result: str

    @property
    def full(self) -> str:
        return f"{self.schema}.{self.name}({self.arguments})"


@dataclass(frozen=True, slots=True)
class CatalogNames:
    """All names outside the system's schemas, and the system's functions and types by name."""

    relations: tuple[Relation, ...] = ()
    columns: tuple[Column, ...] = ()
    functions: tuple[Function, ...] = ()
    built_in: frozenset[str] = field(default_factory=frozenset)
    types: tuple[tuple[str, str], ...] = ()
    schemas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    path: tuple[str, ...] = ()

    def named(self, relation: str) -> list[Relation]:
        """The relations that a name may mean: without a schema the one on the search path, else all of that name."""
        schema, _, name = relation.rpartition(".")
        found = [one for one in self.relations if one.name == name and schema in ("", one.schema)]
        seen = [one for place in self.path for one in found if one.schema == place]
        return found if schema or not seen else seen[:1]

    def columns_of(self, relation: str) -> list[Column]:
        """The columns of all relations that a name may mean."""
        full = {one.full for one in self.named(relation)}
        return [one for one in self.columns if one.relation in full]


def read_names(conn: psycopg.Connection[Any]) -> CatalogNames:
    """Read them as the connection's transaction sees them. Takes no lock above AccessShare on catalogs."""
    path = conn.execute("SELECT pg_catalog.current_schemas(false)::text[]").fetchone()
    with bare_search_path(conn):
        return CatalogNames(
            tuple(Relation(*row) for row in conn.execute(_RELATIONS).fetchall()),
            tuple(Column(f"{row[0]}.{row[1]}", *row[2:]) for row in conn.execute(_COLUMNS).fetchall()),
            tuple(Function(*row) for row in conn.execute(_FUNCTIONS).fetchall()),
            frozenset(row[0] for row in conn.execute(_BUILT_IN).fetchall()),
            tuple((row[0], row[1]) for row in conn.execute(_TYPES).fetchall()),
            tuple(
                row[0]
                for row in conn.execute(
                    f"SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE {_VISIBLE} ORDER BY 1"
                ).fetchall()
            ),
            tuple(
                row[0]
                for row in conn.execute(
                    "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
                ).fetchall()
            ),
            tuple(path[0]) if path else (),
        )
