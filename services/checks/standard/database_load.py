"""Standard checks of how loaded the database is: connections, slow statements, cache, disk. All give numbers that a
release can be compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec
from services.checks.standard.database import DATABASE, NEEDS_DATABASE
from services.checks.standard.statement_text import without_literals
from services.errors import Unavailable
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    import psycopg

    from services.clients.supabase import DiskUse

CONNECTIONS_SHARE = 0.9
CACHE_SHARE = 0.9
ENOUGH_BLOCKS = 2_000
DISK_SHARE = 0.9
TURNED_AWAY = ("connections", "pooler-full")
RUNNING_S = 30.0
ENOUGH_CALLS = 3
SHOWN = 5
_COMPARED = ("before", "after", "hour", "week")

_CONNECTIONS = """
select coalesce(nullif(application_name, ''), 'unnamed') as application, count(*)::int as used
from pg_catalog.pg_stat_activity
where datid is not null and coalesce(backend_type, 'client backend') = 'client backend'
group by 1 order by 2 desc, 1
"""
_LIMIT = """
select sum(case name when 'max_connections' then setting::int else -setting::int end)::int
from pg_catalog.pg_settings
where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
"""


def connections_left(context: CheckContext) -> Finding:
    """How many of the connections that anybody may use are in use now, and by what."""
    try:
        with context.database(as_owner=True) as conn:
            rows = conn.execute(_CONNECTIONS).fetchall()
            limit = _number(conn, _LIMIT)
    except Unavailable as error:
        # The server's own refusal is the answer to the question.
        if error.reason not in TURNED_AWAY:
            raise
        return connections({}, None, turned_away=error.reason)
    return connections({str(name): int(used) for name, used in rows}, limit)


def connections(by_application: Mapping[str, int], limit: int | None, *, turned_away: str | None = None) -> Finding:
    """Judge what is left.

    limit: the connections that there are for everybody; None: not told. turned_away: why we were not given one.
    """
    used = sum(by_application.values()) if not turned_away else None
    left = 0 if turned_away else limit - used if limit is not None and used is not None else None
    share = round(used / limit, 3) if limit and used is not None else None
    top = dict(list(by_application.items())[:8])
    facts: dict[str, Any] = {"used": used, "limit": limit, "left": left, "share": share, "by_application": top}
    facts["reason"] = turned_away
    if turned_away:
        whose = "pooler" if turned_away == "pooler-full" else "database"
        return Finding(Verdict.FAIL, f"The {whose} has no free connection: it turned us away.", facts)
    if share is None:
        return Finding(Verdict.UNKNOWN, "The database did not tell how many connections it grants.", facts)
    said = f"{used} of {limit} connections are in use"
    if share >= CONNECTIONS_SHARE:
        most = next(iter(top), "nobody")
        return Finding(Verdict.FAIL, f"{said}, most of them by {most}: {left} are left.", facts)
    return Finding(Verdict.PASS, f"{said}; {left} are left.", facts)


def slow_statements(context: CheckContext) -> Finding:
    """The statements that take longest on average, where the server keeps count, and those that run too long now."""
    with context.database(as_owner=True) as conn:
        place = conn.execute(
            "select n.nspname from pg_catalog.pg_extension as e join pg_catalog.pg_namespace as n"
            " on n.oid = e.extnamespace where e.extname = 'pg_stat_statements'"
        ).fetchone()
        counted = _counted(conn, str(place[0])) if place else None
        running, hidden = _running(conn)
    return slow(counted, running, hidden, context.app.thresholds.response_warn_s)


def _counted(conn: psycopg.Connection[Any], schema: str) -> list[dict[str, Any]]:
    query = sql.SQL(
        "select query as statement, calls::int, round(mean_exec_time::numeric, 1)::float8 as mean_ms,"
        " round(max_exec_time::numeric, 1)::float8 as max_ms from {}.pg_stat_statements"
        " where dbid = (select oid from pg_catalog.pg_database where datname = current_database())"
        " and userid not in (select oid from pg_catalog.pg_roles where rolname = 'supabase_admin')"
        " and calls >= %s and query ~* '^\\s*(select|insert|update|delete|with)\\y'"
        " order by mean_exec_time desc limit %s"
    ).format(sql.Identifier(schema))
    rows = conn.cursor(row_factory=dict_row).execute(query, (ENOUGH_CALLS, SHOWN)).fetchall()
    return [{**row, "statement": without_literals(str(row["statement"]))} for row in rows]


def _running(conn: psycopg.Connection[Any]) -> tuple[list[dict[str, Any]], int]:
    """Statements that run now, the longest first, and the number of sessions whose work is not shown to us."""
    rows = (
        conn.cursor(row_factory=dict_row)
        .execute(
            "select query as statement, coalesce(application_name, '') as application,"
            " query = '<insufficient privilege>' as hidden,"
            " extract(epoch from clock_timestamp() - query_start)::float8 as running_s"
            " from pg_catalog.pg_stat_activity where datname = current_database()"
            " and pid <> pg_catalog.pg_backend_pid() and (state = 'active' or query = '<insufficient privilege>')"
            " and coalesce(backend_type, 'client backend') = 'client backend' order by query_start"
        )
        .fetchall()
    )
    shown = [
        {
            "statement": without_literals(str(row["statement"])),
            "application": row["application"],
            "running_s": round(row["running_s"], 1),
        }
        for row in rows
        if not row["hidden"] and row["running_s"] is not None
    ]
    return shown, sum(bool(row["hidden"]) for row in rows)


def slow(
    counted: Sequence[Mapping[str, Any]] | None, running: Sequence[Mapping[str, Any]], hidden: int, limit_s: float
) -> Finding:
    """Judge the statements. counted: with calls, mean_ms, max_ms, slowest first; None: the server keeps no count."""
    longest = max((float(one["running_s"]) for one in running), default=0.0)
    facts: dict[str, Any] = {
        "source": "pg_stat_statements" if counted is not None else "pg_stat_activity",
        "slowest_mean_ms": float(counted[0]["mean_ms"]) if counted else None,
        "slowest": list(counted or ()),
        "longest_running_s": round(longest, 1),
        "running": [one for one in running if one["running_s"] > RUNNING_S][:SHOWN],
        "hidden_sessions": hidden,
        "limit_ms": round(limit_s * 1000),
    }
    if facts["running"]:
        return Finding(Verdict.FAIL, f"A statement has been running for {longest:.0f} s.", facts)
    if counted and counted[0]["mean_ms"] > limit_s * 1000:
        worst = counted[0]
        said = f"A statement takes {worst['mean_ms'] / 1000:.1f} s on average over {worst['calls']} calls"
        return Finding(Verdict.FAIL, f"{said}: {worst['statement'][:80]}", facts)
    if hidden:
        said = f"What {hidden} sessions run is not shown to our role, so whether it is slow is not known."
        return Finding(Verdict.UNKNOWN, said, facts)
    if counted is None:
        said = f"No statement runs longer than {RUNNING_S:g} s now; the server keeps no count of earlier ones."
        return Finding(Verdict.PASS, said, facts)
    slowest = f"the slowest takes {facts['slowest_mean_ms']:g} ms on average" if counted else "none was counted yet"
    return Finding(Verdict.PASS, f"No statement is slow; {slowest}.", facts)


def cache_hit(context: CheckContext) -> Finding:
    """Which share of the blocks that were read came from memory, since the database's counters were last reset."""
    with context.database() as conn:
        row = conn.execute(
            "select blks_hit::bigint, blks_read::bigint from pg_catalog.pg_stat_database"
            " where datname = current_database()"
        ).fetchone()
    return cached(int(row[0]), int(row[1])) if row else cached(0, 0)


