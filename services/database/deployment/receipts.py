"""Knows the deploy receipts in a target: schema `ops`, all that we own there, and the rows that prove deploys."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.database.connect import APPLICATION_NAME, connect
from services.database.fingerprint import Fingerprint
from services.errors import Refused, Unavailable

_MARK = "Deploy receipts, parked tables and snapshots; made by the release cockpit, removed by it with one command"
LOCK_KEY = 7_305_808_869_229_538_401
"""One advisory lock a database: "release!" as a number. Whoever holds it deploys or rolls back."""

HIDDEN = "receipts-hidden"
"""The reason of an error: the role that asked may not look at the receipts."""

SCHEMA_SQL = f"""
CREATE SCHEMA IF NOT EXISTS ops;
COMMENT ON SCHEMA ops IS '{_MARK}';
CREATE TABLE IF NOT EXISTS ops.deploy_receipts (
  id uuid PRIMARY KEY, job_id text NOT NULL UNIQUE, release_id text NOT NULL, plan_hash text NOT NULL,
  actor text NOT NULL,
  deployed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), statements integer NOT NULL,
  fingerprint_before text NOT NULL, facts_before bytea NOT NULL,
  fingerprint_after text NOT NULL, facts_after bytea NOT NULL,
  rolled_back_at timestamptz, rolled_back_by text, rollback_job_id text UNIQUE, snapshot_id uuid,
  rollback_result jsonb
);
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
"""
"""All that is ours in a target; each statement does nothing where its part is there."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of one deploy. `before` and `after` are the catalog's fingerprints around it."""

    id: str
    job_id: str
    release_id: str
    plan_hash: str
    actor: str
    deployed_at: datetime
    statements: int
    before: Fingerprint
    after: Fingerprint
    rolled_back_at: datetime | None
    rolled_back_by: str | None
    snapshot_id: str | None
    rollback_result: dict[str, Any] | None


def try_lock(conn: psycopg.Connection[Any]) -> bool:
    """Take the one lock for changing this database, without waiting. It lasts as long as the connection."""
    row = conn.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    return row is not None and bool(row[0])


def require_lock(conn: psycopg.Connection[Any]) -> None:
    """Take the lock, or raise Refused naming who holds it."""
    if try_lock(conn):
        return
    holder = lock_holder(conn)
    who = f"{holder[1] or 'another program'} (process {holder[0]})" if holder else "another session"
    raise Refused(
        f"Another deploy or rollback is under way on this database: {who}.",
        "Nothing was changed.",
        "Wait for it to end, then try again.",
    )


def lock_holder(conn: psycopg.Connection[Any]) -> tuple[int, str] | None:
    """(process id, application) of the session that holds the lock for changing this database."""
    return conn.execute(
        "SELECT l.pid, COALESCE(a.application_name, '') FROM pg_catalog.pg_locks l"
        " LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
        " AND (l.classid::bigint << 32) | l.objid::bigint = %s",
        (LOCK_KEY,),
    ).fetchone()


def make_schema(conn: psycopg.Connection[Any]) -> None:
    """Make schema `ops` and its tables where they are missing, reachable by nobody but their owner.

    Raises Refused where a schema of that name is there that we did not make.
    """
    row = conn.execute(
        "SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = 'ops'"
    ).fetchone()
    if row is not None and row[0] != _MARK:
        raise Refused(
            "The database has a schema named ops that was not made by this product.",
            "Nothing was changed: its contents are not ours.",
            "Rename that schema, then try again.",
        )
    if row is None or not receipts_exist(conn):
        conn.execute(SCHEMA_SQL)
        revoke_all(conn)


def revoke_all(conn: psycopg.Connection[Any]) -> None:
    """Take back what default privileges may have granted on our schema and tables to others."""
    rows = conn.execute(
        "SELECT DISTINCT CASE WHEN x.grantee = 0 THEN NULL ELSE x.grantee::pg_catalog.regrole::text END"
        " FROM (SELECT relacl AS acl, relowner AS owner FROM pg_catalog.pg_class"
        "       WHERE relnamespace = 'ops'::pg_catalog.regnamespace"
        "       UNION ALL SELECT nspacl, nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'ops') o,"
        " pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner"
    ).fetchall()
    for (role,) in rows:
        grantee = sql.SQL("PUBLIC") if role is None else sql.SQL(role)
        conn.execute(sql.SQL("REVOKE ALL ON SCHEMA ops FROM {}").format(grantee))
        conn.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA ops FROM {}").format(grantee))


