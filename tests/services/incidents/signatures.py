"""What each fault leaves in the evidence, written by hand from the checks' code: used where nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.verdict import Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


@dataclass(frozen=True)
class Seen:
    """A verdict with its facts."""

    verdict: Verdict
    facts: Mapping[str, Any] = field(default_factory=dict)


Signature = dict[str, Seen]


def ids(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DOOR = ids("api-answers docs-served route-inventory admin-public stats-answer")
WRITING = ids(
    "journal-roundtrip feedback-stored ai-answers ai-quality ai-app-key response-quality analytics-arrive admin-numbers"
    " rate-limit"
)
COMPANION = ids("ai-answers ai-quality ai-app-key response-quality")
THROUGH_THE_APP = (*DOOR, *WRITING, "admin-role", "cost-matches-log")
SQL = ids(
    "database-direct schema-compatible release-schema release-receipt verification-clean quota-matches-log"
    " tiers-match-rule function-probe trigger-probe connection-kind connections-left slow-statements cache-hit"
    " disk-space database-writable locks-held clock-agrees"
)
REST = ids("database-rest anon-reads-nothing anon-reads-journal service-reads-all authenticated-reads-own")
MANAGEMENT = ids("supabase-project backup-fresh supabase-advisors supabase-log-errors")
RAILWAY = ids(
    "deployment-state startup-logs restart-loop env-names dependency-pins healthcheck-settings response-times"
    " platform-errors railway-calls-left"
)
OURS = ids("openai-key openai-model openai-limits")
PAGES = ids("railway-status supabase-status openai-status")
EVERY = tuple(
    dict.fromkeys((*THROUGH_THE_APP, *SQL, *REST, *MANAGEMENT, "auth-answers", *RAILWAY, *OURS, *PAGES, "certificate"))
)
NEEDS_THE_DATABASE = (*SQL, *REST, *WRITING, "stats-answer", "cost-matches-log")
JOURNAL_ROUTES = ["/api/v1/journal/entries", "/api/v1/journal/stats"]
ADMIN_ROUTES = [f"/api/v1/admin/beta-metrics/{part}" for part in ids("daily weekly users feedback costs health export")]
FEEDBACK_ROUTE = "/api/v1/journal/entries/{entry_id}/feedback"
SERVING = {"id": "d2", "status": "SUCCESS", "commit": "beta", "created_at": "2026-03-01T10:00:00+00:00"}
REAL = {"statuses": [200, 200], "known_text": False, "logged_errors": [], "log_rows": 2, "removed": True}
CANNED = {**REAL, "known_text": True, "same_text": True}

HEALTHY: Signature = {check: Seen(PASS) for check in EVERY} | {
    "api-answers": Seen(PASS, {"status": 200, "unknown_path_status": 404}),
    "docs-served": Seen(PASS, {"status": 200, "paths": 16}),
    "route-inventory": Seen(PASS, {"build": "beta", "missing": [], "broken": []}),
    "admin-public": Seen(FAIL, {"status": 200}),
    "admin-role": Seen(UNKNOWN, {"why": "no-token-asked"}),
    "anon-reads-journal": Seen(FAIL, {"as": "anon", "readable": 213}),
    "stats-answer": Seen(PASS, {"status": 200, "compared": {"total_entries": {"theirs": 9, "ours": 9}}}),
    "journal-roundtrip": Seen(PASS, {"status": 200, "stages": {"write": "pass", "stored": "pass", "read": "pass"}}),
    "feedback-stored": Seen(PASS, {"status": 200, "stored": 1}),
    "ai-answers": Seen(PASS, REAL),
    "ai-quality": Seen(PASS, REAL),
    "ai-app-key": Seen(PASS, {"why": None, "whose": "the app's"}),
    "analytics-arrive": Seen(PASS, {"calls": 2, "log_rows": 2}),
    "cost-matches-log": Seen(PASS, {"rows": 90, "wrong": 0}),
    "admin-numbers": Seen(PASS, {"status": 200, "compared": {"error_count": {"theirs": 1, "ours": 1}}}),
    "rate-limit": Seen(PASS, {"status": 429, "limit": 50, "counted": 50}),
    "database-direct": Seen(PASS, {"entries": 213, "major": 15}),
    "database-rest": Seen(PASS, {"as": "service_role", "rest": 213, "direct": 213}),
    "schema-compatible": Seen(PASS, {"build": "beta", "problems": []}),
    "release-schema": Seen(PASS, {"build": "beta", "problems": []}),
    "verification-clean": Seen(PASS, {"not_clean": []}),
    "quota-matches-log": Seen(PASS, {"rows": 0}),
    "tiers-match-rule": Seen(PASS, {"users": 20, "wrong": 0, "limits_off": []}),
    "supabase-project": Seen(PASS, {"status": "ACTIVE_HEALTHY", "services": {"db": "ACTIVE_HEALTHY"}}),
    "backup-fresh": Seen(PASS, {"count": 7, "newest": "2026-03-01T04:00:00+00:00"}),
    "deployment-state": Seen(PASS, {"serving": SERVING, "newest": SERVING}),
    "startup-logs": Seen(PASS, {"status": "SUCCESS", "error": None, "errors_while_running": []}),
    "env-names": Seen(PASS, {"missing": []}),
    "dependency-pins": Seen(PASS, {"missing": [], "other": {}}),
    "openai-key": Seen(PASS, {"model": "gpt-6-luna"}),
    "openai-model": Seen(PASS, {"model": "gpt-6-luna", "offered": True, "ends": None}),
    "certificate": Seen(PASS, {"tls": False}),
}


def fail(**facts: Any) -> Seen:
    return Seen(FAIL, facts)


def blind(kind: str, **facts: Any) -> Seen:
    """What the runner makes of an upstream that gave no usable answer."""
    return Seen(UNKNOWN, {"kind": kind, **{"status": None, "reason": None, "code": None, **facts}})


def each(checks: Iterable[str], seen: Seen) -> Signature:
    return dict.fromkeys(checks, seen)


def behind(upstream: str, checks: Iterable[str], kind: str, **facts: Any) -> Signature:
    return each(checks, blind(kind, upstream=upstream, **facts))


def app(kind: str, **facts: Any) -> Signature:
    """The app's door is the trouble: all that goes through it is blind in the same way."""
    return behind("PulseCheck", (c for c in THROUGH_THE_APP if c != "cost-matches-log"), kind, **facts)


