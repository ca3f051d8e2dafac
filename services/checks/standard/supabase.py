"""Standard checks of Supabase: what REST shows, whether the project is awake, its backups, advisors, logs, sign-in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import EVERYTHING, CheckSpec, Cost
from services.checks.standard.backup import TAKE_ONE, proved
from services.checks.standard.database import count_rows, first_table
from services.clients.http import Kind, UpstreamError
from services.clients.supabase import Backups, Key, Lint, LogLine
from services.verdict import Finding, Verdict

SUPABASE = ("Supabase",)
NEEDS_MANAGEMENT = ("supabase_access_token", "supabase_project_ref")
LOG_SPAN = timedelta(hours=1)
LOG_ERRORS = 10
LOG_LINES = 1000
REFUSAL = "permission denied"  # how Postgres begins the line about somebody whose rights do not reach


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
    """A completed backup is there, younger than the limit, and what can be done with it is told."""
    own = proved(context.store_facts.get("backup"), context.now, context.app.thresholds.backup_max_age_h, None)
    return backup(context.supabase.backups(), context.now, context.app.thresholds.backup_max_age_h, own)


def backup(found: Backups, now: datetime, limit_h: float, own: Finding | None = None) -> Finding:
    """Judge the newest backup. limit_h: hours that it may be old; own: what is known of a backup that we took.

    Where the platform makes none, a proved one of ours stands in; one that the platform failed to make is a fail.
    """
    facts: dict[str, Any] = {
        "count": found.count,
        "failed": found.failed,
        "pitr": found.pitr,
        "kind": found.kind,
        "restorable": _restorable(found),
        "newest": None,
        "age_h": None,
    }
    if found.newest is None and found.failed:
        said = f"Backups are made, and all {found.failed} of them failed."
        return Finding(Verdict.FAIL, said, facts, link="supabase_backups")
    if found.newest is None:
        none = "The platform shows no completed backup: on the free plan there is none."
        if own is not None and own.verdict is Verdict.PASS:
            facts |= {"own": own.facts["newest"]}
            said = f"{none} A proved one of ours stands in, of {own.facts['age_h']:.0f} hours ago."
            return Finding(Verdict.PASS, said, facts)
        return Finding(Verdict.FAIL, f"{none} {TAKE_ONE}", facts, link="supabase_backups")
    hours = (now - found.newest).total_seconds() / 3600
    facts |= {"newest": found.newest.isoformat(), "age_h": round(hours, 1)}
    if hours > limit_h:
        said = f"The newest backup is {hours:.0f} hours old; the limit is {limit_h:g}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_backups")
    said = (
        f"The newest of {found.count} {found.kind} backups is {max(0.0, hours):.0f} hours old; {facts['restorable']}."
    )
    return Finding(Verdict.PASS, said, facts)


def _restorable(found: Backups) -> str:
    """What can be done with the backups there are."""
    if found.pitr:
        return "any moment can be restored, in place"
    if found.newest is None:
        return "nothing can be restored"
    if found.kind == "physical":
        return "it restores the whole project in place, and cannot be downloaded"
    return "it can be downloaded, and restored in place"


def supabase_advisors(context: CheckContext) -> Finding:
    """What Supabase's own advisors find: an error of security or performance is a finding."""
    client = context.supabase
    security, performance = context.side_by_side(
        [lambda: client.advisors("security"), lambda: client.advisors("performance")]
    )
    return advised([*security, *performance])


def advised(lints: Sequence[Lint]) -> Finding:
    """Judge the advisors' lints; only their errors count, the rest is told."""
    levels = Counter(lint.level for lint in lints)
    errors = [lint for lint in lints if lint.level == "ERROR"]
    facts: dict[str, Any] = {
        "errors": len(errors),
        "warnings": levels["WARN"],
        "notes": len(lints) - len(errors) - levels["WARN"],
        "by_name": dict(Counter(lint.name for lint in lints).most_common(10)),
        "first": [{"name": lint.name, "entity": lint.entity} for lint in errors[:5]],
    }
    if errors:
        about = f" on {errors[0].entity}" if errors[0].entity else ""
        said = f"Supabase's advisors name {len(errors)} errors, first {errors[0].title}{about}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_dashboard")
    return Finding(Verdict.PASS, f"Supabase's advisors name no error, and {levels['WARN']} warnings.", facts)