def receipts_exist(conn: psycopg.Connection[Any]) -> bool:
    """True if deploys have been recorded here before."""
    row = conn.execute("SELECT pg_catalog.to_regclass('ops.deploy_receipts') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def write_receipt(
    conn: psycopg.Connection[Any],
    *,
    job_id: str,
    release_id: str,
    plan_hash: str,
    actor: str,
    statements: int,
    before: Fingerprint,
    after: Fingerprint,
) -> str:
    """Write the receipt inside the deploy's own transaction; returns its id."""
    receipt_id = str(uuid.uuid4())
    conn.execute(
        "INSERT INTO ops.deploy_receipts (id, job_id, release_id, plan_hash, actor, statements, fingerprint_before,"
        " facts_before, fingerprint_after, facts_after) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            receipt_id,
            job_id,
            release_id,
            plan_hash,
            actor,
            statements,
            before.digest,
            before.packed(),
            after.digest,
            after.packed(),
        ),
    )
    return receipt_id


def receipt_of(conn: psycopg.Connection[Any], column: str, value: str) -> Receipt | None:
    """The newest receipt whose column ("job_id", "release_id", "rollback_job_id") has the value."""
    if not receipts_exist(conn):
        return None
    query = sql.SQL("SELECT * FROM ops.deploy_receipts WHERE {} = %s ORDER BY deployed_at DESC LIMIT 1")
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query.format(sql.Identifier(column)), (value,)).fetchone()
    if row is None:
        return None
    return Receipt(
        id=str(row["id"]),
        job_id=row["job_id"],
        release_id=row["release_id"],
        plan_hash=row["plan_hash"],
        actor=row["actor"],
        deployed_at=row["deployed_at"],
        statements=row["statements"],
        before=Fingerprint.unpacked(row["facts_before"]),
        after=Fingerprint.unpacked(row["facts_after"]),
        rolled_back_at=row["rolled_back_at"],
        rolled_back_by=row["rolled_back_by"],
        snapshot_id=str(row["snapshot_id"]) if row["snapshot_id"] else None,
        rollback_result=row["rollback_result"],
    )


def mark_rolled_back(
    conn: psycopg.Connection[Any],
    receipt_id: str,
    *,
    actor: str,
    job_id: str,
    snapshot_id: str | None,
    result: dict[str, Any],
) -> None:
    """Note in the receipt, inside the rollback's own transaction, that the deploy was taken back."""
    conn.execute(
        "UPDATE ops.deploy_receipts SET rolled_back_at = pg_catalog.clock_timestamp(), rolled_back_by = %s,"
        " rollback_job_id = %s, snapshot_id = %s, rollback_result = %s WHERE id = %s",
        (actor, job_id, snapshot_id, Jsonb(result), receipt_id),
    )


def find_receipt(url: str, release_id: str) -> Receipt | None:
    """The newest receipt of a release in the target, rolled back or not; None if it was never deployed.

    Raises as `connect` does, and Unavailable ("receipts-hidden") where the role may not look at the receipts.
    """
    with connect(url, read_only=True, statement_timeout_s=10) as conn, _hidden_told(conn):
        return receipt_of(conn, "release_id", release_id)


@contextmanager
def _hidden_told(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """A role that only reads may see nothing of our schema: that is an answer we do not have, and no receipt."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege:
        raise Unavailable(
            f"The role {conn.info.user!r} may not look into schema ops, where the deploy receipts are.",
            "What has been deployed is not known.",
            "Look as the owner of the database: while it is armed, our jobs do.",
        ).because(HIDDEN) from None


def remove_all(url: str) -> bool:
    """Remove schema `ops` with all receipts, snapshots and parked tables. False if it was not there.

    Raises Refused where the schema is not ours, or a deploy is under way.
    """
    with connect(url, statement_timeout_s=60) as conn:
        require_lock(conn)
        row = conn.execute("SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'ops'").fetchone()
        if row is None:
            return False
        with conn.transaction():
            make_schema(conn)
            conn.execute("DROP SCHEMA ops CASCADE")
        return True


def application_name(job_id: str) -> str:
    """How the session of a job is named in the server's activity view (63 bytes at most)."""
    return f"{APPLICATION_NAME} {job_id}"[:63]


def outcome(
    url: str, job_id: str, column: Literal["job_id", "rollback_job_id"] = "job_id"
) -> Literal["applied", "not-applied", "in-progress"]:
    """What became of a deploy whose client is gone: told by its receipt and by the sessions still there.

    column: "rollback_job_id" asks the same of a rollback.
    "in-progress" while its server process lives, or while a process that we cannot name holds the lock.
    Raises as `find_receipt`.
    """
    with connect(url, read_only=True, statement_timeout_s=10) as conn, _hidden_told(conn):
        if receipt_of(conn, column, job_id):
            return "applied"
        alive = conn.execute(
            "SELECT FROM pg_catalog.pg_stat_activity"
            " WHERE application_name = %s AND pid <> pg_catalog.pg_backend_pid()",
            (application_name(job_id),),
        ).fetchone()
        holder = lock_holder(conn)
        if alive is not None or (holder is not None and not holder[1]):
            return "in-progress"
        # It may have committed between our two looks.
        return "applied" if receipt_of(conn, column, job_id) else "not-applied"
