"""Knows what of a database belongs into a backup: whose schemas, which rows, what they refer to, what is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from services.database.execution import Cancelled, Emit, run_sql
from services.database.fingerprint import Fingerprint, RowHash, row_hash_query

PLATFORM = frozenset(
    {"auth", "storage", "realtime", "_realtime", "_analytics", "vault", "graphql", "graphql_public", "pgbouncer"}
    | {"supabase_functions", "net", "cron", "pgsodium", "pgsodium_masks", "pgtle"}
)
"""Schemas that Supabase makes; one that holds a table of the connecting role is the app's all the same."""

EXTENSIONS = "extensions"
"""Where Supabase puts extensions. It is the owner's there, and holds nothing of the app."""

LARGE_OBJECTS = "large objects"
_STATEMENT_S = 3600
_ADDRESS = re.compile(r"^e_?mail|_e?mail$|^mail$", re.IGNORECASE)

_SETTINGS = {
    "search_path": "",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "row_security": "off",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": f"{_STATEMENT_S}s",
}
"""How values are written as text decides their hash, so both sides write them alike."""

_SCHEMAS = """
SELECT n.nspname::text, pg_catalog.pg_get_userbyid(n.nspowner)::text,
  n.nspname = 'public'
  OR EXISTS (SELECT FROM pg_catalog.pg_class c
    WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND c.relowner = me.oid)
  OR (pg_catalog.pg_has_role(n.nspowner, 'USAGE') AND n.nspname <> ALL (%s))
FROM pg_catalog.pg_namespace n, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user) AS me
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY 1
"""

# Which schema's objects need which other schema's: tables by their columns, defaults, constraints, policies, triggers
# and views; functions by their types; types by what they are made of.
_NEEDS = """
WITH part AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS class, oid, relnamespace AS space FROM pg_catalog.pg_class
  UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, pronamespace FROM pg_catalog.pg_proc
  UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typnamespace FROM pg_catalog.pg_type
  UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid, c.relnamespace
    FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_class c ON c.oid = a.adrelid
  UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid, connamespace FROM pg_catalog.pg_constraint
  UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid, c.relnamespace
    FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
  UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, c.relnamespace
    FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  UNION ALL SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, c.relnamespace
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
)
SELECT DISTINCT a.nspname::text, b.nspname::text
FROM pg_catalog.pg_depend d
JOIN part p ON p.class = d.classid AND p.oid = d.objid
JOIN part q ON q.class = d.refclassid AND q.oid = d.refobjid
JOIN pg_catalog.pg_namespace a ON a.oid = p.space JOIN pg_catalog.pg_namespace b ON b.oid = q.space
WHERE a.oid <> b.oid AND b.nspname !~ '^pg_' AND b.nspname <> 'information_schema'
"""

_TABLES = """
SELECT n.nspname::text, c.relname::text, pg_catalog.pg_table_size(c.oid), pg_catalog.pg_total_relation_size(c.oid),
  ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname::text COLLATE "C"),
  ARRAY(SELECT f.confrelid::pg_catalog.oid::text FROM pg_catalog.pg_constraint f
        WHERE f.conrelid = c.oid AND f.contype = 'f'),
  c.oid::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid
    AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')
ORDER BY 1, 2
"""

_EXTENSIONS = """
SELECT e.extname::text, n.nspname::text
FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1
"""

_ROLES = """
SELECT rolname::text FROM pg_catalog.pg_roles
WHERE rolname !~ '^pg_' AND (oid = 10 OR rolname = current_user OR oid IN (
  SELECT refobjid FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))) ORDER BY 1
"""

_SEQUENCES = """
SELECT pg_catalog.format('%%I.%%I', schemaname, sequencename), last_value FROM pg_catalog.pg_sequences
WHERE schemaname = ANY (%s) AND last_value IS NOT NULL AND increment_by > 0 ORDER BY 1
"""

_LARGE_OBJECTS = """
SELECT pg_catalog.count(*),
  pg_catalog.md5(COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 1, 16))::bit(64)::bigint)::text, ''))
FROM (SELECT pg_catalog.md5(oid::text || '/' || pg_catalog.md5(pg_catalog.lo_get(oid))) AS h
      FROM pg_catalog.pg_largeobject_metadata) AS objects
"""


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table whose rows are kept. columns: in name order; bytes: without and with its indexes."""

    schema: str
    name: str
    columns: tuple[str, ...]
    bytes: int
    bytes_with_indexes: int

    @property
    def place(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def has_addresses(self) -> bool:
        return any(_ADDRESS.search(column) for column in self.columns)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup of a database holds.

    schemas: the app's own, whole; needed: schemas of others that they need: definitions, and rows where referred to
    tables: those whose rows are kept; without_rows: (schema, table) of which only the definition is
    left_out: (schema, owner) of which nothing is kept
    roles: that own something or are granted something, by name; extensions: those in schemas that are kept
    """

    server_version: str
    schemas: tuple[str, ...]
    needed: tuple[str, ...]
    tables: tuple[KeptTable, ...]
    without_rows: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]
    roles: tuple[str, ...]
    extensions: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables)

    @property
    def bytes_with_indexes(self) -> int:
        return sum(table.bytes_with_indexes for table in self.tables)


