"""Checks of the database and Supabase: both ways in, shape, strangers' rights, backups, proof of deploy."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from apps.pulsecheck.checks.api import served_build
from apps.pulsecheck.probe import Row
from services.checks.context import CheckContext
from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Key
from services.errors import Unavailable
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    from services.releases.bundle import Release

REHEARSAL_COUNTS_FOR = timedelta(hours=24)


def database_direct(context: CheckContext) -> Finding:
    """A statement runs on the database itself and counts the journal."""
    with context.database() as conn:
        row = conn.execute(
            "select count(*), current_setting('server_version_num')::int / 10000 from public.journal_entries"
        ).fetchone()
    count, major = row if row else (0, 0)
    facts = {"entries": count, "major": major}
    return Finding(Verdict.PASS, f"Postgres {major} answers and holds {count} journal entries.", facts)


def database_rest(context: CheckContext) -> Finding:
    """Supabase REST shows as many journal entries as the database holds: neither hidden nor cut off."""
    key = Key.SERVICE if context.supabase.has(Key.SERVICE) else Key.ANON
    with context.database() as conn:
        sql = "select count(*) from public.journal_entries"
        before = _one(conn.execute(sql).fetchone())
        try:
            seen = context.supabase.rows("journal_entries", key=key, select="id", limit=0)
        except UpstreamError as error:
            if error.kind in (Kind.UNAUTHORISED, Kind.FORBIDDEN, Kind.MISSING):
                facts = {"kind": error.kind.value, "status": error.status, "code": error.code, "as": key.value}
                return Finding(Verdict.FAIL, f"As {key}, {error.what}", facts, link="supabase_dashboard")
            raise
        after = _one(conn.execute(sql).fetchone())
    facts = {"as": key.value, "rest": seen.total, "direct": after}
    if seen.total is None:
        return Finding(Verdict.UNKNOWN, "Supabase REST answered without a count.", facts)
    if not min(before, after) <= seen.total <= max(before, after):
        said = f"As {key}, Supabase REST shows {seen.total} of {after} journal entries: rows are hidden from that key."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    return Finding(Verdict.PASS, f"As {key}, Supabase REST shows all {seen.total} journal entries.", facts)


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


def supabase_project(context: CheckContext) -> Finding:
    """The project is awake and its services are healthy, in the words of the Management API."""
    project = context.supabase.project()
    facts: dict[str, Any] = {"status": project.status, "ref": project.ref}
    if project.paused:
        return Finding(Verdict.FAIL, f"The project is paused ({project.status}).", facts, link="supabase_dashboard")
    services = {one.name: one.status for one in context.supabase.health()}
    facts["services"] = services
    ill = [name for name, status in services.items() if status == "UNHEALTHY"]
    if ill:
        return Finding(Verdict.FAIL, f"Unhealthy: {', '.join(ill)}.", facts, link="supabase_dashboard")
    if project.status != "ACTIVE_HEALTHY" or any(status != "ACTIVE_HEALTHY" for status in services.values()):
        return Finding(Verdict.UNKNOWN, f"The project is {project.status}; not all services are up.", facts)
    return Finding(Verdict.PASS, f"The project and its {len(services)} services are healthy.", facts)


def backup_fresh(context: CheckContext) -> Finding:
    """A completed backup is there, younger than the limit."""
    backups = context.supabase.backups()
    limit = context.app.thresholds.backup_max_age_h
    facts: dict[str, Any] = {"count": backups.count, "pitr": backups.pitr, "kind": backups.kind}
    if backups.newest is None:
        said = "There is no completed backup."
        return Finding(Verdict.FAIL, said, facts, link="supabase_backups")
    hours = (context.now - backups.newest).total_seconds() / 3600
    facts |= {"newest": backups.newest.isoformat(), "age_h": round(hours, 1)}
    if hours > limit:
        said = f"The newest backup is {hours:.0f} hours old; the limit is {limit:g}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_backups")
    return Finding(
        Verdict.PASS, f"The newest of {backups.count} {backups.kind} backups is {hours:.0f} hours old.", facts
    )


def release_receipt(context: CheckContext) -> Finding:
    """The row in the target that proves the deploy: there, not taken back, and of this very content."""
    from services.database.receipts import find_receipt

    release = _release(context)
    url = context.target.database_url
    if url is None:
        raise Unavailable("There is no database address.")
    receipt = find_receipt(url.get_secret_value(), release.id)
    if receipt is None:
        return Finding(Verdict.FAIL, f"{release.id} has left no deploy receipt here.", {"release": release.id})
    facts = {
        "release": release.id,
        "receipt": receipt.id,
        "deployed_at": receipt.deployed_at.isoformat(),
        "same_content": receipt.plan_hash == release.content_hash,
    }
    if receipt.rolled_back_at is not None:
        return Finding(Verdict.FAIL, f"{release.id} was deployed and rolled back again.", facts)
    if not facts["same_content"]:
        return Finding(Verdict.FAIL, f"{release.id} was deployed in another content than this one.", facts)
    return Finding(Verdict.PASS, f"The deploy receipt of {release.id} is in the target.", facts)


def _release(context: CheckContext) -> Release:
    if context.release is not None:
        return context.release
    from services.releases.bundle import load_release

    app = context.app
    return context.once("release", lambda: load_release(app.default_release, root=app.folder / "releases"))


def rehearsal_fresh(context: CheckContext) -> Finding:
    """A rehearsal of this very content passed on this target within a day."""
    rehearsal = context.store_facts.get("rehearsal")
    if not rehearsal:
        return Finding(Verdict.FAIL, "This content has not been rehearsed on this target.", {})
    release = _release(context)
    facts = {"verdict": rehearsal.get("verdict"), "finished": rehearsal.get("finished")}
    if rehearsal.get("content_hash") != release.content_hash:
        return Finding(Verdict.FAIL, "The rehearsal was of another content of the release.", facts)
    if rehearsal.get("verdict") != Verdict.PASS.value:
        return Finding(Verdict.FAIL, f"The last rehearsal's verdict is {rehearsal.get('verdict')}.", facts)
    age = context.now - datetime.fromisoformat(str(rehearsal["finished"]))
    if age > REHEARSAL_COUNTS_FOR:
        return Finding(Verdict.FAIL, f"The last rehearsal is {age.total_seconds() / 3600:.0f} hours old.", facts)
    return Finding(Verdict.PASS, "This content was rehearsed on a copy of this target and passed.", facts)


def verification_clean(context: CheckContext) -> Finding:
    """Every verification query of the release returns no row."""
    from services.database.verification import Query, verify
    from services.releases.validation import proves

    release = _release(context)
    queries = [
        Query(script.file.rpartition("/")[2].removesuffix(".sql"), script.file, script.sql, proves(script.sql))
        for script in release.verify
    ]
    url = context.target.deploy_url or context.target.database_url
    if url is None or not queries:
        raise Unavailable("There is no verification query to run.")
    result = verify(url.get_secret_value(), queries)
    bad = [query for query in result.queries if query.verdict is not Verdict.PASS]
    facts = {"queries": len(queries), "not_clean": [query.id for query in bad]}
    if bad:
        said = f"{len(bad)} of {len(queries)} verification queries are not clean, first {bad[0].id}."
        return Finding(result.verdict, said, facts)
    return Finding(Verdict.PASS, f"All {len(queries)} verification queries found nothing wrong.", facts)
