"""What an outsider sees of each fault of the upstreams over plain HTTP: one look each, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.services.sandbox.twin_world import TIRED, TwinWorld

HUNG_S = 0.4
# Each call has a connection of its own, as each caller has.
HTTP = httpx.Client(trust_env=False, verify=False, limits=httpx.Limits(max_keepalive_connections=0))
QUESTION = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 5}
RELEASED = "ai_feedback"

Look = Callable[[TwinWorld], Any]


@dataclass(frozen=True)
class Effect:
    """look: asks the world; broken: what it sees while the fault is in effect, and only then."""

    look: Look
    broken: Any


def call(method: str, url: str, patience_s: float = 5.0, **options: Any) -> Any:
    """The status and the kind of body, or what happened in place of an answer."""
    try:
        answer = HTTP.request(method, url, timeout=patience_s, **options)
    except httpx.ReadTimeout:
        return "hangs"
    except httpx.ConnectError:
        return "refused"
    except (httpx.RemoteProtocolError, httpx.ReadError):
        return "lost"
    return answer.status_code, _kind(answer)


def _kind(answer: httpx.Response) -> str:
    """A word on a body: its error code or message where it has one, else its type."""
    if "html" in answer.headers.get("content-type", ""):
        return "page"
    try:
        body = answer.json()
    except ValueError:
        return "broken" if answer.content else "empty"
    if not isinstance(body, dict):
        return type(body).__name__
    found = body.get("errors", [body])[0] if body.get("errors") else body
    error = found.get("error") if isinstance(found.get("error"), dict) else found
    for name in ("code", "message", "detail"):
        if isinstance(error.get(name), str):
            return str(error[name])
    return "null" if body.get("data", body) is None else "dict"


def app(path: str, patience_s: float = 5.0) -> Look:
    return lambda world: call("GET", f"{world.world.addresses.app_url}{path}", patience_s)


STATS = app("/api/v1/journal/stats", 2 * HUNG_S)


def app_written(world: TwinWorld) -> Any:
    """(what came back, how many rows were written)"""

    def rows() -> int:
        return int(world.sql("select count(*) from journal_entries")[0][0])

    before = rows()
    seen = call("POST", f"{world.world.addresses.app_url}/api/v1/journal/entries", json=TIRED)
    written = rows() - before
    world.sql("delete from journal_entries where content = %s", TIRED["content"])
    return seen, written


def openai(path: str = "models", whose: str = "openai_key", patience_s: float = 5.0) -> Look:
    def look(world: TwinWorld) -> Any:
        key = getattr(world.world.keys, whose)
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{world.world.addresses.openai_url}/{path}"
        if path == "models":
            return call("GET", url, patience_s, headers=headers)
        return call("POST", url, patience_s, headers=headers, json=QUESTION)

    return look


def both(first: Look, second: Look) -> Look:
    return lambda world: (first(world), second(world))


COMPLETIONS = both(openai("chat/completions"), openai("chat/completions", "ops_openai_key"))
MODELS = both(openai(), openai("models", "ops_openai_key"))


def variable(name: str) -> Look:
    """What the serving process was started with."""

    def look(world: TwinWorld) -> Any:
        active = world.world.hosting.active
        return active and active.variables.get(name) == world.world.hosting.first_variables[name]

    return look


def rest(path: str, whose: str = "service_key", patience_s: float = 5.0) -> Look:
    def look(world: TwinWorld) -> Any:
        url = f"{world.world.addresses.supabase_url}/rest/v1/{path}"
        return call("GET", url, patience_s, headers={"apikey": getattr(world.world.keys, whose)})

    return look


def rows_of_journal(world: TwinWorld) -> Any:
    url = f"{world.world.addresses.supabase_url}/rest/v1/journal_entries?select=id"
    return len(HTTP.get(url, headers={"apikey": world.world.keys.service_key}).json())


def auth(world: TwinWorld) -> Any:
    url = f"{world.world.addresses.supabase_url}/auth/v1/health"
    return call("GET", url, headers={"apikey": world.world.keys.anon_key})


def management(path: str, patience_s: float = 5.0) -> Look:
    def look(world: TwinWorld) -> Any:
        keys = world.world.keys
        url = f"{world.world.addresses.supabase_url}/v1/projects/{keys.project_ref}{path}"
        return call("GET", url, patience_s, headers={"Authorization": f"Bearer {keys.management_token}"})

    return look


def managed(world: TwinWorld, path: str) -> Any:
    keys = world.world.keys
    url = f"{world.world.addresses.supabase_url}/v1/projects/{keys.project_ref}{path}"
    return HTTP.get(url, headers={"Authorization": f"Bearer {keys.management_token}"}).json()


def backups(world: TwinWorld) -> Any:
    """The states of the backups, and how old the newest is in days."""
    found = managed(world, "/database/backups")["backups"]
    newest = max((one["inserted_at"] for one in found), default="")
    return sorted({one["status"] for one in found}), newest[:10]


def no_backup(world: TwinWorld) -> Any:
    return managed(world, "/database/backups")["backups"] == []


def failed_backups(world: TwinWorld) -> Any:
    return {one["status"] for one in managed(world, "/database/backups")["backups"]} == {"FAILED"}


def old_backups(world: TwinWorld) -> Any:
    newest = max((one["id"] for one in managed(world, "/database/backups")["backups"]), default=0)
    return world.world.clock().toordinal() - newest > 7


def ill_services(world: TwinWorld) -> Any:
    asked = "/health?services=auth&services=db&services=rest&services=storage"
    return [one["name"] for one in managed(world, asked) if one["status"] != "ACTIVE_HEALTHY"]


def project(world: TwinWorld) -> Any:
    return managed(world, "")["status"], rest("journal_entries?limit=1")(world)


def railway(world: TwinWorld) -> Any:
    url, headers = _railway(world)
    return call("POST", url, HUNG_S, headers=headers, json={"query": "{ projectToken { projectId } }"})


def _railway(world: TwinWorld) -> tuple[str, dict[str, str]]:
    return f"{world.world.addresses.railway_url}/graphql/v2", {"Project-Access-Token": world.world.keys.railway_token}


def calls_left(world: TwinWorld) -> Any:
    """Is nearly nothing left of the budget?"""
    url, headers = _railway(world)
    answer = HTTP.post(url, headers=headers, json={"query": "{ platformStatus { isStable } }"})
    left, limit = (int(answer.headers[f"x-ratelimit-{name}"]) for name in ("remaining", "limit"))
    return answer.status_code, left < limit / 10


def incidents(provider: str) -> Look:
    """How many incidents the provider's page lists; None where the page has no such list."""
    path = "" if provider == "railway" else "/api/v2/summary.json"

    def look(world: TwinWorld) -> Any:
        body = HTTP.get(f"{world.world.ports.url('status')}/{provider}{path}").json()
        return len(body["incidents"]) if "incidents" in body else None

    return look


