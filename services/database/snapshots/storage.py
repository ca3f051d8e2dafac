"""Knows where a snapshot lies in schema `ops`, who may look at it, and how each value has one text always."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from services.database.fingerprint import bare_search_path

_TABLES = ("snapshots", "snapshot_parts", "snapshot_definitions", "parked", "conflicts", "unsettled")

_MAKE = """
CREATE TABLE IF NOT EXISTS ops.snapshots (
  id uuid PRIMARY KEY, release_id text NOT NULL, taken_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  actor text NOT NULL, restored_at timestamptz
);
CREATE TABLE IF NOT EXISTS ops.snapshot_parts (
  snapshot_id uuid NOT NULL REFERENCES ops.snapshots ON DELETE CASCADE, part integer NOT NULL, kind text NOT NULL,
  schema_name text NOT NULL, table_name text NOT NULL, columns text[] NOT NULL, column_types text[] NOT NULL,
  key_columns text[] NOT NULL, copy_name text NOT NULL, row_count bigint NOT NULL, row_digest text NOT NULL,
  PRIMARY KEY (snapshot_id, part)
);
ALTER TABLE ops.snapshots
  ADD COLUMN IF NOT EXISTS until timestamptz,
  ADD COLUMN IF NOT EXISTS home text,
  ADD COLUMN IF NOT EXISTS purged_at timestamptz;
ALTER TABLE ops.snapshot_parts
  ADD COLUMN IF NOT EXISTS after_name text,
  ADD COLUMN IF NOT EXISTS after_columns text[],
  ADD COLUMN IF NOT EXISTS after_types text[];
CREATE TABLE IF NOT EXISTS ops.snapshot_definitions (
  snapshot_id uuid NOT NULL REFERENCES ops.snapshots ON DELETE CASCADE, seq integer NOT NULL,
  side text NOT NULL CHECK (side IN ('before', 'after')), kind text NOT NULL, object text NOT NULL,
  create_sql text NOT NULL, definition jsonb NOT NULL,
  PRIMARY KEY (snapshot_id, seq)
);
CREATE TABLE IF NOT EXISTS ops.parked (
  id uuid PRIMARY KEY, snapshot_id uuid NOT NULL REFERENCES ops.snapshots ON DELETE CASCADE,
  schema_name text NOT NULL, table_name text NOT NULL, parked_name text NOT NULL, renamed jsonb NOT NULL,
  row_count bigint NOT NULL, bytes bigint NOT NULL, since timestamptz NOT NULL, until timestamptz NOT NULL,
  unparked_at timestamptz, purged_at timestamptz
);
CREATE TABLE IF NOT EXISTS ops.conflicts (
  snapshot_id uuid NOT NULL REFERENCES ops.snapshots ON DELETE CASCADE,
  found_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), table_name text NOT NULL, key text[] NOT NULL,
  column_name text, why text NOT NULL, before text, after text, now text
);
CREATE TABLE IF NOT EXISTS ops.unsettled (
  id uuid PRIMARY KEY, before bytea NOT NULL, snapshot_id uuid REFERENCES ops.snapshots ON DELETE SET NULL,
  snapshot_after text, receipt_id uuid
);
"""

_STEADY = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
}


def make_tables(conn: psycopg.Connection[Any]) -> None:
    """Make the tables of snapshots in schema `ops`, which is there already, and those that an older version lacks."""
    found = conn.execute(
        "SELECT pg_catalog.to_regclass('ops.unsettled') IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_attribute"
        " WHERE attrelid = pg_catalog.to_regclass('ops.snapshot_parts') AND attname = 'after_types')"
    ).fetchone()
    if found is not None and found[0]:
        return
    conn.execute(_MAKE)
    for name in _TABLES:
        close_to_others(conn, name)


def ready_for_savepoint(conn: psycopg.Connection[Any]) -> None:
    """Let a savepoint follow on any statement, inside a transaction in which `make_tables` was called.

    ALTER DOMAIN ... DROP CONSTRAINT leaves the server a note that it reads only after the next statement that writes;
    until then it refuses whatever changes the catalog within a savepoint. This one writes nothing, but counts as one.
    """
    conn.execute("DELETE FROM ops.unsettled WHERE false")


def close_to_others(conn: psycopg.Connection[Any], name: str) -> None:
    """Take back every right on a relation of schema `ops` from all but its owner, default privileges included."""
    rows = conn.execute(
        "SELECT DISTINCT CASE WHEN x.grantee = 0 THEN NULL ELSE x.grantee::pg_catalog.regrole::text END"
        " FROM (SELECT c.relowner, c.relacl AS acl FROM pg_catalog.pg_class c"
        " WHERE c.relnamespace = 'ops'::pg_catalog.regnamespace AND c.relname = %(name)s"
        " UNION ALL SELECT c.relowner, a.attacl FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'ops'::pg_catalog.regnamespace AND c.relname = %(name)s) o,"
        " pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.relowner",
        {"name": name},
    ).fetchall()
    for (role,) in rows:
        grantee = sql.SQL("PUBLIC") if role is None else sql.SQL(role)
        conn.execute(sql.SQL("REVOKE ALL ON {} FROM {} CASCADE").format(sql.Identifier("ops", name), grantee))


@contextmanager
def steady_texts(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Within: every value has one text, whatever a script or a role has set, and types are named in full.

    Inside a transaction only; the settings are again what they were afterwards.
    """
    before = [(name, conn.execute("SELECT pg_catalog.current_setting(%s)", (name,)).fetchone()) for name in (*_STEADY,)]
    with bare_search_path(conn):
        for name, value in _STEADY.items():
            conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        yield
        if conn.info.transaction_status != psycopg.pq.TransactionStatus.INERROR and not conn.closed:
            for name, row in before:
                conn.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, row[0] if row else ""))
