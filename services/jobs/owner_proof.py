"""Proving that an address is the owner's of a target's database, by effects that leave nothing, before it is armed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.connect import (
    ConnectionFacts,
    connect,
    inspect_connection,
    place_of,
    refuse_missing_rights,
    refuse_transaction_pooler,
)
from services.errors import Refused, Unavailable
from services.settings import Target

STATEMENT_S = 5.0
LOCK_MS = 200
_APPLICATION = "ops arm"


@dataclass(frozen=True, slots=True)
class OwnerProof:
    """place, role: where the address leads, as whom; seen: the effects; could_also: what it allows beyond a deploy."""

    place: str
    role: str
    seen: tuple[str, ...]
    could_also: tuple[str, ...]


def prove_owner(url: str, target: Target, *, superuser: bool = False) -> OwnerProof:
    """Try the address. superuser: whether a superuser's is taken too.

    Raises Refused where it is another database's, may too little, or is a superuser's unasked; Unavailable where that
    cannot be told; as `connect` does. Nothing of the attempt stays in the database.
    """
    with connect(url, statement_timeout_s=STATEMENT_S, application_name=_APPLICATION) as conn:
        facts = inspect_connection(conn, url)
        refuse_transaction_pooler(facts)
        refuse_missing_rights(facts)
        if facts.superuser and not superuser:
            raise Refused(
                f"{facts.user!r} is a superuser: more than a deploy needs.",
                "Nothing was armed.",
                "Use the role that owns the tables, or add --superuser if it must be this one.",
                place="--superuser",
            )
        if facts.not_owned:
            raise Refused(
                f"{facts.user!r} does not own {', '.join(facts.not_owned)} in schema public and cannot alter them.",
                "Nothing was armed.",
                "Use the role that owns the tables.",
            )
        try:
            same = _same_database(conn, target)
            effect = _wrote_and_took_back(conn, facts)
            beyond = _could_also(conn, facts)
        except psycopg.errors.InsufficientPrivilege:
            raise Refused(
                f"{facts.user!r} may not make a table {_receipts_place(facts)} or in schema public.",
                "Nothing was armed, and nothing of the proof stays.",
                "Use the role that owns the tables.",
            ) from None
        except psycopg.Error as error:
            raise Unavailable(
                f"The database refused a statement of the proof ({error.sqlstate or 'connection lost'}).",
                "Nothing was armed, and nothing of the proof stays.",
                "Try again; where it goes on, look at what the database logs.",
            ) from None
    way = "a session pooler" if facts.pooler else "a direct connection"
    kept = f"By {way}: locks and settings last from one transaction to the next."
    return OwnerProof(place_of(url), facts.user, (same, effect, kept), beyond)


def _same_database(conn: psycopg.Connection[Any], target: Target) -> str:
    """A lock taken by the one address is seen by the other: that can only be in one and the same database."""
    if target.database_url is None:
        raise Refused(
            f"{target.name} has no database_url, so whether this is its database cannot be told.",
            "Nothing was armed.",
            f"Grant the level 'observe' first: /settings?target={target.name}&level=observe.",
            place=f"targets.{target.name}.database_url",
        )
    reading = target.database_url.get_secret_value()
    key = secrets.randbits(62)
    with conn.transaction():
        conn.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (key,))
        with connect(reading, read_only=True, statement_timeout_s=STATEMENT_S, application_name=_APPLICATION) as other:
            row = other.execute(
                "SELECT pg_catalog.pg_is_in_recovery(), EXISTS (SELECT FROM pg_catalog.pg_locks"
                " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
                " AND (classid::bigint << 32) | objid::bigint = %s AND database ="
                " (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))",
                (key,),
            ).fetchone()
    replica, seen = (bool(row[0]), bool(row[1])) if row else (False, False)
    if seen:
        return (
            f"It is the database of {target.name}: a lock taken through it was seen through database_url "
            f"({place_of(reading)})."
        )
    if replica:
        raise Unavailable(
            f"The database_url of {target.name} leads to a replica, where a lock of the primary is not seen.",
            "Nothing was armed: whether both are the same database is not known.",
            "Set database_url to the primary.",
            place=f"targets.{target.name}.database_url",
        )
    raise Refused(
        f"This is not the database of {target.name}: a lock taken through it was not seen through database_url "
        f"({place_of(reading)}).",
        "Nothing was armed.",
        "Give the owner's address of the same database, or mend database_url.",
        place=f"targets.{target.name}.database_url",
    )


def _wrote_and_took_back(conn: psycopg.Connection[Any], facts: ConnectionFacts) -> str:
    """Make a table where receipts are kept and one in schema public, write to both, take all back, and look."""
    name = f"ops_arm_{secrets.token_hex(6)}"
    home = "ops" if "ops" in facts.schemas else name
    tables = [sql.Identifier(home, name), sql.Identifier("public", name)]
    with _taken_back(conn):
        conn.execute(f"SET LOCAL lock_timeout = '{LOCK_MS}ms'".encode())
        if home == name:
            conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        for table in tables:
            conn.execute(sql.SQL("CREATE TABLE {} (id int PRIMARY KEY)").format(table))
            conn.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(table))
    left = conn.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = %s)"
        " OR EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)",
        (name, name),
    ).fetchone()
    if left is None or left[0]:
        raise Unavailable(
            f"A table of the proof ({name}) is still there after it was taken back.",
            "Nothing was armed.",
            "Remove it by hand, and look at what stands between us and the database.",
        )
    made = f"{facts.user} made a table {_receipts_place(facts)} and one in schema public"
    return f"{made}; both were taken back and are gone."


def _receipts_place(facts: ConnectionFacts) -> str:
    return "in schema ops" if "ops" in facts.schemas else "in a schema made for it"


@contextmanager
def _taken_back(conn: psycopg.Connection[Any]) -> Iterator[None]:
    with conn.transaction(force_rollback=True):
        yield


_POWERS = """
SELECT r.rolcreaterole, r.rolcreatedb, r.rolbypassrls, r.rolreplication, r.rolsuper,
       (SELECT count(*) FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p')
          AND c.relnamespace = pg_catalog.to_regnamespace('public') AND pg_catalog.pg_has_role(c.relowner, 'USAGE')),
       (SELECT CASE WHEN bool_and(c.reltuples >= 0) THEN sum(c.reltuples)::bigint END FROM pg_catalog.pg_class c
          WHERE c.relkind = 'r' AND c.relnamespace = pg_catalog.to_regnamespace('public')
          AND pg_catalog.pg_has_role(c.relowner, 'USAGE')),
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_roles g WHERE g.rolname <> current_user
          AND NOT r.rolsuper AND pg_catalog.pg_has_role(g.oid, 'MEMBER') ORDER BY 1)
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""


def _could_also(conn: psycopg.Connection[Any], facts: ConnectionFacts) -> tuple[str, ...]:
    """What this role could do beyond a deploy, by its attributes, what it owns and what it is a member of."""
    row = conn.execute(_POWERS).fetchone()
    if row is None:
        return ()
    makes_roles, makes_databases, past_rls, replicates, superuser, tables, rows, groups = row
    size = "" if rows is None else f" (about {rows:,} rows)"
    told = [f"read, change and drop all of the {tables} tables in schema public of {facts.database}{size}"]
    if superuser:
        told.append("do everything on the whole server, files and programs of its machine included (superuser)")
    if past_rls and not superuser:
        told.append("read past row-level security")
    if makes_roles and not superuser:
        told.append("make and change roles, passwords included")
    if makes_databases and not superuser:
        told.append("make databases")
    if replicates and not superuser:
        told.append("copy the whole server by replication")
    if groups:
        told.append(f"act as {', '.join(groups[:6])}{' and others' if len(groups) > 6 else ''}")
    return tuple(told)
