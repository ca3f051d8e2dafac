"""Knows how to restore a backup into an empty database of somebody's, in one transaction, and to compare it there."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from services.database.backup.contents import EXTENSIONS, PLATFORM
from services.database.backup.manifest import Manifest, Proof
from services.database.backup.programs import APPLICATION_NAME, tools_for
from services.database.backup.proving import Clock, compare, examine
from services.database.backup.restoring import Entry, Identities, restore_entries, table_of_contents
from services.database.connect import (
    ConnectionFacts,
    connect,
    connection_parameters,
    inspect_connection,
    refuse_transaction_pooler,
)
from services.database.execution import Cancelled, Emit, never, silent
from services.errors import OpsError, Refused, Unavailable
from services.verdict import Verdict

_NOTHING = "Nothing was restored, and the database is as it was."
_OF_THE_PLATFORM = ("EVENT TRIGGER", "PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "SUBSCRIPTION")
_OF_A_SUPERUSER = (*_OF_THE_PLATFORM, "DEFAULT ACL")

# What stands in schemas that are somebody's own, without what extensions brought.
_THERE = """
SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND n.nspname <> ALL (%s) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT n.nspname || '.' || p.proname || '()' FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY (%s) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1 LIMIT 6
"""


def restore_phrase(manifest: Manifest, url: str) -> str:
    """What is typed to restore a backup into the database behind `url`."""
    return f"restore {manifest.id} into {connection_parameters(url).get('dbname', '')}"


def restore_backup(
    file: Path,
    *,
    manifest: Manifest,
    identities: Identities,
    url: str,
    clock: Clock,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Proof:
    """Restore the file into the empty database behind `url`, then count and hash its rows there.

    Raises Refused where the file is not good (see `examine`), the database is not empty, older than the one that was
    backed up, or lacks roles or extensions; then nothing was changed. Stopped when cancelled, and so is that.
    """
    began = time.monotonic()
    emit("phase", {"name": "examine"})
    examine(file, manifest, identities)
    with connect(url, application_name=APPLICATION_NAME) as conn:
        facts = inspect_connection(conn, url)
        refuse_transaction_pooler(facts)
        _refuse_older(facts, manifest)
        tools = tools_for(max(facts.major, manifest.tool))
        _refuse_unless_empty(conn, manifest)
        _refuse_missing(conn, manifest, facts)
        entries = table_of_contents(file, identities, tools, cancelled)
        wanted = _wanted(conn, entries, manifest, facts)
    emit("phase", {"name": "restore"})
    try:
        restore_entries(
            url,
            file,
            identities,
            tools,
            entries=wanted,
            options=("--no-tablespaces", "--no-security-labels", *(() if facts.superuser else ("--no-owner",))),
            tables=len(manifest.tables),
            emit=emit,
            cancelled=cancelled,
        )
    except OpsError as error:
        kind = type(error)
        raise kind(error.what, _NOTHING, error.do or "Mend what it names, then try again.", str(file)) from None
    emit("phase", {"name": "compare"})
    try:
        with connect(url, read_only=True, application_name=APPLICATION_NAME) as conn:
            found = compare(conn, manifest, emit, cancelled)
    except psycopg.Error as error:
        said = f"It was restored, and could not be compared ({error.sqlstate or 'connection lost'})."
        return Proof(Verdict.UNKNOWN, clock(), said, 0, time.monotonic() - began, facts.major)
    found.not_compared.append("the catalog, which is laid out for the database that it was restored into")
    if not facts.superuser:
        found.not_compared.append(f"owners: all of it belongs to {facts.user}")
    left = len(entries) - len(wanted)
    if left:
        found.not_compared.append(f"{left} entries of the archive that were there already or are the platform's")
    return found.proof(clock(), time.monotonic() - began, facts.major)


def _refuse_older(facts: ConnectionFacts, manifest: Manifest) -> None:
    if facts.major < manifest.major:
        raise Refused(
            f"The database runs Postgres {facts.major}, and the backup was taken of Postgres {manifest.major}.",
            _NOTHING,
            f"Restore it into Postgres {manifest.major} or newer.",
            place="--database",
        )


def _refuse_unless_empty(conn: psycopg.Connection[Any], manifest: Manifest) -> None:
    found = [row[0] for row in conn.execute(_THERE, ([*PLATFORM, EXTENSIONS], list(manifest.schemas))).fetchall()]
    others = [table for table in manifest.tables if table.schema not in manifest.schemas]
    for table in others:
        place = sql.Identifier(table.schema, table.name)
        known = conn.execute("SELECT pg_catalog.to_regclass(%s)", (place.as_string(conn),)).fetchall()[0][0]
        if known and conn.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(place)).fetchall()[0][0]:
            found.append(f"rows of {table.place}")
    if found:
        more = " and more" if len(found) > 5 else ""
        raise Refused(
            f"The database is not empty: it holds {', '.join(found[:5])}{more}.",
            _NOTHING,
            "Restore into a new, empty database, look at it there, and only then let the app use it.",
            place="--database",
        )


def _refuse_missing(conn: psycopg.Connection[Any], manifest: Manifest, facts: ConnectionFacts) -> None:
    roles = {row[0] for row in conn.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()}
    if missing := [role for role in manifest.roles if role not in roles]:
        made = " ".join(sql.SQL("CREATE ROLE {} NOLOGIN;").format(sql.Identifier(r)).as_string(conn) for r in missing)
        raise Refused(
            f"The server lacks roles that the backup gives rights to: {', '.join(missing)}.",
            _NOTHING,
            f"Make them first: {made}",
            place="--database",
        )
    have = {row[0] for row in conn.execute("SELECT name FROM pg_catalog.pg_available_extensions").fetchall()}
    if facts.superuser and (lacking := [name for name in manifest.extensions if name not in have]):
        raise Unavailable(
            f"The server has no extension {', '.join(lacking)}, which the backed-up database uses.",
            _NOTHING,
            "Restore it on a server that has.",
            place="--database",
        )


def _wanted(
    conn: psycopg.Connection[Any], entries: Sequence[Entry], manifest: Manifest, facts: ConnectionFacts
) -> list[Entry]:
    """What is restored: all but what is there already, and what only the platform or a superuser may make."""
    schemas = [row[0] for row in conn.execute("SELECT nspname FROM pg_catalog.pg_namespace").fetchall()]
    known = [row[0] for row in conn.execute("SELECT extname FROM pg_catalog.pg_extension").fetchall()]
    theirs = [name for name in manifest.needed if name in schemas]
    inside = re.compile(rf"^(?:[A-Z]+ )+(?:{'|'.join(map(re.escape, theirs))}) ") if theirs else None
    left_out = _OF_THE_PLATFORM if facts.superuser else _OF_A_SUPERUSER

    def is_wanted(entry: Entry) -> bool:
        if entry.extension is not None:
            new = entry.extension in manifest.extensions and entry.extension not in known
            return new and (facts.superuser or not entry.what.startswith("COMMENT"))
        if entry.is_of(*left_out) or entry.is_named("SCHEMA", theirs):
            return False
        if entry.is_named("SCHEMA", schemas):
            return entry.what.startswith("ACL ")
        return inside is None or not inside.match(entry.what) or entry.what.startswith("TABLE DATA ")

    return [entry for entry in entries if is_wanted(entry)]
