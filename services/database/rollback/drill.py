"""Knows whether a snapshot could be brought back: it is restored on a copy of the database, and compared row by row."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import psycopg
from psycopg import sql

from services.database.backup.programs import Program, Tools, tools_for
from services.database.connect import connect, inspect_connection, patient
from services.database.execution import Cancelled, Emit, never, silent
from services.database.rehearsal.roles import make_roles, read_circumstances
from services.database.rollback.restoring import restore
from services.database.rollback.result import Proof
from services.database.server import Server, scratch_server
from services.database.snapshots.snapshot import Part, parts_of, text_hash
from services.database.snapshots.storage import steady_texts
from services.errors import OpsError, Refused

_DATABASE = "drill"
_PATIENCE_S = 120.0
MOST_BYTES = 200 * 1024 * 1024
"""Larger databases are not copied for a drill."""


def drill(url: str, snapshot_id: str, *, emit: Emit = silent, cancelled: Cancelled = never) -> Proof:
    """Copy the database behind `url` to a scratch server, restore the snapshot there, and compare every kept row.

    The target is only read. What cannot be tried is told as not known; only Stopped is raised.
    """
    emit("phase", {"name": "drill"})
    try:
        with connect(url, read_only=True, statement_timeout_s=30) as target:
            facts = inspect_connection(target, url)
            if facts.size_bytes > MOST_BYTES:
                return Proof(None, f"The database is too large for a drill ({facts.size_bytes // 1_000_000} MB).")
            around = read_circumstances(target)
            encoding = target.execute("SELECT pg_catalog.getdatabaseencoding()::text").fetchone()
        tools = tools_for(facts.major)
        with scratch_server(binaries=tools.binaries) as server:
            with connect(patient(server.dsn())) as admin:
                make_roles(admin, around)
                # Rows are proved byte by byte.
                made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}")
                given = str(encoding[0]) if encoding else "UTF8"
                admin.execute(made.format(sql.Identifier(_DATABASE), sql.Literal(given)))
            _copy(url, server, tools, cancelled)
            return prove_on(patient(server.dsn(_DATABASE)), snapshot_id, cancelled=cancelled)
    except OpsError as error:
        return Proof(None, f"The drill could not be made: {error.what}")
    except psycopg.Error as error:
        return Proof(None, f"The drill could not be made (SQLSTATE {error.sqlstate or 'none'}).")


def _copy(url: str, server: Server, tools: Tools, cancelled: Cancelled) -> None:
    """Dump all of the database, our own schema included, into a new one on the scratch server."""
    with tempfile.TemporaryFile() as file:
        for argv, place, doing in (
            ([str(tools.pg_dump), "--format=custom", "--compress=0", "--no-subscriptions"], url, "Reading"),
            (
                [str(tools.pg_restore), "--no-owner", "--single-transaction", "--exit-on-error"],
                patient(server.dsn(_DATABASE)),
                "Copying",
            ),
        ):
            reads = doing == "Copying"
            file.seek(0)
            lent = os.dup(file.fileno())
            with Program(argv, url=place, stdin=lent if reads else None, stdout=None if reads else lent) as program:
                if program.wait(cancelled, patience_s=_PATIENCE_S):
                    raise program.complaint(f"{doing} the database failed")


def prove_on(url: str, snapshot_id: str, *, cancelled: Cancelled = never) -> Proof:
    """Restore the snapshot in this copy of its database, and compare every kept row.

    Where what was made since stands in the way, it is tried once more with that taken out, as `restore --undo` does.
    """
    how = "Restored on a copy"
    try:
        done = restore(url, snapshot_id, cancelled=cancelled)
    except Refused:
        how = "Restored on a copy by restore --undo"
        try:
            done = restore(url, snapshot_id, undo=True, cancelled=cancelled)
        except Refused as refused:
            return Proof(False, f"{how}, it failed: {refused.what}")
    with connect(url) as conn, conn.transaction(), steady_texts(conn):
        parts = [part for part in parts_of(conn, snapshot_id) if part.kind != "inserted"]
        different = [part.name for part in parts if not _is_back(conn, part)]
    rows = sum(part.rows.count for part in parts)
    if different:
        return Proof(False, f"{how}, {', '.join(sorted(set(different)))} did not come back as kept.")
    if done.conflicts:
        told = "; ".join(f"{conflict.table}: {conflict.why}" for conflict in done.conflicts)
        return Proof(False, f"{how}, not everything came back: {told}.")
    tables = len({part.name for part in parts})
    kept = f"{rows} row{'' if rows == 1 else 's'} of {tables} table{'' if tables == 1 else 's'}"
    return Proof(True, f"{how}: {kept} came back as kept.")


def _is_back(conn: psycopg.Connection[Any], part: Part) -> bool:
    """Whether every kept row stands in its table again; rows written since do not count."""
    table = sql.Identifier(part.schema, part.table)
    copy = sql.Identifier("ops", part.copy_name)
    there = conn.execute(
        "SELECT pg_catalog.to_regclass(%s) IS NOT NULL, pg_catalog.to_regclass(%s) IS NOT NULL",
        (table.as_string(conn), copy.as_string(conn)),
    ).fetchone()
    if there is None or not there[0]:
        return False
    if not there[1]:  # it was parked, and stands in its place again; a parked table has no copy to be hashed
        found = text_hash(conn, table, part.columns, like=part.rows.digest)
        return found == part.rows if part.rows.digest else found.count == part.rows.count
    values = sql.SQL(", ").join(sql.SQL("r.{}::text").format(sql.Identifier(name)) for name in part.columns)
    missing = conn.execute(
        sql.SQL(
            "SELECT FROM (SELECT {0} FROM ONLY {1} r EXCEPT ALL SELECT {0} FROM ONLY {2} r) lacking LIMIT 1"
        ).format(values, copy, table)
    ).fetchone()
    return missing is None
