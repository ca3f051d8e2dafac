"""Knows what must hold once a round is over, asked of the server itself: as a superuser, by no means of the product."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.fingerprint import Fingerprint as Catalog
from services.database.fingerprint import catalog_fingerprint, difference
from tests.kills.changes import OURS

_GONE_WITHIN_S = 5.0

_TABLES = """
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops') ORDER BY 1, 2
"""
_LEFT = {
    # But for those of a TOAST table, which a role that is no superuser cannot drop: it is told of them.
    "an invalid index": "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
    " WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind <> 't'",
    "a partition half detached": "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhdetachpending",
    "a prepared transaction": "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()",
    "a temporary table": "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'",
}
_SESSIONS = """
SELECT application_name || ' ' || pid || ' (' || COALESCE(state, '') || ')' FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_LOCKS = """
SELECT l.mode || ' on ' || COALESCE(l.relation::regclass::text, l.locktype) FROM pg_locks l
WHERE l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid AND a.backend_type <> 'client backend')
"""


@dataclass(frozen=True, slots=True)
class State:
    """A database's catalog, and its rows but for those of the people who write meanwhile, as a digest per table."""

    catalog: Catalog
    rows: dict[str, tuple[int, str]]

    @classmethod
    def of(cls, conn: psycopg.Connection[Any]) -> State:
        rows = {}
        for schema, table in conn.execute(_TABLES).fetchall():
            query = sql.SQL(
                "SELECT count(*), md5(COALESCE(sum(hashtextextended(t::text, 0)), 0)::text) FROM ONLY {} t"
                " WHERE t.id < {}"
            ).format(sql.Identifier(schema, table), sql.Literal(OURS))
            found = conn.execute(query).fetchone()
            assert found is not None
            rows[f"{schema}.{table}"] = (int(found[0]), str(found[1]))
        return cls(catalog_fingerprint(conn), rows)

    def other_than(self, wanted: State) -> str:
        """What differs from the wanted state, in words; empty where nothing does."""
        told = []
        if self.catalog.digest != wanted.catalog.digest:
            told.append(difference(wanted.catalog, self.catalog).sentence())
        told += [
            f"rows of {table}: {self.rows.get(table)} instead of {wanted.rows.get(table)}"
            for table in sorted(self.rows.keys() | wanted.rows.keys())
            if self.rows.get(table) != wanted.rows.get(table)
        ]
        return "; ".join(told)


def nothing_left(conn: psycopg.Connection[Any]) -> list[str]:
    """What of ours is still there, though nobody works on the database any more."""
    until = time.monotonic() + _GONE_WITHIN_S
    while (still := [row[0] for query in (_SESSIONS, _LOCKS) for row in conn.execute(query)]) and (
        time.monotonic() < until
    ):
        time.sleep(0.01)
    left = [f"still there: {one}" for one in still]
    for what, query in _LEFT.items():
        left += [f"{what}: {row[0]}" for row in conn.execute(query)]
    return left


def receipt(conn: psycopg.Connection[Any], release_id: str) -> dict[str, Any] | None:
    """The newest receipt of the release as it stands in the table."""
    there = conn.execute("SELECT to_regclass('ops.deploy_receipts')").fetchone()
    if there is None or there[0] is None:
        return None
    row = conn.execute(
        "SELECT state, fingerprint_before, fingerprint_after, rolled_back_at IS NOT NULL FROM ops.deploy_receipts"
        " WHERE release_id = %s ORDER BY deployed_at DESC LIMIT 1",
        (release_id,),
    ).fetchone()
    return None if row is None else dict(zip(("state", "before", "after", "rolled_back"), row, strict=True))


def disagreement(conn: psycopg.Connection[Any], release_id: str, action: str, now: Catalog) -> list[str]:
    """Where the deploy receipt says something else than the catalog does."""
    found = receipt(conn, release_id)
    if found is None:
        return ["there is no receipt"]
    if found["state"] != "done":
        return [f"the receipt says {found['state']}"]
    if found["rolled_back"] != (action != "deploy"):
        return ["the receipt and the rollback disagree"]
    if action == "deploy" and found["after"] != now.digest:
        return ["the receipt proves another catalog"]
    steps = conn.execute("SELECT count(*) FROM ops.deploy_steps WHERE done_at IS NULL").fetchone()
    return ["a step is only intended"] if steps and steps[0] else []


def half_kept(conn: psycopg.Connection[Any]) -> list[str]:
    """Snapshots and parked tables of which a half is missing."""
    if conn.execute("SELECT to_regclass('ops.parked')").fetchone() == (None,):
        return []
    wrong = [
        f"snapshot {row[0]} has no part"
        for row in conn.execute(
            "SELECT id FROM ops.snapshots s WHERE NOT EXISTS"
            " (SELECT FROM ops.snapshot_parts p WHERE p.snapshot_id = s.id)"
        )
    ]
    known = set()
    for kind, table, copy, after, count in conn.execute(
        "SELECT kind, table_name, copy_name, after_name, row_count FROM ops.snapshot_parts"
    ).fetchall():
        known |= {copy, after}
        if kind in ("table", "column") and _count(conn, copy) != count:
            wrong.append(f"the copy of {table} has not its {count} rows")
    for name, count, back in conn.execute(
        "SELECT parked_name, row_count, unparked_at IS NOT NULL FROM ops.parked"
    ).fetchall():
        known.add(name)
        if not back and _count(conn, name) != count:
            wrong.append(f"the parked {name} has not its {count} rows")
    tables = conn.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'ops'::regnamespace AND relkind = 'r'"
        " AND relname ~ '^(snapshot|parked)_[0-9a-f]{8}_'"
    ).fetchall()
    return wrong + [f"ops.{name} is of no record" for (name,) in tables if name not in known]


def _count(conn: psycopg.Connection[Any], name: str) -> int | None:
    if conn.execute("SELECT to_regclass(%s)", (f"ops.{name}",)).fetchone() == (None,):
        return None
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("ops", name))).fetchone()
    return int(row[0]) if row else None


def lost_writes(conn: psycopg.Connection[Any], acknowledged: dict[str, set[int]]) -> list[str]:
    """Rows that were written and acknowledged, and are neither in place nor kept."""
    lost = []
    for table, wanted in acknowledged.items():
        found = set()
        for name in _where(conn, table):
            found |= {row[0] for row in conn.execute(sql.SQL("SELECT id FROM {}").format(name))}
        if missing := wanted - found:
            lost.append(f"{len(missing)} of {len(wanted)} later writes to {table} are lost")
    return lost


def _where(conn: psycopg.Connection[Any], table: str) -> Iterator[sql.Identifier]:
    if conn.execute("SELECT to_regclass(%s)", (f"public.{table}",)).fetchone() != (None,):
        yield sql.Identifier("public", table)
    if conn.execute("SELECT to_regclass('ops.snapshot_parts')").fetchone() == (None,):
        return
    for (copy,) in conn.execute(
        "SELECT copy_name FROM ops.snapshot_parts WHERE table_name = %s AND kind IN ('table', 'parked')", (table,)
    ).fetchall():
        if conn.execute("SELECT to_regclass(%s)", (f"ops.{copy}",)).fetchone() != (None,):
            yield sql.Identifier("ops", copy)
