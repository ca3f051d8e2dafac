"""Knows the deploy receipts in a target: schema `ops`, all that we own there, and the rows that prove deploys."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from services.database.change_lock import lock_holder, require_lock
from services.database.connect import APPLICATION_NAME, connect
from services.database.fingerprint import Fingerprint
from services.database.snapshots.settling import unsettled_inverse
from services.errors import Refused, Unavailable

MARK = "Deploy receipts, parked tables and snapshots; made by the release cockpit, removed by it with one command"
HIDDEN = "receipts-hidden"
"""The reason of an error: the role that asked may not look at the receipts."""

FAST = 1
"""How catalogs are compressed inside a deploy's transaction, while writers may wait."""

_PARTS_SQL = f"""
CREATE SCHEMA IF NOT EXISTS ops;
COMMENT ON SCHEMA ops IS '{MARK}';
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
ALTER TABLE ops.deploy_receipts ADD COLUMN IF NOT EXISTS state text NOT NULL DEFAULT 'done',
  ADD COLUMN IF NOT EXISTS kept_snapshot_id uuid, ADD COLUMN IF NOT EXISTS parked text[],
  ADD COLUMN IF NOT EXISTS inverse jsonb, ADD COLUMN IF NOT EXISTS listed text[];
CREATE TABLE IF NOT EXISTS ops.deploy_steps (
  receipt_id uuid NOT NULL REFERENCES ops.deploy_receipts ON DELETE CASCADE, seq integer NOT NULL, kind text NOT NULL,
  digest text NOT NULL, file text, line integer, intended_at timestamptz, done_at timestamptz, detail jsonb,
  facts_after bytea, PRIMARY KEY (receipt_id, seq)
);
"""

_FORM = f"deploy receipts, form {hashlib.sha256(_PARTS_SQL.encode()).hexdigest()[:16]}"

SCHEMA_SQL = f"{_PARTS_SQL}COMMENT ON TABLE ops.deploy_receipts IS '{_FORM}';\n"
"""All that is ours in a target; each statement does nothing where its part is there. The comment tells whether it is
the form that this version makes, so that an older one is brought up to it."""