def railway_stable(world: TwinWorld) -> Any:
    url, headers = _railway(world)
    query = "{ platformStatus { isStable incident { message status } } }"
    return HTTP.post(url, headers=headers, json={"query": query}).json()["data"]["platformStatus"]["isStable"]


ANSWERED = (200, "dict")

EFFECTS: dict[str, Effect] = {
    "api-timeout": Effect(STATS, "hangs"),
    "app-unreachable": Effect(STATS, "refused"),
    "app-server-error": Effect(STATS, (500, "Internal Server Error")),
    "app-web-page": Effect(STATS, (200, "page")),
    "app-broken-json": Effect(STATS, (200, "broken")),
    "app-wrong-type": Effect(STATS, (200, "str")),
    "app-rate-limited": Effect(STATS, (429, "Too Many Requests")),
    "app-needs-token": Effect(STATS, (401, "Not authenticated")),
    "app-slow": Effect(STATS, "hangs"),
    "app-reply-lost": Effect(app_written, ("lost", 1)),
    "openai-no-quota": Effect(COMPLETIONS, ((429, "insufficient_quota"), (429, "insufficient_quota"))),
    "openai-app-no-quota": Effect(COMPLETIONS, ((429, "project_spend_limit_exceeded"), ANSWERED)),
    "openai-bad-key": Effect(MODELS, ((401, "invalid_api_key"), (401, "invalid_api_key"))),
    "openai-app-key-bad": Effect(MODELS, ((401, "invalid_api_key"), ANSWERED)),
    "openai-our-key-bad": Effect(MODELS, (ANSWERED, (401, "invalid_api_key"))),
    "openai-our-key-restricted": Effect(MODELS, (ANSWERED, (403, "missing_scope"))),
    "openai-key-missing": Effect(variable("OPENAI_API_KEY"), False),
    "openai-key-malformed": Effect(variable("OPENAI_API_KEY"), False),
    "openai-model-retired": Effect(COMPLETIONS, ((404, "model_not_found"), (404, "model_not_found"))),
    "openai-model-not-allowed": Effect(COMPLETIONS, ((403, "model_not_found"), (403, "model_not_found"))),
    "openai-rate-limited": Effect(COMPLETIONS, ((429, "rate_limit_exceeded"), (429, "rate_limit_exceeded"))),
    "openai-server-error": Effect(
        openai(), (500, "The server had an error while processing your request. Sorry about that!")
    ),
    "openai-overloaded": Effect(openai(), (503, "server_is_overloaded")),
    "openai-timeout": Effect(openai(patience_s=HUNG_S), "hangs"),
    "openai-unreachable": Effect(openai(), "refused"),
    "openai-region-blocked": Effect(openai(), (403, "unsupported_country_region_territory")),
    "openai-web-page": Effect(openai(), (200, "page")),
    "openai-broken-json": Effect(openai(), (200, "broken")),
    "supabase-paused": Effect(project, ("INACTIVE", (540, "Project paused"))),
    "supabase-key-rejected": Effect(
        both(rest("journal_entries?limit=1"), rest("journal_entries?limit=1", "ops_service_key")),
        ((401, "Invalid API key"), (401, "Invalid API key")),
    ),
    "supabase-app-key-rejected": Effect(
        both(rest("journal_entries?limit=1"), rest("journal_entries?limit=1", "ops_service_key")),
        ((401, "Invalid API key"), (200, "list")),
    ),
    "supabase-our-key-rejected": Effect(
        both(rest("journal_entries?limit=1"), rest("journal_entries?limit=1", "ops_service_key")),
        ((200, "list"), (401, "Invalid API key")),
    ),
    "supabase-rest-timeout": Effect(rest("journal_entries?limit=1", patience_s=HUNG_S), "hangs"),
    "supabase-rest-error": Effect(rest("journal_entries?limit=1"), (503, "PGRST002")),
    "supabase-rest-web-page": Effect(rest("journal_entries?limit=1"), (200, "page")),
    "supabase-rest-broken-json": Effect(rest("journal_entries?limit=1"), (200, "broken")),
    "supabase-rest-rate-limited": Effect(rest("journal_entries?limit=1"), (429, "API rate limit exceeded")),
    "supabase-auth-down": Effect(auth, (503, "name resolution failed")),
    "row-cap": Effect(rows_of_journal, 3),
    "grants-missing": Effect(rest(f"{RELEASED}?limit=1"), (403, "42501")),
    "schema-cache-stale": Effect(rest(f"{RELEASED}?limit=1"), (404, "PGRST205")),
    "backup-missing": Effect(no_backup, True),
    "backup-old": Effect(old_backups, True),
    "backup-failed": Effect(failed_backups, True),
    "supabase-service-unhealthy": Effect(ill_services, ["storage"]),
    "management-token-rejected": Effect(management("/readonly"), (401, "Unauthorized")),
    "management-forbidden": Effect(
        management("/readonly"), (403, "Your access token does not have the permissions for this.")
    ),
    "management-timeout": Effect(management("", HUNG_S), "hangs"),
    "management-rate-limited": Effect(management("/readonly"), (429, "ThrottlerException: Too Many Requests")),
    "management-web-page": Effect(management("/readonly"), (200, "page")),
    "railway-token-rejected": Effect(railway, (200, "Project Token not found")),
    "railway-token-without-access": Effect(railway, (200, "Not Authorized")),
    "railway-unreachable": Effect(railway, "refused"),
    "railway-timeout": Effect(railway, "hangs"),
    "railway-rate-limited": Effect(railway, (429, "Too many requests")),
    "railway-server-error": Effect(railway, (500, "Problem processing request")),
    "railway-web-page": Effect(railway, (200, "page")),
    "railway-broken-json": Effect(railway, (200, "broken")),
    "railway-no-data": Effect(railway, (200, "null")),
    "calls-used-up": Effect(calls_left, (200, True)),
    "railway-incident": Effect(both(incidents("railway"), railway_stable), (1, False)),
    "supabase-incident": Effect(incidents("supabase"), 1),
    "openai-incident": Effect(incidents("openai"), 1),
    "status-unreadable": Effect(both(incidents("railway"), incidents("openai")), (None, None)),
}
