"""Why the app's AI is canned, and whose key it is: by the app's own behaviour and logs; our own key only explains."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.pulsecheck.callers import require_alive
from apps.pulsecheck.checks.ai import AiProbe, ai_probe
from apps.pulsecheck.checks.api import build_of
from services.checks.context import CheckContext
from services.clients.http import UpstreamError
from services.clients.railway import LogLine
from services.clients.redaction import redact
from services.errors import OpsError
from services.verdict import Finding, Verdict

KEY_VARIABLE = "OPENAI_API_KEY"
LOG_COUNTS_FOR = timedelta(minutes=15)
SHOWN = 240  # characters of a quoted log line

# What a line of the app says about its AI, first match first; the words are those of OpenAI's errors and its package.
_SAYS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (why, re.compile(words, re.IGNORECASE))
    for why, words in (
        (
            "quota",
            r"insufficient_quota|exceeded your current quota|billing|spend_limit|credit"
            r"|credit_balance_exhausted|spend_limit_exceeded|usage_limit_exceeded",
        ),
        ("region", r"unsupported_country|country, region, or territory"),
        ("model", r"model_not_(?:found|allowed)|model_(?:retired|deprecated)|shut down|access to (?:this |the )?model"),
        ("key-malformed", r"illegal header|invalid header|LocalProtocolError|codec can't encode"),
        ("key-absent", r"api_key client option must be set|didn't provide an API key|no api key|key is not set"),
        ("key-rejected", r"invalid_api_key|incorrect api key|AuthenticationError|account_deactivated|code: 401\b"),
        ("rate-limited", r"rate_limit|RateLimitError|code: 429\b|too many requests"),
        ("key-rejected", r"code: 403\b|PermissionDenied"),
        ("model", r"code: 404\b"),
        (
            "network",
            r"APIConnectionError|APITimeoutError|timed out|connection error|ConnectError|name resolution"
            r"|JSONDecodeError|Expecting value|InternalServerError|overloaded|server_error|code: 5\d\d\b",
        ),
        (
            "code-bug",
            r"\b(?:Name|Type|Attribute|Key|UnboundLocal|Index|Import|ModuleNotFound|Assertion)Error\b|is not defined",
        ),
    )
)
_STATUS = re.compile(r"\bcode: (\d{3})\b", re.IGNORECASE)
_ABOUT_AI = re.compile(r"openai|\bAI\b|completion|gpt|companion", re.IGNORECASE)
_MEANS: Mapping[str, str] = {
    "key-absent": "no key is set for the app",
    "key-malformed": "the app's key does not have the form of a key",
    "key-rejected": "OpenAI rejects the app's key",
    "quota": "the account of the app's key has no quota left",
    "model": "the app's key gets no such model",
    "rate-limited": "OpenAI limits the rate of the app's key",
    "region": "OpenAI refuses the region that the app's key is used from; the key itself is not what is wrong",
    "network": "OpenAI gives the app no usable answer; the app's key is not what is wrong",
    "code-bug": "the app's own code loses the answer; the app's key is not what is wrong",
    "unknown": "why, and whether the app's key is at fault, is not known",
}
_KIND_MEANS: Mapping[str, str] = {
    "quota": "quota",
    "unauthorised": "key-rejected",
    "missing": "model",
    "rate-limited": "rate-limited",
    **dict.fromkeys(("timeout", "unreachable", "server-error", "not-understood"), "network"),
}


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What was seen of a canned AI.

    delays_s: seconds until each canned answer; analysis_real: /analysis of the same entries was real
    logged_errors: the app's usage log about our own calls; succeeded: it logged them as successes, with tokens
    log_lines: recent lines of the app's log about its AI, newest last
    key_named: the variable is set on the platform; looks_like_key: /health says that it begins as keys do
    our_key: what our own key met: "good", a kind of failure, or None where it was not asked; our_why: the same as a
    reason
    """

    delays_s: tuple[float, ...] = ()
    analysis_real: bool | None = None
    logged_errors: tuple[str, ...] = ()
    succeeded: bool = False
    log_lines: tuple[str, ...] = ()
    key_named: bool | None = None
    looks_like_key: bool | None = None
    our_key: str | None = None
    our_why: str | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """The reason. whose: "app", "both" (the app's key and our own meet the same), "none" (no key is at fault),
    "unknown"; certainty: "proved" by the app's own calls, "likely", "hint" by the delay alone, or "unknown"."""

    why: str
    whose: str
    certainty: str
    quoted: str | None = None
    hint: str | None = None

    def sentence(self, our_key: str | None) -> str:
        certain = {"proved": "", "likely": " (likely, not proved)"}.get(self.certainty, "")
        said = f"The AI is canned: {_MEANS[self.why]}{certain}."
        if self.hint:
            said += f" The delay of the app's answers fits {self.hint}, which is only a hint about the app's key."
        if self.quoted:
            said += f" The app's log says: {self.quoted}"
        return f"{said} {_about_ours(self, our_key)}"


