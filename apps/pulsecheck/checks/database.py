"""Checks of PulseCheck's tables: their shape, and what strangers can read of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg.rows import dict_row

from apps.pulsecheck.checks.api import served_build
from apps.pulsecheck.probe import Row
from services.checks.context import CheckContext
from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Key
from services.verdict import Finding, Verdict


def _one(row: Any) -> int:
    return int(row[0]) if row else 0


def schema_compatible(context: CheckContext) -> Finding:
    """The tables and columns that the serving build reads are there, with types that it can use."""
    build = context.app.builds[0].id
    try:
        build = served_build(context).id or build
    except UpstreamError:
        # An app that does not answer reads no table; what every build needs is compared all the same.
        build = context.app.builds[0].id
    return _columns_for(context, build, "the serving build")


def release_schema(context: CheckContext) -> Finding:
    """The tables and columns that the release's build will read are there, before that build is started."""
    return _columns_for(context, context.app.release_build, "the release's build")


def _columns_for(context: CheckContext, build: str, whose: str) -> Finding:
    """Compare what a build's code needs of the database (app.yaml, tables) with what is there."""
    with context.database() as conn:
        rows: list[Row] = (
            conn.cursor(row_factory=dict_row)
            .execute(
                "select table_name, column_name, data_type from information_schema.columns"
                " where table_schema = 'public'"
            )
            .fetchall()
        )
    live = {(row["table_name"], row["column_name"]): row["data_type"] for row in rows}
    problems = []
    compared = 0
    for table in context.app.tables:
        if not context.app.includes(build, table.build):
            continue
        for column, accepted in table.columns.items():
            compared += 1
            found = live.get((table.name, column))
            if found is None:
                problems.append(f"{table.name}.{column} is missing")
            elif found not in accepted:
                problems.append(f"{table.name}.{column} is {found}, the code needs {' or '.join(accepted)}")
    facts = {"build": build, "columns": compared, "problems": problems[:20]}
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        return Finding(Verdict.FAIL, "; ".join(problems[:3]) + f"{more}.", facts, link="supabase_sql_editor")
    return Finding(Verdict.PASS, f"All {compared} columns that {whose} reads are there.", facts)


def anon_reads_nothing(context: CheckContext) -> Finding:
    """Really read as anon: none of the release's tables and views shows a row to somebody without an account."""
    names = [table.name for table in context.app.tables if table.build == context.app.release_build]
    names = [name for name in dict.fromkeys(names) if name not in _base_tables(context)]
    views = ["beta_daily_metrics", "beta_user_engagement", "beta_feedback_analysis"]
    with context.database() as conn:
        there = _holding(conn, [*names, "journal_summaries", *views])
    if not there:
        return Finding(Verdict.UNKNOWN, "None of the release's tables is there, so there is nothing to read.", {})
    readable, told = [], {}
    for name, (rows, shut) in there.items():
        try:
            # Only counted: what strangers could read is not ours to fetch either.
            shown = context.supabase.rows(name, key=Key.ANON, limit=0).total
        except UpstreamError as error:
            if error.kind not in (Kind.FORBIDDEN, Kind.UNAUTHORISED):
                raise
            told[name] = "refused"
            continue
        if shown is None:
            return Finding(Verdict.UNKNOWN, f"Supabase REST gave no count of {name} to anon.", {"as": "anon"})
        told[name] = f"{shown} of {rows} rows"
        # An empty answer about an empty table proves nothing; there the catalog has to say that the door is shut.
        if shown or (rows == 0 and not shut):
            readable.append(name)
    facts = {"as": "anon", "told": told}
    if readable:
        said = f"Anybody with the public key can read {', '.join(readable)}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    return Finding(Verdict.PASS, f"Read as anon, {len(told)} tables and views of the release show no row.", facts)


def _base_tables(context: CheckContext) -> set[str]:
    return {table.name for table in context.app.tables if table.build == context.app.builds[0].id}


def _holding(conn: Any, names: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """Of each relation that is there: its rows as we count them, and whether row-level security shuts anon out."""
    found: dict[str, tuple[int, bool]] = {}
    for name in names:
        row = (
            conn.cursor(row_factory=dict_row)
            .execute(
                "select c.relrowsecurity and not exists (select from pg_catalog.pg_policy as p where p.polrelid = c.oid"
                " and p.polcmd in ('r', '*') and (p.polroles = '{0}' or (select oid from pg_catalog.pg_roles"
                " where rolname = 'anon') = any(p.polroles))) as shut,"
                " has_table_privilege('anon', c.oid, 'SELECT') as granted"
                " from pg_catalog.pg_class as c where c.oid = to_regclass(%s)",
                (f"public.{name}",),
            )
            .fetchone()
        )
        if row is not None:
            count = _one(conn.execute(f'select count(*) from public."{name}"').fetchone())
            found[name] = (count, bool(row["shut"]) or not row["granted"])
    return found


def anon_reads_journal(context: CheckContext) -> Finding:
    """Journal entries are not shown to somebody without an account. Off in this app by its own choice: a finding."""
    try:
        seen = context.supabase.rows("journal_entries", key=Key.ANON, select="id", limit=0)
    except UpstreamError as error:
        if error.kind in (Kind.FORBIDDEN, Kind.UNAUTHORISED):
            return Finding(Verdict.PASS, "Journal entries are refused to anon.", {"as": "anon"})
        raise
    facts = {"as": "anon", "readable": seen.total}
    if seen.total is None:
        return Finding(Verdict.UNKNOWN, "Supabase REST gave no count of journal entries to anon.", facts)
    if seen.total:
        said = f"Anybody with the public key can read {seen.total} journal entries: row-level security is off."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    return Finding(Verdict.PASS, "Read as anon, no journal entry is shown.", facts)
