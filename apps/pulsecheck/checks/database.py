"""Checks of PulseCheck's tables: their shape, and what strangers can read of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import errors
from psycopg.rows import dict_row

from apps.pulsecheck.checks.api import served_build
from services.app_definition import DeclaredTable
from services.checks.context import CheckContext, NotTried
from services.checks.standard.database import count_rows
from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Key, SignedIn
from services.verdict import Finding, Verdict

VIEWS = ("beta_daily_metrics", "beta_user_engagement", "beta_feedback_analysis")


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
        rows = (
            conn.cursor(row_factory=dict_row)
            .execute(
                # From the catalog itself: information_schema leaves out columns that our role may not read.
                "select c.relname as table_name, a.attname as column_name,"
                " pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as data_type"
                " from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid"
                " join pg_catalog.pg_type as t on t.oid = a.atttypid"
                " where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f')"
                " and a.attnum > 0 and not a.attisdropped"
            )
            .fetchall()
        )
    live = {(row["table_name"], row["column_name"]): row["data_type"] for row in rows}
    return fits([table for table in context.app.tables if context.app.includes(build, table.build)], live, build, whose)


def fits(declared: Sequence[DeclaredTable], live: Mapping[tuple[str, str], str], build: str, whose: str) -> Finding:
    """Judge declared tables by the live ones. live: type by (table, column).

    A missing column is told as renamed where its table has exactly one column of an accepted type that nobody declares
    and that begins with the same word.
    """
    there = {table for table, _ in live}
    known = {(table.name, column) for table in declared for column in table.columns}
    missing_tables = [name for name in dict.fromkeys(table.name for table in declared) if name not in there]
    problems, renamed, compared = [], {}, 0
    for table in declared:
        for column, accepted in table.columns.items():
            compared += 1
            found = live.get((table.name, column))
            if found is None:
                problems.append(f"{table.name}.{column} is missing")
                stem = column.partition("_")[0]
                others = [
                    name
                    for (where, name), kind in live.items()
                    if where == table.name
                    and (where, name) not in known
                    and kind in accepted
                    and name.partition("_")[0] == stem
                ]
                if len(others) == 1:
                    renamed[f"{table.name}.{column}"] = others[0]
            elif found not in accepted:
                problems.append(f"{table.name}.{column} is {found}, the code needs {' or '.join(accepted)}")
    facts = {
        "build": build,
        "columns": compared,
        "problems": problems[:20],
        "missing_tables": missing_tables,
        "renamed": renamed,
    }
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        return Finding(Verdict.FAIL, "; ".join(problems[:3]) + f"{more}.", facts, link="supabase_sql_editor")
    return Finding(Verdict.PASS, f"All {compared} columns that {whose} reads are there.", facts)


def anon_reads_nothing(context: CheckContext) -> Finding:
    """Really read as anon: none of the release's tables and views shows a row to somebody without an account."""
    with context.database() as conn:
        there = _holding(conn, [*_release_tables(context), *VIEWS])
    if not there:
        return Finding(Verdict.UNKNOWN, "None of the release's tables is there, so there is nothing to read.", {})
    readable, told = [], {}
    for name, (rows, shut) in there.items():
        try:
            # Only counted: what strangers could read is not ours to fetch either.
            shown = context.supabase.rows(name, key=Key.ANON, limit=0).total
        except UpstreamError as error:
            if not _refused_by_rights(error):
                raise
            told[name] = "refused"
            continue
        if shown is None:
            return Finding(Verdict.UNKNOWN, f"Supabase REST gave no count of {name} to anon.", {"as": "anon"})
        told[name] = f"{shown} of {'unknown' if rows is None else rows} rows"
        # An empty answer about an empty table proves nothing; there the catalog has to say that the door is shut.
        if shown or (not rows and not shut):
            readable.append(name)
    facts = {"as": "anon", "told": told}
    if readable:
        said = f"Anybody with the public key can read {', '.join(readable)}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    return Finding(Verdict.PASS, f"Read as anon, {len(told)} tables and views of the release show no row.", facts)


def _refused_by_rights(error: UpstreamError) -> bool:
    """Whether the database itself said no: a key that is not accepted proves nothing about rights."""
    return error.kind is Kind.FORBIDDEN and error.code == "42501"


def _release_tables(context: CheckContext) -> list[str]:
    """The tables that come with the release, one of which no build reads and app.yaml so does not declare."""
    declared = [table.name for table in context.app.tables if table.build == context.app.release_build]
    base = _base_tables(context)
    return [*(name for name in dict.fromkeys(declared) if name not in base), "journal_summaries"]