def answered_by_the_app(status: int, kind: str) -> Signature:
    """Every route answers with this failing status, which the checks read as an answer of the app."""
    said = Seen(FAIL if status >= 500 else UNKNOWN, {"status": status, "kind": kind})
    silent = behind("PulseCheck", ("route-inventory", *COMPANION, "analytics-arrive"), kind, status=status)
    return app(kind, status=status) | each(("api-answers", "docs-served", "stats-answer", *WRITING), said) | silent


def not_started(name: str, said: str, **others: Seen) -> Signature:
    """The newest deployment failed and the old build serves, with the release in the database."""
    newest = {**SERVING, "status": "FAILED"}
    old = {**SERVING, "commit": "old", "id": "d1"}
    error = {"name": name, "said": f"{name}: {said}", "file": "main.py", "line": 7}
    return old_serves() | {
        "deployment-state": fail(serving=old, newest=newest),
        "startup-logs": fail(status="FAILED", error=error, errors_while_running=[]),
        **others,
    }


def old_serves() -> Signature:
    return {
        "route-inventory": fail(build="old", missing=[*ADMIN_ROUTES, FEEDBACK_ROUTE], broken=[]),
        "admin-public": Seen(UNKNOWN, {"status": 404}),
        "feedback-stored": fail(status=404, stored=0),
        "ai-quality": fail(**{**CANNED, "log_rows": 0}),
        "ai-app-key": Seen(UNKNOWN, {"why": "unknown"}),
        "response-quality": fail(graded=10, passed=2),
        "analytics-arrive": fail(calls=2, log_rows=0),
        "admin-numbers": fail(status=404),
        "rate-limit": fail(status=200, counted=50, limit=50),
    }


def canned(why: str, logged: str, whose: str = "the app's", **ours: Seen) -> Signature:
    """The app falls back to canned words for a reason that its log tells."""
    marks = {**CANNED, "logged_errors": [logged, logged]}
    return {
        "ai-quality": fail(**marks),
        "ai-app-key": fail(why=why, whose=whose),
        "response-quality": fail(graded=10, passed=1),
        **{name.replace("_", "-"): seen for name, seen in ours.items()},
    }


def both(kind: str, why: str, logged: str, *, verdict: Verdict = UNKNOWN, **facts: Any) -> Signature:
    """OpenAI fails the app's key and ours in the same way."""
    ours = Seen(verdict, {"kind": kind, "status": None, "code": None, "reason": None, **facts})
    return canned(why, logged) | {"openai-key": ours, "openai-limits": ours}