def _about_ours(why: Why, our_key: str | None) -> str:
    if our_key is None:
        return "Our own key was not asked."
    if our_key == "good":
        return "Our own key works, which proves nothing about the app's."
    if why.whose == "both":
        return f"Our own key meets the same ({our_key}), which fits but proves nothing about the app's."
    return f"Our own key fails too ({our_key}), which proves nothing about the app's."


def why_canned(seen: Symptoms) -> Why:
    """The reason for canned answers, strongest evidence first: behaviour, names, the app's log of our own calls, its
    other log lines, and the delay only as a hint. Our own key decides nothing but `whose` "both"."""
    if seen.analysis_real:
        return Why("code-bug", "none", "proved")
    if seen.key_named is False:
        return _of_key("key-absent", "proved", seen)
    for lines, certainty in ((seen.logged_errors, "proved"), (seen.log_lines, "likely")):
        told = [(why, line) for line in lines if (why := reason_in(line)) is not None]
        if told:
            why, line = told[-1]
            if seen.looks_like_key is False and why in ("key-rejected", "network"):
                why = "key-malformed"
            return _of_key(why, certainty, seen, _shown(line))
    if seen.looks_like_key is False:
        return _of_key("key-malformed" if seen.key_named else "key-absent", "likely", seen)
    if seen.succeeded:
        return Why("code-bug", "none", "likely")
    hint = delay_hint(seen.delays_s)
    return Why("unknown", "unknown", "hint" if hint else "unknown", hint=hint)


def reason_in(line: str) -> str | None:
    """What a line of a log says about the AI; None where it says nothing of it."""
    return next((why for why, words in _SAYS if words.search(line)), None)