def write_values_alike(conn: psycopg.Connection[Any]) -> None:
    """Settle, for the transaction under way, how values are written as text and that no row is hidden."""
    for name, value in _SETTINGS.items():
        conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))


def read_contents(conn: psycopg.Connection[Any]) -> Contents:
    """What belongs into a backup, in the words of the catalog, as the connecting role sees it."""
    spaces = conn.execute(_SCHEMAS, ([*PLATFORM, EXTENSIONS],)).fetchall()
    own = [name for name, _, ours in spaces if ours]
    extensions = conn.execute(_EXTENSIONS).fetchall()
    homes = {home for _, home in extensions} & {name for name, _, _ in spaces} - PLATFORM
    needed = (_closure(own, conn.execute(_NEEDS).fetchall()) | homes) - {*own}
    rows = conn.execute(_TABLES).fetchall()
    kept_ids = _referred([(row[6], row[5], row[0] in own) for row in rows])
    kept = [KeptTable(row[0], row[1], tuple(row[4]), row[2], row[3]) for row in rows if row[6] in kept_ids]
    contained = {*own, *needed}
    return Contents(
        server_version=conn.execute("SELECT pg_catalog.current_setting('server_version')").fetchall()[0][0],
        schemas=tuple(own),
        needed=tuple(sorted(needed)),
        tables=tuple(kept),
        without_rows=tuple((row[0], row[1]) for row in rows if row[6] not in kept_ids and row[0] in contained),
        left_out=tuple((name, owner) for name, owner, _ in spaces if name not in contained),
        roles=tuple(row[0] for row in conn.execute(_ROLES).fetchall()),
        extensions=tuple(name for name, home in extensions if home in contained or home == "pg_catalog"),
    )


def _closure(own: Iterable[str], needs: Iterable[tuple[str, str]]) -> set[str]:
    """The other schemas that these need, and that those need in turn."""
    pairs, reached = list(needs), set(own)
    while more := {needed for one, needed in pairs if one in reached} - reached:
        reached |= more
    return reached - set(own)


def _referred(tables: Iterable[tuple[str, list[str], bool]]) -> set[str]:
    """The tables of our own schemas, and all whose rows theirs refer to: without them no foreign key could be made."""
    parents = {oid: refers for oid, refers, _ in tables}
    kept = {oid for oid, _, ours in tables if ours}
    while more := {parent for oid in kept for parent in parents.get(oid, [])} - kept:
        kept |= more
    return kept & parents.keys()


def hash_rows(
    conn: psycopg.Connection[Any],
    tables: Iterable[tuple[str, str, tuple[str, ...]]],
    *,
    doing: str,
    emit: Emit,
    cancelled: Cancelled,
) -> dict[str, RowHash]:
    """The row hash of each (schema, table, columns) by "schema.table", counted on the server; large objects as one.

    Raises Stopped when cancelled, psycopg.Error as the server reports it.
    """
    wanted = list(tables)
    found: dict[str, RowHash] = {}
    for number, (schema, table, columns) in enumerate(wanted, 1):
        emit("table", {"doing": doing, "name": f"{schema}.{table}", "index": number, "of": len(wanted)})
        found[f"{schema}.{table}"] = _one(conn, row_hash_query(schema, table, columns).as_string(conn), cancelled)
    if conn.execute("SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)").fetchall()[0][0]:
        found[LARGE_OBJECTS] = _one(conn, _LARGE_OBJECTS, cancelled)
    return found


def _one(conn: psycopg.Connection[Any], query: str, cancelled: Cancelled) -> RowHash:
    count, digest = run_sql(conn, query, cancelled=cancelled, sample=1).sample[0]
    return RowHash(int(count or 0), str(digest))


def sequence_positions(conn: psycopg.Connection[Any], schemas: Iterable[str]) -> dict[str, int]:
    """Where each rising sequence stands that has been used."""
    return {str(name): int(value) for name, value in conn.execute(_SEQUENCES, (list(schemas),)).fetchall()}


def comparable(found: Fingerprint, schemas: Iterable[str]) -> Fingerprint:
    """The facts that a restored copy must show alike: those of the schemas that are kept whole.

    Left out: the order of columns; extensions, event triggers and publications, which belong to the platform; default
    rights; and our own schema `ops`, which no fingerprint holds.
    """
    spaces = frozenset(schemas)
    begins = tuple(f"{form}." for name in spaces for form in (name, '"' + name.replace('"', '""') + '"'))
    return Fingerprint.of(
        {key: _without_position(key, value) for key, value in found.facts.items() if _is_about(key, spaces, begins)}
    )


def _without_position(key: str, value: str) -> str:
    """A column's fact without its number: a child of a table may get its columns in another order."""
    return value.partition(" ")[2] if key.startswith("column ") else value


def _is_about(key: str, spaces: frozenset[str], begins: tuple[str, ...]) -> bool:
    kind, _, name = key.removeprefix("rights ").removeprefix("comment ").partition(" ")
    if kind == "schema":
        return name in spaces
    return kind not in ("extension", "event", "publication", "default") and name.startswith(begins)