def authenticated_reads_own(context: CheckContext) -> Finding:
    """Really read as a test account that is signed in: of the release's tables it is shown its own rows only."""
    account = next((one for one in context.target.probe_accounts if one.purpose == "probe"), None)
    if account is None:
        raise NotTried(
            f"The settings of {context.target.name} name no test account that could sign in.",
            "Nothing was asked.",
            "Add one with the purpose 'probe' under probe_accounts.",
            place=f"targets.{context.target.name}.probe_accounts",
        )
    with context.database() as conn:
        owned = {name: kind for name in _release_tables(context) if (kind := _owner_type(conn, name)) is not None}
        held = {name: count_rows(conn, name) for name in owned}
    if not owned:
        return Finding(Verdict.UNKNOWN, "None of the release's tables is there, so there is nothing to read.", {})
    person = context.once(
        f"signed-in:{account.purpose}",
        lambda: context.supabase.sign_in(account.email, account.password.get_secret_value()),
    )
    shown = {name: _shown_to(context, person, name, kind) for name, kind in owned.items()}
    return own_rows_only(held, shown)


def _owner_type(conn: Any, table: str) -> str | None:
    """The type of the column that says whose a row is; None where there is no such table or column."""
    row = conn.execute(
        "select pg_catalog.format_type(atttypid, null) from pg_catalog.pg_attribute"
        " where attrelid = to_regclass(%s) and attname = 'user_id' and not attisdropped",
        (f"public.{table}",),
    ).fetchone()
    return str(row[0]) if row else None


def _shown_to(context: CheckContext, person: SignedIn, table: str, kind: str) -> tuple[int | None, int | None]:
    """(rows shown in all, rows of the person's own among them); none where it is refused. Only counted."""
    names = person.user_id if kind == "uuid" else f"{person.user_id},{person.email}"
    try:
        every = context.supabase.rows(table, as_user=person.access_token, select="user_id", limit=0).total
        own = context.supabase.rows(
            table, as_user=person.access_token, select="user_id", limit=0, user_id=f"in.({names})"
        ).total
    except UpstreamError as error:
        if not _refused_by_rights(error):
            raise
        return 0, 0
    return every, own


def own_rows_only(held: Mapping[str, int], shown: Mapping[str, tuple[int | None, int | None]]) -> Finding:
    """held: rows that each table has; shown: (all that the person is shown, the person's own among them)."""
    leaks = {name: every - own for name, (every, own) in shown.items() if every is not None and own is not None}
    open_to_all = [name for name, others in leaks.items() if others > 0]
    facts: dict[str, Any] = {
        "as": "authenticated",
        "told": {name: f"{every} of {held[name]} rows, {own} own" for name, (every, own) in shown.items()},
        "leaks": open_to_all,
    }
    if open_to_all:
        said = f"Whoever signs in can read other people's rows of {', '.join(open_to_all)}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    if len(leaks) < len(shown):
        silent = next(name for name in shown if name not in leaks)
        return Finding(Verdict.UNKNOWN, f"Supabase REST gave no count of {silent} to a signed-in person.", facts)
    if not any(held[name] > (own or 0) for name, (_, own) in shown.items()):
        return Finding(Verdict.UNKNOWN, "Nobody else has a row yet, so none could be seen.", facts)
    return Finding(Verdict.PASS, f"Signed in, {len(shown)} tables of the release show nobody else's row.", facts)


def _base_tables(context: CheckContext) -> set[str]:
    return {table.name for table in context.app.tables if table.build == context.app.builds[0].id}


def _counted(conn: Any, name: str) -> int | None:
    """Rows as we count them; None where our own role may not read the relation, or not all that a view reads."""
    try:
        with conn.transaction():
            return count_rows(conn, name)
    except errors.InsufficientPrivilege:
        return None


def _holding(conn: Any, names: Iterable[str]) -> dict[str, tuple[int | None, bool]]:
    """Of each relation that is there: its rows as we count them, and whether row-level security shuts anon out."""
    found: dict[str, tuple[int | None, bool]] = {}
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
            found[name] = (_counted(conn, name), bool(row["shut"]) or not row["granted"])
    return found


def anon_reads_journal(context: CheckContext) -> Finding:
    """Journal entries are not shown to somebody without an account. Off in this app by its own choice: a finding."""
    try:
        seen = context.supabase.rows("journal_entries", key=Key.ANON, select="id", limit=0)
    except UpstreamError as error:
        if _refused_by_rights(error):
            return Finding(Verdict.PASS, "Journal entries are refused to anon.", {"as": "anon"})
        raise
    facts = {"as": "anon", "readable": seen.total}
    if seen.total is None:
        return Finding(Verdict.UNKNOWN, "Supabase REST gave no count of journal entries to anon.", facts)
    if seen.total:
        said = f"Anybody with the public key can read {seen.total} journal entries: row-level security is off."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    return Finding(Verdict.PASS, "Read as anon, no journal entry is shown.", facts)