def supabase_log_errors(context: CheckContext) -> Finding:
    """The errors that Postgres wrote into Supabase's logs within the last hour."""
    lines = context.supabase.log_lines("postgres_logs", context.now - LOG_SPAN, context.now, limit=LOG_LINES)
    return log_errors(lines)


def log_errors(lines: Sequence[LogLine]) -> Finding:
    """Judge the lines of errors: a few come with any use, many or a PANIC do not.

    A refusal for want of rights is told and not counted: it is the door doing its work, our own checks knock at it in
    every run, and rights that the app lacks are what other checks look for. A message is told up to its first colon,
    behind which Postgres puts the value that it did not like.
    """
    counted = [line for line in lines if not line.message.startswith(REFUSAL)]
    told = Counter(line.message.partition(": ")[0][:120] for line in counted)
    panics = sum(line.severity == "PANIC" for line in counted)
    facts: dict[str, Any] = {
        "errors": len(counted),
        "refusals": len(lines) - len(counted),
        "panics": panics,
        "messages": dict(told.most_common(5)),
        "limit": LOG_ERRORS,
    }
    if panics or len(counted) > LOG_ERRORS:
        first = told.most_common(1)[0][0]
        said = f"Postgres logged {len(counted)} errors in the last hour, most of them: {first}."
        return Finding(Verdict.FAIL, said, facts, link="supabase_dashboard")
    if len(lines) >= LOG_LINES:
        return Finding(Verdict.UNKNOWN, f"Of the last hour only the newest {LOG_LINES} lines were read.", facts)
    return Finding(
        Verdict.PASS, f"Postgres logged {len(counted)} errors in the last hour; up to {LOG_ERRORS} are usual.", facts
    )


def auth_answers(context: CheckContext) -> Finding:
    """Auth answers, and does not let in a stranger with a made-up password."""
    facts: dict[str, Any] = {"version": None, "stranger": None, "kind": None, "status": None, "code": None}
    try:
        facts["version"] = context.supabase.auth_health().version
        context.supabase.sign_in(f"{context.marker}@example.com", token_urlsafe(24))
    except UpstreamError as error:
        facts |= {"kind": error.kind.value, "status": error.status, "code": error.code}
        if error.kind is Kind.SERVER_ERROR:
            return Finding(Verdict.FAIL, f"Nobody can sign in: {error.what}", facts, link="supabase_dashboard")
        if facts["version"] is None or not _is_refusal(error):
            raise
        facts |= {"stranger": "refused", "kind": None}
        return Finding(Verdict.PASS, f"Auth ({facts['version']}) answers, and refuses a made-up password.", facts)
    facts["stranger"] = "let in"
    return Finding(Verdict.FAIL, "Auth has let a stranger in with a made-up password.", facts)


def _is_refusal(error: UpstreamError) -> bool:
    """Whether it is about the person: a refusal of our own key proves nothing."""
    return error.status == 400 and error.code in (None, "invalid_credentials", "invalid_grant", "user_not_found")


SPECS = (
    CheckSpec(
        "database-rest",
        "Supabase REST shows every row",
        "REST shows as many rows of the app's first table as the database holds.",
        database_rest,
        ("before", "after"),
        ("database", "Supabase"),
        ("database_url", "supabase_url"),
        counts=(EVERYTHING,),
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
        "A completed backup of the platform's, or where it makes none a proved one of ours, is younger than the limit.",
        backup_fresh,
        ("before",),
        SUPABASE,
        NEEDS_MANAGEMENT,
        expires_s=3600,
    ),
    CheckSpec(
        "supabase-advisors",
        "Supabase's advisors name no error",
        "What Supabase's own advisors find in security and performance.",
        supabase_advisors,
        ("before", "after", "week"),
        SUPABASE,
        NEEDS_MANAGEMENT,
        blocking=False,
        cost=Cost(2),
        expires_s=3600,
        trend=("errors", "warnings"),
    ),
    CheckSpec(
        "supabase-log-errors",
        "Postgres logs few errors",
        "The errors that Supabase's logs hold of the last hour.",
        supabase_log_errors,
        ("before", "after", "hour", "day"),
        SUPABASE,
        NEEDS_MANAGEMENT,
        blocking=False,
        trend=("errors",),
    ),
    CheckSpec(
        "auth-answers",
        "Sign-in works and lets no stranger in",
        "Auth answers, and a made-up password is refused.",
        auth_answers,
        ("before", "after", "day"),
        SUPABASE,
        ("supabase_url", "supabase_anon_key"),
        cost=Cost(2),
    ),
)
