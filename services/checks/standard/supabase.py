"""Standard checks of Supabase: what REST shows, whether the project is awake, its backups."""

from __future__ import annotations

from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.checks.standard.database import count_rows, first_table
from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Key
from services.verdict import Finding, Verdict

SUPABASE = ("Supabase",)
NEEDS_MANAGEMENT = ("supabase_access_token", "supabase_project_ref")


def database_rest(context: CheckContext) -> Finding:
    """Supabase REST shows as many rows of the app's first table as the database holds: neither hidden nor cut off."""
    key = Key.SERVICE if context.supabase.has(Key.SERVICE) else Key.ANON
    table = first_table(context)
    with context.database() as conn:
        before = count_rows(conn, table.name)
        try:
            seen = context.supabase.rows(table.name, key=key, select=next(iter(table.columns)), limit=0)
        except UpstreamError as error:
            if error.kind in (Kind.UNAUTHORISED, Kind.FORBIDDEN, Kind.MISSING):
                facts = {"kind": error.kind.value, "status": error.status, "code": error.code, "as": key.value}
                return Finding(Verdict.FAIL, f"As {key}, {error.what}", facts, link="supabase_dashboard")
            raise
        after = count_rows(conn, table.name)
    facts = {"table": table.name, "as": key.value, "rest": seen.total, "direct": after}
    if seen.total is None:
        return Finding(Verdict.UNKNOWN, "Supabase REST answered without a count.", facts)
    rows = f"rows of {table.name}"
    if not min(before, after) <= seen.total <= max(before, after):
        said = f"As {key}, Supabase REST shows {seen.total} of {after} {rows}: the others are hidden from that key."
        return Finding(Verdict.FAIL, said, facts, link="supabase_policies")
    return Finding(Verdict.PASS, f"As {key}, Supabase REST shows all {seen.total} {rows}.", facts)


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


SPECS = (
    CheckSpec(
        "database-rest",
        "Supabase REST shows every row",
        "REST shows as many entries as the database holds.",
        database_rest,
        ("before", "after"),
        ("database", "Supabase"),
        ("database_url", "supabase_url"),
        lane="rows",
    ),
    CheckSpec(
        "supabase-project",
        "The Supabase project is awake",
        "Project and services are healthy in the Management API.",
        supabase_project,
        ("before", "week"),
        SUPABASE,
        NEEDS_MANAGEMENT,
        cost=Cost(2),
    ),
    CheckSpec(
        "backup-fresh",
        "A fresh backup is there",
        "A completed backup is younger than the limit.",
        backup_fresh,
        ("before",),
        SUPABASE,
        NEEDS_MANAGEMENT,
        expires_s=3600,
    ),
)
