"""Standard checks of the database itself: does it answer, can it be written, does a lock hold the app up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql
from psycopg.rows import dict_row

from services.app_definition import DeclaredTable
from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.clients.deadline import remaining
from services.clients.http import UpstreamError
from services.errors import Unavailable
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    import psycopg

DATABASE = ("database",)
NEEDS_DATABASE = ("database_url",)
LOCK_S = 5.0
"""An exclusive lock that is older than this holds people up."""


def first_table(context: CheckContext) -> DeclaredTable:
    """The table that stands for all of the app's rows: the first that app.yaml declares."""
    tables = context.app.tables
    if not tables:
        raise Unavailable(f"{context.app.title} declares no table.", "There are no rows to count.")
    return tables[0]


def count_rows(conn: psycopg.Connection[Any], table: str) -> int:
    """How many rows a table of schema public holds for this role."""
    found = conn.execute(sql.SQL("select count(*) from public.{}").format(sql.Identifier(table))).fetchone()
    return int(found[0]) if found else 0


def database_direct(context: CheckContext) -> Finding:
    """A statement runs on the database itself and counts the app's first table, where it declares one."""
    name = context.app.tables[0].name if context.app.tables else None
    with context.database() as conn:
        count = count_rows(conn, name) if name else None
        row = conn.execute("select current_setting('server_version_num')::int / 10000").fetchone()
    major = int(row[0]) if row else 0
    facts = {"table": name, "entries": count, "major": major}
    holds = f" and holds {count} rows in {name}" if name else ""
    return Finding(Verdict.PASS, f"Postgres {major} answers{holds}.", facts)


def database_writable(context: CheckContext) -> Finding:
    """A statement that would write, and touches no row, is not refused as read-only; what Supabase says is compared."""
    told = _told_read_only(context)
    with context.database(as_owner=True, read_only=False) as conn:
        row = conn.execute(
            "select pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on', current_user::text,"
            " exists (select from pg_catalog.pg_db_role_setting as s where s.setrole <> 0"
            " and s.setrole = (select oid from pg_catalog.pg_roles where rolname = current_user)"
            " and 'default_transaction_read_only=on' = any(s.setconfig))"
        ).fetchone()
        assert row is not None
        recovering, read_only, role, by_role = row
        refused = _write_is_refused(conn, first_table(context).name) if context.app.tables else bool(read_only)
    facts: dict[str, Any] = {
        "as": role,
        "refused": refused,
        "default_read_only": read_only,
        "role_is_for_reading": by_role,
        "in_recovery": recovering,
        "supabase_read_only": told,
    }
    return writable(facts)


def writable(facts: Mapping[str, Any]) -> Finding:
    """What was seen decides; a role that is for reading by itself proves nothing about others."""
    if facts["role_is_for_reading"] and not facts["in_recovery"]:
        said = f"Our own role {facts['as']} is one for reading, so whether others can write is not known."
        return Finding(Verdict.UNKNOWN, said, facts)
    if facts["refused"] or facts["in_recovery"]:
        why = "it is a standby" if facts["in_recovery"] else "it is set read-only, as Supabase does on a full disk"
        return Finding(Verdict.FAIL, f"The database takes no writes: {why}.", facts, link="supabase_dashboard")
    if facts["supabase_read_only"]:
        said = "Supabase says that the database is read-only, yet it takes our writes."
        return Finding(Verdict.UNKNOWN, said, facts, link="supabase_dashboard")
    return Finding(Verdict.PASS, f"The database takes writes of {facts['as']}.", facts)


def _told_read_only(context: CheckContext) -> bool | None:
    """Whether Supabase itself says that the project is read-only; None where it was not asked or does not say."""
    target = context.target
    if target.supabase_access_token is None or target.supabase_project_ref is None:
        return None
    try:
        state = context.supabase.read_only_state()
    except UpstreamError:
        # What it says is only compared: the write that is tried decides.
        return None
    return state.enabled and not state.override_enabled