def delay_hint(delays_s: Sequence[float]) -> str | None:
    """What the delay of canned answers fits: known from the builds of the launch, and no proof of anything."""
    if not delays_s:
        return None
    middle = sorted(delays_s)[len(delays_s) // 2]
    if middle < 0.2:
        return "an app that asks no AI at all"
    if 0.3 <= middle < 0.55:
        return "a missing key or a bug"
    if 0.55 <= middle < 0.95:
        return "a rejected key"
    return "an account without quota, or the network" if 2.3 <= middle <= 3.6 else None


def _of_key(why: str, certainty: str, seen: Symptoms, quoted: str | None = None) -> Why:
    same = seen.our_why == why
    if why in ("code-bug", "network", "region"):
        return Why(why, "both" if same else "none", certainty, quoted)
    return Why(why, "both" if same else "app", certainty, quoted)


def _shown(line: str) -> str:
    return redact(" ".join(line.split()))[:SHOWN]


def ai_app_key(context: CheckContext) -> Finding:
    """The app's own key gets real answers; where they are canned: why, and whose key it is about."""
    probe = ai_probe(context)
    if probe.refused is not None:
        return probe.refused
    facts: dict[str, Any] = {
        "why": None,
        "whose": "app",
        "statuses": [pulse.status for pulse in probe.pulses],
        "delays_ms": [round(pulse.took_s * 1000) for pulse in probe.pulses],
        "build": build_of(context),
        "removed": True,
    }
    if probe.canned is None:
        kind = next((pulse.kind for pulse in probe.pulses if pulse.kind), None)
        said = "The companion did not answer both entries, so nothing is known of the app's key."
        return Finding(Verdict.UNKNOWN, said, {**facts, "whose": "unknown", "kind": kind})
    if not probe.canned:
        said = "The app's own key works: two different entries got real answers through it."
        return Finding(Verdict.PASS, said, facts)
    seen = symptoms(context, probe)
    found = why_canned(seen)
    facts |= {
        "why": found.why,
        "whose": found.whose,
        "certainty": found.certainty,
        "quoted": found.quoted,
        "hint": delay_hint(seen.delays_s),
        "error_status": _status_in(found.quoted),
        "analysis_real": seen.analysis_real,
        "key_named": seen.key_named,
        "looks_like_key": seen.looks_like_key,
        "our_key": seen.our_key,
    }
    return Finding(Verdict.FAIL, found.sentence(seen.our_key), facts, link=_link(found.why))


def _status_in(quoted: str | None) -> int | None:
    found = _STATUS.search(quoted or "")
    return int(found[1]) if found else None


def _link(why: str) -> str:
    links = {"quota": "openai_billing", "model": "openai_models", "key-rejected": "openai_keys"}
    return links.get(why, "railway_variables" if why.startswith("key-") else "railway_logs")


def symptoms(context: CheckContext, probe: AiProbe) -> Symptoms:
    """Everything that can be seen of a canned AI. What cannot be looked at is None, and no reason to give up."""
    our_key, our_why = _our_key(context)
    return Symptoms(
        delays_s=tuple(pulse.took_s for pulse in probe.pulses),
        analysis_real=probe.analysis_real,
        logged_errors=tuple(str(row["error_message"]) for row in probe.log_rows if row.get("error_message")),
        succeeded=any(row.get("success") and row.get("total_tokens") for row in probe.log_rows),
        log_lines=_log_lines(context),
        key_named=_key_named(context),
        looks_like_key=_looks_like_key(context),
        our_key=our_key,
        our_why=our_why,
    )


def _looks_like_key(context: CheckContext) -> bool | None:
    """/health only tests how the key begins: its yes says nothing, its no does."""
    try:
        told = require_alive(context).json()
    except OpsError:
        return None
    value = told.get("openai_configured") if isinstance(told, dict) else None
    return value if isinstance(value, bool) else None


def _our_key(context: CheckContext) -> tuple[str | None, str | None]:
    """What our own key met, as a kind of failure and as a reason."""
    if context.target.openai_key is None:
        return None, None
    try:
        context.once("openai-completion", lambda: context.openai.complete(context.app.model))
    except UpstreamError as error:
        kind = error.kind.value
        return kind, reason_in(f"{error.code or ''} {error.detail}") or _KIND_MEANS.get(kind)
    except OpsError:
        return None, None
    return "good", None


def _uses_railway(context: CheckContext) -> bool:
    return context.target.railway_url is not None and context.target.railway_token is not None


def _key_named(context: CheckContext) -> bool | None:
    if not _uses_railway(context):
        return None
    try:
        names = context.once("railway-variable-names", context.railway.variable_names)
    except OpsError:
        return None
    return KEY_VARIABLE in {one.name for one in names}


def _log_lines(context: CheckContext) -> tuple[str, ...]:
    """What the serving deployment has lately written about its AI."""
    if not _uses_railway(context):
        return ()
    try:
        found = context.once("railway-deployments", context.railway.deployments)
        serving = next((one for one in found if one.status == "SUCCESS" and one.running), None)
        if serving is None:
            return ()
        lines = context.once(f"log:{serving.id}", lambda: context.railway.deployment_logs(serving.id))
    except OpsError:
        return ()
    return recent_lines_about_ai(lines, context.now)


def recent_lines_about_ai(lines: Sequence[LogLine], now: datetime) -> tuple[str, ...]:
    """Lines of the last quarter of an hour that speak of the AI and say what went wrong, oldest first."""
    return tuple(
        line.message
        for line in lines
        if _ABOUT_AI.search(line.message) and reason_in(line.message) is not None and _is_recent(line.at, now)
    )[-5:]


def _is_recent(at: str, now: datetime) -> bool:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return True
    return moment.tzinfo is None or now - moment < LOG_COUNTS_FOR
