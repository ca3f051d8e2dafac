"""What people meet and no fault of the sandbox makes: its evidence, written by hand from the checks' code."""

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


THROUGH_THE_APP = ids(
    "api-answers docs-served route-inventory admin-public admin-role stats-answer journal-roundtrip feedback-stored"
    " ai-answers ai-quality ai-app-key response-quality analytics-arrive admin-numbers rate-limit"
)
REST = ids("database-rest anon-reads-nothing anon-reads-journal service-reads-all authenticated-reads-own")
NEED_THE_DATABASE = ids(
    "database-direct schema-compatible release-schema release-receipt verification-clean quota-matches-log"
    " tiers-match-rule function-probe trigger-probe connection-kind connections-left disk-space database-writable"
    " locks-held clock-agrees database-rest anon-reads-nothing service-reads-all authenticated-reads-own stats-answer"
    " journal-roundtrip feedback-stored ai-answers ai-quality ai-app-key response-quality analytics-arrive"
    " admin-numbers rate-limit cost-matches-log"
)
MANAGEMENT = ids("supabase-project backup-fresh disk-space")
OURS = ids("openai-key openai-model openai-limits")


def fail(**facts: Any) -> Seen:
    return Seen(FAIL, facts)


def blind(kind: str, **facts: Any) -> Seen:
    """What the runner makes of an upstream that gave no usable answer."""
    return Seen(UNKNOWN, {"kind": kind, "status": None, **facts})


def each(checks: Iterable[str], seen: Seen) -> Signature:
    return dict.fromkeys(checks, seen)


def behind(upstream: str, checks: Iterable[str], kind: str, **facts: Any) -> Signature:
    return each(checks, blind(kind, upstream=upstream, **facts))


def app(kind: str, **facts: Any) -> Signature:
    """The app's door is the trouble: all that goes through it is blind in the same way."""
    return behind("PulseCheck", THROUGH_THE_APP, kind, **facts)


def database(error: str, **facts: Any) -> Signature:
    """Our own statements do not get through."""
    return each(NEED_THE_DATABASE, Seen(UNKNOWN, {"error": error, **facts}))


def rehearsed(kind: str, sqlstate: str) -> Signature:
    """The release's script fails on a copy of this database."""
    return {"rehearsal-fresh": fail(verdict="fail", failure={"class": kind, "sqlstate": sqlstate, "line": 40})}


OUTSIDE: dict[str, Signature] = {
    "dns": app("unreachable", reason="dns") | {"certificate": blind("unreachable", reason="dns")},
    "certificate-expired": app("unreachable", reason="certificate")
    | {"certificate": fail(tls=True, days_left=None, problem="certificate has expired")},
    "clock-wrong": {"clock-agrees": fail(app_off_s=340, database_off_s=341)},
    "pooler-exhausted": database("Refused", reason="pooler-full", code="XX000"),
    "pooler-wrong-user": database("Refused", reason="tenant", code="XX000"),
    "ipv6-only-host": database("Unavailable", reason="ipv6"),
    "wrong-target": behind("Supabase", MANAGEMENT, "missing", status=404),
    "legacy-keys-disabled": behind("Supabase", REST, "unauthorised", status=401, reason="legacy-keys-disabled"),
    "openai-admin-key-used": each(OURS, blind("forbidden", upstream="OpenAI", status=403, reason="admin-key")),
    "deploy-not-immutable": rehearsed("not-immutable", "42P17"),
    "deploy-types-differ": rehearsed("type-mismatch", "42883"),
    "deploy-exists-already": rehearsed("exists-already", "42710"),
    "deploy-shape-changed": rehearsed("view-columns", "42P16"),
    "deploy-not-permitted": rehearsed("permission", "42501"),
    "rehearsal-failed": rehearsed("check-violation", "23514"),
    "disk-full": {"disk-space": fail(share=0.97)},
    "management-unreachable": behind("Supabase", MANAGEMENT, "unreachable", reason="refused"),
    "management-server-error": behind("Supabase", MANAGEMENT, "server-error", status=500),
}