def database(error: str, **facts: Any) -> Signature:
    """Our own statements do not get through."""
    return each(NEEDS_THE_DATABASE, Seen(UNKNOWN, {"error": error, **facts}))


JOURNAL_500 = {
    "route-inventory": fail(build="beta", missing=[], broken=[*JOURNAL_ROUTES, *ADMIN_ROUTES]),
    "stats-answer": Seen(UNKNOWN, {"error": "Unavailable"}),
}
GONE = {"error": "Unavailable", "reason": "refused"}
COLUMNS_OF_FEEDBACK = ids("user_id journal_entry_id feedback_type feedback_text created_at")
NO_QUOTA = "RateLimitError: Error code: 429 - {'code': 'insufficient_quota'}"
NO_KEY = "AuthenticationError: Error code: 401 - {'code': 'invalid_api_key'}"
NO_MODEL = "NotFoundError: Error code: 404 - {'code': 'model_not_found'}"
REFUSED_KEY = fail(kind="unauthorised", status=401, code="invalid_api_key")
CRASHED = {**SERVING, "status": "CRASHED"}

SIGNATURES: dict[str, Signature] = {
    "api-timeout": app("timeout", reason="timeout"),
    "app-unreachable": app("unreachable", reason="refused"),
    "app-crashed": answered_by_the_app(502, "server-error")
    | {"deployment-state": fail(serving=None, newest=CRASHED), "restart-loop": Seen(UNKNOWN)},
    "app-server-error": answered_by_the_app(500, "server-error"),
    "app-web-page": app("not-understood", status=200, reason="web-page"),
    "app-broken-json": app("not-understood", status=200, reason="broken-json"),
    "app-wrong-type": app("not-understood", status=200, reason="wrong-type"),
    "app-rate-limited": answered_by_the_app(429, "rate-limited"),
    "app-needs-token": answered_by_the_app(401, "unauthorised"),
    "app-slow": each((*WRITING, "route-inventory"), blind("timeout", upstream="PulseCheck", reason="timeout"))
    | {"api-answers": fail(status=200, took_ms=6100), "response-times": fail(p95_ms=6100)},
    "app-reply-lost": each(WRITING, blind("unreachable", upstream="PulseCheck", reason="reset"))
    | {"admin-numbers": HEALTHY["admin-numbers"]},
    "missing-dependency": not_started(
        "ModuleNotFoundError", "No module named 'tiktoken'", **{"dependency-pins": fail(missing=["tiktoken"])}
    ),
    "renamed-class": not_started("ImportError", "cannot import name 'PulseService' from 'services'"),
    "bad-settings": not_started("ValidationError", "1 validation error for Settings SUPABASE_URL"),
    "variable-missing": not_started("KeyError", "'SECRET_KEY'", **{"env-names": fail(missing=["SECRET_KEY"])}),
    "openai-key-missing": not_started(
        "KeyError", "'OPENAI_API_KEY'", **{"env-names": fail(missing=["OPENAI_API_KEY"])}
    ),
    "router-missing": {
        "route-inventory": fail(build=None, missing=ADMIN_ROUTES, broken=[]),
        "admin-numbers": fail(status=404),
        "admin-public": Seen(UNKNOWN, {"status": 404}),
        "startup-logs": Seen(PASS, {"error": None, "errors_while_running": ["admin router not loaded"]}),
    },
    "feedback-router-missing": {
        "route-inventory": fail(build=None, missing=[FEEDBACK_ROUTE], broken=[]),
        "feedback-stored": fail(status=404, stored=0),
    },
    "old-build-serves": old_serves(),
    "feedback-not-stored": {"feedback-stored": fail(status=200, stored=0)},
    "journal-not-stored": {
        "journal-roundtrip": fail(status=200, stages={"write": "pass", "stored": "fail", "read": "fail"}),
        "feedback-stored": fail(status=404, kind="missing"),
        "ai-answers": fail(statuses=[404, 404]),
    },
    "journal-reads-stale": {
        "journal-roundtrip": fail(status=200, stages={"write": "pass", "stored": "pass", "read": "fail"})
    },
    "stats-wrong": {"stats-answer": fail(status=200, compared={"total_entries": {"theirs": 4, "ours": 9}})},
    "admin-error": {
        "admin-numbers": fail(status=500, kind="server-error"),
        "route-inventory": fail(build="beta", missing=[], broken=ADMIN_ROUTES),
        "admin-public": Seen(UNKNOWN, {"status": 500}),
    },
    "admin-numbers-wrong": {
        "admin-numbers": fail(status=200, compared={"error_count": {"theirs": 9, "ours": 1}}, removed=True)
    },
    "rls-blocks-backend": {
        "admin-numbers": fail(status=200, compared={"error_count": {"theirs": 0, "ours": 1}}, all_zero=True),
        "feedback-stored": fail(status=200, stored=0),
        "analytics-arrive": fail(calls=2, log_rows=0),
        "env-names": fail(missing=["SUPABASE_SERVICE_ROLE_KEY"]),
        "rate-limit": fail(status=200, counted=50, limit=50),
    },
    "ai-code-bug": canned("code-bug", "TypeError: 'NoneType' object is not subscriptable"),
    "usage-writer-broken": {
        "analytics-arrive": fail(calls=2, log_rows=0),
        "ai-quality": Seen(PASS, {**REAL, "log_rows": 0}),
    },
    "cost-wrong": {"cost-matches-log": fail(rows=92, wrong=2, unpriced=0, worst_factor=11.7)},
    "rate-limit-off": {"rate-limit": fail(status=200, counted=50, limit=50)},
    "restart-loop": {"restart-loop": fail(restarts=4, age_s=300)},
    "app-on-other-database": {
        "journal-roundtrip": fail(status=200, stages={"write": "pass", "stored": "fail", "read": "pass"}),
        "feedback-stored": fail(status=200, stored=0),
        "analytics-arrive": fail(calls=2, log_rows=0),
        "stats-answer": fail(status=200, compared={"total_entries": {"theirs": 1, "ours": 9}}),
        "admin-numbers": fail(status=200, compared={"error_count": {"theirs": 0, "ours": 1}}, all_zero=True),
    },
    "openai-no-quota": both("quota", "quota", NO_QUOTA, verdict=FAIL, status=429, code="insufficient_quota"),
    "openai-app-no-quota": canned("quota", NO_QUOTA),
    "openai-bad-key": both("unauthorised", "key-rejected", NO_KEY, verdict=FAIL, status=401, code="invalid_api_key")
    | {"openai-model": blind("unauthorised", upstream="OpenAI", status=401)},
    "openai-app-key-bad": canned("key-rejected", NO_KEY),
    "openai-our-key-bad": {
        "openai-key": REFUSED_KEY,
        "openai-limits": REFUSED_KEY,
        "openai-model": blind("unauthorised", upstream="OpenAI", status=401, code="invalid_api_key"),
    },
    "openai-key-malformed": canned("key-malformed", NO_KEY),
    "openai-model-retired": canned(
        "model",
        NO_MODEL,
        openai_model=fail(offered=False, ends=None),
        openai_key=Seen(PASS, {"kind": "missing", "status": 404, "code": "model_not_found"}),
    ),
    "openai-model-not-allowed": canned("model", NO_MODEL),
    "openai-rate-limited": both("rate-limited", "rate-limited", "RateLimitError: rate_limit_exceeded", status=429),
    "openai-server-error": both("server-error", "network", "InternalServerError: Error code: 500", status=500)
    | {"openai-model": blind("server-error", upstream="OpenAI", status=500)},
    "openai-overloaded": both(
        "server-error", "network", "InternalServerError: Error code: 503 - server_is_overloaded", status=503
    )
    | {"openai-model": blind("server-error", upstream="OpenAI", status=503)},
    "openai-timeout": both("timeout", "network", "APITimeoutError: Request timed out.", reason="timeout")
    | {"openai-model": blind("timeout", upstream="OpenAI", reason="timeout")},
    "openai-unreachable": both("unreachable", "network", "APIConnectionError: Connection error.", reason="refused")
    | {"openai-model": blind("unreachable", upstream="OpenAI", reason="refused")},
    "openai-region-blocked": both(
        "forbidden",
        "region",
        "PermissionDeniedError: unsupported_country_region_territory",
        status=403,
        code="unsupported_country_region_territory",
    ),
    "openai-web-page": both("not-understood", "unknown", "AttributeError: 'str' object", reason="web-page", status=200),
    "openai-broken-json": both("not-understood", "unknown", "JSONDecodeError: Unterminated", reason="broken-json"),
    "supabase-paused": database("Unavailable", reason="refused")
    | behind("Supabase", REST, "paused", status=540)
    | JOURNAL_500
    | {"supabase-project": fail(status="INACTIVE"), "auth-answers": blind("paused", status=540)},
    "supabase-key-rejected": {
        **each(REST, blind("unauthorised", upstream="Supabase", status=401)),
        "database-rest": fail(kind="unauthorised", status=401, code=None, **{"as": "service_role"}),
        **JOURNAL_500,
    },
    "supabase-rest-timeout": behind("Supabase", REST, "timeout", reason="timeout")
    | app("timeout", reason="timeout")
    | {c: HEALTHY[c] for c in ("api-answers", "docs-served")},
    "supabase-rest-error": behind("Supabase", REST, "server-error", status=503, code="PGRST002") | JOURNAL_500,
    "supabase-rest-web-page": behind("Supabase", REST, "not-understood", status=200, reason="web-page") | JOURNAL_500,
    "supabase-rest-broken-json": behind("Supabase", REST, "not-understood", status=200, reason="broken-json")
    | JOURNAL_500,
    "supabase-rest-rate-limited": behind("Supabase", REST, "rate-limited", status=429) | JOURNAL_500,
    "supabase-auth-down": {
        "auth-answers": blind("server-error", upstream="Supabase", status=503),
        "authenticated-reads-own": blind("server-error", upstream="Supabase", status=503),
    },
    "row-cap": {"service-reads-all": fail(capped=["journal_entries"], cap=100)},
    "grants-missing": {
        "service-reads-all": fail(kind="forbidden", status=403, code="42501", refused=["ai_feedback"]),
        "feedback-stored": fail(status=200, stored=0),
    },
    "schema-cache-stale": {
        "service-reads-all": fail(kind="missing", status=404, code="PGRST205"),
        "feedback-stored": fail(status=200, stored=0),
    },
    "management-token-rejected": behind("Supabase", MANAGEMENT, "unauthorised", status=401),
    "management-forbidden": behind("Supabase", MANAGEMENT, "forbidden", status=403),
    "management-timeout": behind("Supabase", MANAGEMENT, "timeout", reason="timeout"),
    "management-rate-limited": behind("Supabase", MANAGEMENT, "rate-limited", status=429),
    "management-web-page": behind("Supabase", MANAGEMENT, "not-understood", status=200, reason="web-page"),
    "backup-missing": {"backup-fresh": fail(count=0, pitr=False)},
    "backup-old": {"backup-fresh": fail(count=3, newest="2026-02-20T04:00:00+00:00", age_h=220.0)},
    "supabase-service-unhealthy": {
        "supabase-project": fail(status="ACTIVE_HEALTHY", services={"storage": "UNHEALTHY"})
    },
    "railway-token-rejected": behind("Railway", RAILWAY, "unauthorised", status=200),
    "railway-unreachable": behind("Railway", RAILWAY, "unreachable", reason="refused"),
    "railway-timeout": behind("Railway", RAILWAY, "timeout", reason="timeout"),
    "railway-rate-limited": behind("Railway", RAILWAY, "rate-limited", status=429),
    "railway-server-error": behind("Railway", RAILWAY, "server-error", status=500),
    "railway-web-page": behind("Railway", RAILWAY, "not-understood", status=200, reason="web-page"),
    "railway-broken-json": behind("Railway", RAILWAY, "not-understood", status=200, reason="broken-json"),
    "railway-no-data": behind("Railway", RAILWAY, "not-understood", status=200, reason="wrong-type"),
    "deployment-stuck": {"deployment-state": fail(serving=SERVING, newest={**SERVING, "status": "DEPLOYING"})},
    "deployment-stopped": app("unreachable", reason="refused")
    | {"deployment-state": fail(serving=None, newest={**SERVING, "status": "REMOVED"})},
    "calls-used-up": {"railway-calls-left": fail(left=3, of=1000)},
    "railway-incident": {"railway-status": fail(state="incident", incidents=["Deploys delayed"])},
    "supabase-incident": {"supabase-status": fail(state="incident", incidents=["REST slow"])},
    "openai-incident": {"openai-status": fail(state="incident", incidents=["Errors"])},
    "status-unreadable": each(PAGES, Seen(UNKNOWN, {"state": "unknown", "kind": "not-understood"})),
    "database-down": database("Unavailable", reason="refused")
    | behind("Supabase", ("anon-reads-journal",), "server-error", status=503)
    | JOURNAL_500
    | {"supabase-project": fail(status="ACTIVE_HEALTHY", services={"db": "UNHEALTHY"})},
    "database-hangs": database("Unavailable", reason="timeout", kind="timeout")
    | behind("Supabase", ("anon-reads-journal",), "timeout", reason="timeout")
    | JOURNAL_500,
    "database-read-only": each(WRITING, fail(status=500, kind="server-error"))
    | {"database-writable": fail(read_only=True), "trigger-probe": blind("read-only", code="25006")},
    "connections-exhausted": database("Refused", reason="connections", code="53300") | JOURNAL_500,
    "table-locked": each(("stats-answer", *WRITING), blind("timeout", upstream="PulseCheck"))
    | {"locks-held": fail(held_s=40), "database-direct": blind("timeout", code="57014")},
    "our-database-login-rejected": database("Refused", reason="login", code="28P01"),
    "column-renamed": {
        "schema-compatible": fail(build="beta", problems=["journal_entries.mood_level is missing"]),
        "release-schema": fail(build="beta", problems=["journal_entries.mood_level is missing"]),
        "journal-roundtrip": fail(status=500, kind="server-error"),
        "route-inventory": fail(build="beta", missing=[], broken=JOURNAL_ROUTES),
    },
    "column-type-changed": {
        "schema-compatible": fail(problems=["users.daily_ai_usage is bigint, the code needs integer"]),
        "release-schema": fail(problems=["users.daily_ai_usage is bigint, the code needs integer"]),
    },
    "table-missing": {
        "schema-compatible": fail(
            problems=[f"ai_feedback.{c} is missing" for c in COLUMNS_OF_FEEDBACK], missing_tables=["ai_feedback"]
        ),
        "release-schema": fail(
            problems=[f"ai_feedback.{c} is missing" for c in COLUMNS_OF_FEEDBACK], missing_tables=["ai_feedback"]
        ),
        "feedback-stored": fail(status=200, stored=0),
        "verification-clean": fail(not_clean=["010_objects"]),
    },
    "tier-function-broken": {
        "function-probe": fail(broken={"get_user_tier_info": "42804"}),
        "tiers-match-rule": Seen(UNKNOWN, {"error": "Unavailable"}),
        "verification-clean": fail(not_clean=["061_tier_info_answers"]),
    },
    "tiers-wrong": {
        "tiers-match-rule": fail(users=20, wrong=3, limits_off=[]),
        "verification-clean": fail(not_clean=["091_premium_kept"]),
    },
    "sign-up-broken": {"trigger-probe": fail(broken={"auth.users": "42703"})},
    "quota-trigger-off": {
        "quota-matches-log": fail(rows=6),
        "rate-limit": fail(status=200, counted=0, limit=50),
        "trigger-probe": fail(silent=["ai_usage_logs"]),
        "verification-clean": fail(not_clean=["070_trigger_fires", "071_quota_equals_log"]),
    },
    "view-fan-out": {"verification-clean": fail(not_clean=["082_engagement_totals"])},
    "release-readable-by-anon": {
        "anon-reads-nothing": fail(told={"ai_feedback": "12 of 12 rows"}),
        "verification-clean": fail(not_clean=["051_anon_is_refused"]),
    },
    "usage-stale": {"analytics-arrive": fail(calls=2, log_rows=2, stale=True)},
}

# What no fault of the sandbox makes, and happens to people all the same.
OUTSIDE: dict[str, Signature] = {
    "dns": app("unreachable", reason="dns") | {"certificate": blind("unreachable", reason="dns")},
    "certificate-expired": app("unreachable", reason="certificate") | {"certificate": fail(days_left=-3)},
    "clock-wrong": {"clock-agrees": fail(app_s=340, database_s=341)},
    "pooler-exhausted": database("Refused", reason="pooler-full", code="XX000"),
    "pooler-wrong-user": database("Refused", reason="tenant", code="XX000"),
    "ipv6-only-host": database("Unavailable", reason="ipv6"),
    "wrong-target": behind("Supabase", MANAGEMENT, "missing", status=404),
    "legacy-keys-disabled": behind("Supabase", REST, "unauthorised", status=401, reason="legacy-keys-disabled"),
    "openai-admin-key-used": each(OURS, blind("forbidden", upstream="OpenAI", status=403, reason="admin-key")),
    "disk-full": {"disk-space": fail(used_share=0.97)},
    "management-unreachable": behind("Supabase", MANAGEMENT, "unreachable", reason="refused"),
    "management-server-error": behind("Supabase", MANAGEMENT, "server-error", status=500),
}