def cached(hit: int, read: int) -> Finding:
    """Judge the share of blocks found in memory; over few blocks it means nothing."""
    share = round(hit / (hit + read), 4) if hit + read else None
    facts = {"share": share, "blocks_hit": hit, "blocks_read": read}
    if share is None or hit + read < ENOUGH_BLOCKS:
        return Finding(Verdict.UNKNOWN, f"Only {hit + read} blocks were read yet: too few to tell.", facts)
    said = f"{share:.1%} of the blocks read came from memory"
    if share < CACHE_SHARE:
        return Finding(Verdict.FAIL, f"{said}; below {CACHE_SHARE:.0%} the disk sets the pace.", facts)
    return Finding(Verdict.PASS, f"{said}.", facts)


def disk_space(context: CheckContext) -> Finding:
    """How full the disk is, where Supabase tells; the size of the database in any case."""
    with context.database() as conn:
        size = _number(conn, "select pg_catalog.pg_database_size(current_database())")
    target = context.target
    asked = target.supabase_access_token is not None and target.supabase_project_ref is not None
    return disk(size, context.supabase.disk() if asked else None)


def disk(size: int | None, use: DiskUse | None) -> Finding:
    """Judge the disk; the size of the database alone says nothing about the room that is left."""
    facts: dict[str, Any] = {
        "database_bytes": size,
        "disk_bytes": use.size_bytes if use else None,
        "used_bytes": use.used_bytes if use else None,
        "free_bytes": use.available_bytes if use else None,
        "share": round(use.used_share, 3) if use and use.used_share is not None else None,
    }
    database = f"The database takes {(size or 0) / 1e6:.0f} MB"
    if facts["share"] is None:
        return Finding(Verdict.UNKNOWN, f"{database}; disk not visible.", facts)
    said = f"{database}; the disk is {facts['share']:.0%} full"
    if facts["share"] >= DISK_SHARE:
        return Finding(Verdict.FAIL, f"{said}: Supabase makes it read-only when it is full.", facts)
    return Finding(Verdict.PASS, f"{said}.", facts)


def _number(conn: psycopg.Connection[Any], query: str) -> int | None:
    row = conn.execute(query.encode()).fetchone()
    return int(row[0]) if row and row[0] is not None else None


SPECS = (
    CheckSpec(
        "connections-left",
        "Connections are left",
        "How many of the database's connections are in use, and by what.",
        connections_left,
        _COMPARED,
        DATABASE,
        NEEDS_DATABASE,
        blocking=False,
        trend=("used", "left"),
    ),
    CheckSpec(
        "slow-statements",
        "No statement is slow",
        "The slowest statements on average, and those that run too long now.",
        slow_statements,
        _COMPARED,
        DATABASE,
        NEEDS_DATABASE,
        blocking=False,
        trend=("slowest_mean_ms", "longest_running_s"),
    ),
    CheckSpec(
        "cache-hit",
        "Rows come from memory",
        "The share of blocks that the database found in memory.",
        cache_hit,
        _COMPARED,
        DATABASE,
        NEEDS_DATABASE,
        blocking=False,
        trend=("share",),
    ),
    CheckSpec(
        "disk-space",
        "The disk has room",
        "How full the database's disk is, and how large the database.",
        disk_space,
        _COMPARED,
        ("database", "Supabase"),
        NEEDS_DATABASE,
        blocking=False,
        trend=("share", "database_bytes"),
    ),
)