def _write_is_refused(conn: psycopg.Connection[Any], table: str) -> bool:
    """An UPDATE of no row: the server refuses it as read-only before it looks for one, and nothing is changed."""
    name = sql.Identifier(table)
    with conn.transaction(force_rollback=True):
        conn.execute("set local lock_timeout = '2s'")
        column = conn.execute(
            "select attname from pg_catalog.pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
            " and not attisdropped and attgenerated = '' order by attnum limit 1",
            (f"public.{table}",),
        ).fetchone()
        if column is None:
            raise Unavailable(f"There is no table {table} to try a write on.")
        one = sql.Identifier(column[0])
        try:
            conn.execute(sql.SQL("update public.{} set {} = {} where false").format(name, one, one))
        except errors.ReadOnlySqlTransaction:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that keeps others from writing a table. held_s: age of the holder's transaction; None: not shown to us."""

    table: str
    mode: str
    holder: str
    application: str
    held_s: float | None
    waiting: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.table, self.mode, self.holder


_LOCKS = """
select c.relname as table, l.mode, coalesce(l.virtualtransaction, l.pid::text) as holder,
       coalesce(a.application_name, '') as application,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as held_s,
       (select count(*) from pg_catalog.pg_locks as w where w.relation = l.relation and w.database = l.database
        and not w.granted)::int as waiting
from pg_catalog.pg_locks as l
join pg_catalog.pg_class as c on c.oid = l.relation
left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
where l.granted and l.pid <> pg_catalog.pg_backend_pid()
  and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
  and c.relnamespace = to_regnamespace('public') and c.relname = any(%s)
  and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""


def locks_held(context: CheckContext) -> Finding:
    """Nobody holds a lock on a table of the app for longer than it takes; a young one is looked at again."""
    names = list(dict.fromkeys(table.name for table in context.app.tables))
    with context.database(as_owner=True) as conn:

        def look() -> list[Held]:
            rows = conn.cursor(row_factory=dict_row).execute(_LOCKS, (names,)).fetchall()
            return [Held(**row) for row in rows]

        held = lasting(look, time.sleep)
    waiting = max((one.waiting for one in held), default=0)
    facts = {
        "tables": len(names),
        "waiting": waiting,
        "locks": [
            {"table": one.table, "mode": one.mode, "held_s": _whole(one.held_s), "application": one.application}
            for one in held
        ],
    }
    if held:
        first = held[0]
        who = first.application or "somebody"
        said = f"{who} holds {first.mode} on {first.table} for more than {LOCK_S:g} s; {waiting} are waiting."
        return Finding(Verdict.FAIL, said, facts)
    return Finding(Verdict.PASS, f"Nobody holds a lock on the {len(names)} tables of the app.", facts)


def lasting(look: Callable[[], Sequence[Held]], pause: Callable[[float], None]) -> list[Held]:
    """The locks that last: old ones at once, young ones where the same holder still has them when they would be old."""
    first = look()
    young = [one for one in first if one.held_s is None or one.held_s <= LOCK_S]
    if not young:
        return list(first)
    pause(remaining(max(0.1, LOCK_S - min(one.held_s or 0.0 for one in young) + 0.1)))
    known = {one.key for one in first}
    return [one for one in look() if one.key in known]


def _whole(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


SPECS = (
    CheckSpec(
        "database-direct",
        "The database answers",
        "A statement runs on the database itself.",
        database_direct,
        ("before", "after"),
        DATABASE,
        NEEDS_DATABASE,
    ),
    CheckSpec(
        "database-writable",
        "The database takes writes",
        "A write of no row is not refused as read-only.",
        database_writable,
        ("before", "after", "hour"),
        DATABASE,
        NEEDS_DATABASE,
        cost=Cost(2),
    ),
    CheckSpec(
        "locks-held",
        "No lock holds the app up",
        "Nobody keeps an exclusive lock on a table of the app for more than five seconds.",
        locks_held,
        ("before", "during", "after"),
        DATABASE,
        NEEDS_DATABASE,
        expires_s=300,
    ),
)