State = Literal["begun", "done", "superseded"]
Outcome = Literal["applied", "begun", "not-applied", "in-progress"]
OutcomeColumn = Literal["job_id", "rollback_job_id"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of one deploy. `before` and `after` are the catalog's fingerprints around it. Times are in UTC.

    state: "begun" while only some of its parts are in (see `apart`), "superseded" where another deploy of the release
    came after such a one.
    kept_snapshot_id, parked: what the deploy itself kept of the rows it took away; snapshot_id is the rollback's.
    inverse: {"sql", "not_restored"} derived from the catalog, for a release that brought no rollback.
    listed: the versions under which it stands in the target's own list of migrations.
    """

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
    state: State = "done"
    kept_snapshot_id: str | None = None
    parked: tuple[str, ...] = ()
    inverse: dict[str, Any] | None = None
    listed: tuple[str, ...] = ()


def make_schema(conn: psycopg.Connection[Any]) -> None:
    """Make schema `ops` and its tables where they are missing, reachable by nobody but their owner.

    Raises Refused where a schema of that name is there that we did not make.
    """
    row = conn.execute(
        "SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = 'ops'"
    ).fetchone()
    if row is not None and row[0] != MARK:
        raise Refused(
            "The database has a schema named ops that was not made by this product.",
            "Nothing was changed: its contents are not ours.",
            "Rename that schema, then try again.",
        )
    if row is None or not _has_this_form(conn):
        conn.execute(SCHEMA_SQL)
        revoke_all(conn)


def _has_this_form(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(
        "SELECT pg_catalog.obj_description(pg_catalog.to_regclass('ops.deploy_receipts'), 'pg_class')"
    ).fetchone()
    return row is not None and row[0] == _FORM


def revoke_all(conn: psycopg.Connection[Any]) -> None:
    """Take back what default privileges may have granted on our schema and tables to others.

    The roles that read for us keep what they were given.
    """
    rows = conn.execute(
        "SELECT DISTINCT CASE WHEN x.grantee = 0 THEN NULL ELSE x.grantee::pg_catalog.regrole::text END"
        " FROM (SELECT relacl AS acl, relowner AS owner FROM pg_catalog.pg_class"
        "       WHERE relnamespace = 'ops'::pg_catalog.regnamespace"
        "       UNION ALL SELECT nspacl, nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'ops') o,"
        " pg_catalog.aclexplode(o.acl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee"
        " WHERE x.grantee <> o.owner AND COALESCE(r.rolname !~ '^ops_reader(_[a-z0-9_]+)?$', true)"
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
    before: str,
    facts_before: bytes,
    after: Fingerprint,
    state: State = "done",
) -> str:
    """Write the receipt inside the deploy's own transaction; returns its id. state "begun": more parts follow.

    before, facts_before: digest of the catalog of before, and its facts as `packed` gives them.
    """
    receipt_id = str(uuid.uuid4())
    # A job that is asked for again after another plan of its stopped half-way: the id is this plan's now.
    conn.execute(
        "UPDATE ops.deploy_receipts SET job_id = job_id || ' before ' || %s WHERE job_id = %s AND state = 'begun'",
        (receipt_id, job_id),
    )
    conn.execute(
        "INSERT INTO ops.deploy_receipts (id, job_id, release_id, plan_hash, actor, statements, fingerprint_before,"
        " facts_before, fingerprint_after, facts_after, state) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            receipt_id,
            job_id,
            release_id,
            plan_hash,
            actor,
            statements,
            before,
            facts_before,
            after.digest,
            after.packed(level=FAST),
            state,
        ),
    )
    conn.execute(
        "UPDATE ops.deploy_receipts SET state = 'superseded' WHERE release_id = %s AND state = 'begun' AND id <> %s",
        (release_id, receipt_id),
    )
    return receipt_id


def half_stays(half: Receipt) -> dict[str, str]:
    """What is told, as a notice, of a deploy that stopped half-way and is not gone on with."""
    message = (
        f"A deploy of {half.release_id} at {half.deployed_at:%Y-%m-%d %H:%M} UTC stopped half-way, and this is another"
        " plan: what its parts did counts as there before, and a rollback leaves it in."
    )
    return {"message": message, "severity": "WARNING"}


def halves_before(conn: psycopg.Connection[Any], receipt: Receipt) -> list[Receipt]:
    """Deploys of the same release that stopped half-way and that this one, or one that came to nothing, replaced."""
    rows = conn.execute(
        "SELECT r.id::text FROM ops.deploy_receipts r WHERE r.release_id = %(release)s AND r.state = 'superseded'"
        " AND r.deployed_at < %(at)s AND NOT EXISTS (SELECT FROM ops.deploy_receipts d"
        " WHERE d.release_id = r.release_id AND d.state = 'done'"
        " AND d.deployed_at > r.deployed_at AND d.deployed_at < %(at)s) ORDER BY r.deployed_at",
        {"release": receipt.release_id, "at": receipt.deployed_at},
    ).fetchall()
    return [found for (key,) in rows if (found := receipt_of(conn, "id", key)) is not None]


def go_on_with_receipt(
    conn: psycopg.Connection[Any], receipt_id: str, *, job_id: str, statements: int, after: Fingerprint, state: State
) -> None:
    """Bring the receipt of a deploy of several parts up to date, inside the transaction of a later part."""
    conn.execute(
        "UPDATE ops.deploy_receipts SET job_id = %s, statements = statements + %s, fingerprint_after = %s,"
        " facts_after = %s, state = %s WHERE id = %s",
        (job_id, statements, after.digest, after.packed(level=FAST), state, receipt_id),
    )


def note_kept(
    conn: psycopg.Connection[Any],
    receipt_id: str,
    *,
    snapshot_id: str | None,
    parked: Sequence[str],
) -> None:
    """Note in the receipt what the deploy kept of what it took away."""
    conn.execute(
        "UPDATE ops.deploy_receipts SET kept_snapshot_id = COALESCE(%s, kept_snapshot_id),"
        " parked = COALESCE(parked, '{}') || %s::text[] WHERE id = %s",
        (snapshot_id, list(parked), receipt_id),
    )


def note_listed(conn: psycopg.Connection[Any], receipt_id: str, versions: Sequence[str]) -> None:
    """Note in the receipt under which versions the target lists the change."""
    if versions:
        conn.execute("UPDATE ops.deploy_receipts SET listed = %s WHERE id = %s", (list(versions), receipt_id))


def receipt_of(conn: psycopg.Connection[Any], column: str, value: str) -> Receipt | None:
    """The newest receipt whose column ("job_id", "release_id", "rollback_job_id") has the value."""
    if not receipts_exist(conn):
        return None
    query = sql.SQL("SELECT * FROM ops.deploy_receipts WHERE {} = %s ORDER BY deployed_at DESC LIMIT 1")
    # Binary, since the server may write times in any DateStyle.
    with conn.cursor(row_factory=dict_row, binary=True) as cursor:
        row = cursor.execute(query.format(sql.Identifier(column)), (value,)).fetchone()
    if row is None:
        return None
    return Receipt(
        id=str(row["id"]),
        job_id=row["job_id"],
        release_id=row["release_id"],
        plan_hash=row["plan_hash"],
        actor=row["actor"],
        deployed_at=row["deployed_at"].astimezone(UTC),
        statements=row["statements"],
        before=Fingerprint.unpacked(row["facts_before"]),
        after=Fingerprint.unpacked(row["facts_after"]),
        rolled_back_at=row["rolled_back_at"].astimezone(UTC) if row["rolled_back_at"] else None,
        rolled_back_by=row["rolled_back_by"],
        snapshot_id=str(row["snapshot_id"]) if row["snapshot_id"] else None,
        rollback_result=row["rollback_result"],
        # Receipts that an older version wrote have none of these.
        state=row.get("state", "done"),
        kept_snapshot_id=str(row["kept_snapshot_id"]) if row.get("kept_snapshot_id") else None,
        parked=tuple(row.get("parked") or ()),
        inverse=row.get("inverse"),
        listed=tuple(row.get("listed") or ()),
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
    with connect(url, read_only=True, statement_timeout_s=10) as conn, hidden_told(conn):
        receipt = receipt_of(conn, "release_id", release_id)
        if receipt is not None and receipt.inverse is None:
            receipt = replace(receipt, inverse=unsettled_inverse(conn, receipt.id))
        return receipt


@contextmanager
def hidden_told(conn: psycopg.Connection[Any]) -> Iterator[None]:
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


def outcome(url: str, job_id: str, column: OutcomeColumn = "job_id") -> Outcome:
    """What became of a deploy whose client is gone: told by its receipt and by the sessions still there.

    column: "rollback_job_id" asks the same of a rollback.
    "begun": some parts of a deploy of several are in, and the rest waits to be resumed.
    "in-progress" while its server process lives, or while a process that we cannot name holds the lock.
    Raises as `find_receipt`.
    """
    with connect(url, read_only=True, statement_timeout_s=10) as conn, hidden_told(conn):
        before = _told_by_receipt(receipt_of(conn, column, job_id))
        if before == "applied":
            return before
        alive = conn.execute(
            "SELECT FROM pg_catalog.pg_stat_activity"
            " WHERE application_name = %s AND pid <> pg_catalog.pg_backend_pid()",
            (application_name(job_id),),
        ).fetchone()
        holder = lock_holder(conn)
        if alive is not None or (holder is not None and not holder[1]):
            return "in-progress"
        # It may have committed between our two looks.
        return _told_by_receipt(receipt_of(conn, column, job_id))


def _told_by_receipt(receipt: Receipt | None) -> Outcome:
    if receipt is None:
        return "not-applied"
    return "begun" if receipt.state != "done" and receipt.rolled_back_at is None else "applied"
