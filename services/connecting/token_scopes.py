"""What a Supabase access token allows: each scope tried with a read; whether it could write is asked harmlessly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.clients.http import HttpClient, UpstreamError
from services.clients.supabase import MANAGEMENT, SupabaseClient
from services.connecting.powers import is_scoped
from services.connecting.steps import READ_SCOPES
from services.connecting.trial import Told, Trial, asked, failed, passed, unknown
from services.settings import Target
from services.verdict import Verdict

Ask = Callable[[], object]
LOG_SPAN = timedelta(minutes=5)


def seen_of_token(trial: Trial) -> Iterator[Told]:
    """Each read scope tried; the level stands on the project's answer, what else is missing makes less possible."""
    supabase = trial.context.supabase
    project = asked(
        "Token: project_admin_read",
        supabase.project,
        lambda found: f"The token reads the project {found.name} ({found.status}).",
        effect=True,
    )
    yield project.told
    if project.answer is None:
        return
    reads = _reads(supabase, trial.now)
    missing: list[str] = []
    for scope, ask in reads.items():
        told = asked(f"Token: {scope}", ask, _tell(scope), needed=False).told
        if told.seen.verdict is not Verdict.PASS:
            missing.append(scope)
        yield told
    if missing:
        said = f"It answers {1 + len(reads) - len(missing)} of {1 + len(reads)} scopes; not {', '.join(missing)}."
        yield failed("Token: scopes", f"{said} The checks that read with them will say unknown.", needed=False)
    yield _could_write(trial.target)
    if is_scoped(_token(trial.target)) is False:
        said = "By its form this is no scoped token: it can do all that your account can. A scoped one is enough."
        yield unknown("Token: kind", said, needed=False)


def _tell(scope: str) -> Callable[[object], str]:
    return lambda _: f"It reads {READ_SCOPES[scope]}."


def _reads(supabase: SupabaseClient, now: datetime) -> Mapping[str, Ask]:
    """One read for each scope but the project's own."""
    return {
        "database_read": lambda: supabase.run_read_only("select 1 as one"),
        "backups_read": supabase.backups,
        "advisors_read": lambda: supabase.advisors("security"),
        "analytics_logs_read": lambda: supabase.log_lines("postgres_logs", now - LOG_SPAN, now, limit=1),
        "analytics_usage_read": supabase.api_counts,
        "database_pooling_config_read": supabase.poolers,
        "database_readonly_config_read": supabase.read_only_state,
        "infra_disk_config_read": supabase.disk,
    }


def _could_write(target: Target) -> Told:
    """Whether the token is let in where writing SQL is taken: asked with a SELECT that is declared read-only."""
    what = "Token: could it write?"
    http = HttpClient(
        "Supabase",
        target.supabase_management_url or MANAGEMENT,
        headers={"authorization": f"Bearer {_token(target)}"},
    )
    body: dict[str, Any] = {"query": "select 1 as one", "read_only": True}
    try:
        answer = http.request("POST", f"/v1/projects/{target.supabase_project_ref}/database/query", json=body)
    except UpstreamError as error:
        return unknown(what, f"Not known: {error.what}", needed=False)
    finally:
        http.close()
    if answer.status == 403:
        return passed(what, "It was turned away where writing SQL is taken.", needed=False)
    if answer.ok:
        said = "It is let in where writing SQL is taken. Nothing was written; choose read scopes only."
        return failed(what, said, needed=False)
    return unknown(what, f"Not known: the way to ask without writing answered {answer.status}.", needed=False)


def _token(target: Target) -> str:
    return target.supabase_access_token.get_secret_value() if target.supabase_access_token else ""
