"""What OpenAI's answers and refusals hold: models, completions, rate limits, and which problem an error stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from services.clients.budget import duration, retry_after_s
from services.clients.http import Answer, Kind, Reason, UpstreamError, failure, kind_of

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
        "billing_not_active",
    }
)
_REGION_CODE = "unsupported_country_region_territory"
_OVERLOAD_CODES = frozenset({"server_is_overloaded", "overloaded", "engine_overloaded", "slow_down"})
_RETIRED = re.compile(r"\b(?:shut down|deprecat\w{1,10}|retired|no longer available|discontinued)\b", re.IGNORECASE)
_RESTRICTED = re.compile(r"\b(?:missing scopes?|insufficient permissions?|restricted api key)\b", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"\bdoes not have access to(?: the)? model\b", re.IGNORECASE)
_STEP = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|us|s|m|h|d)")
_STEP_S: Mapping[str, float] = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Problem(StrEnum):
    """What stands between a key and an answer."""

    KEY_MALFORMED = "key-malformed"
    KEY_REJECTED = "key-rejected"
    KEY_RESTRICTED = "key-restricted"
    QUOTA = "quota"
    RATE_LIMITED = "rate-limited"
    MODEL_RETIRED = "model-retired"
    MODEL_NOT_ALLOWED = "model-not-allowed"
    MODEL_UNKNOWN = "model-unknown"
    REGION = "region"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server-error"
    REQUEST_REFUSED = "request-refused"
    NETWORK = "network"
    TIMEOUT = "timeout"
    NOT_UNDERSTOOD = "not-understood"


_KINDS: Mapping[Problem, Kind] = {
    Problem.KEY_REJECTED: Kind.UNAUTHORISED,
    Problem.KEY_RESTRICTED: Kind.FORBIDDEN,
    Problem.QUOTA: Kind.QUOTA,
    Problem.RATE_LIMITED: Kind.RATE_LIMITED,
    Problem.MODEL_RETIRED: Kind.MISSING,
    Problem.MODEL_NOT_ALLOWED: Kind.FORBIDDEN,
    Problem.MODEL_UNKNOWN: Kind.MISSING,
    Problem.REGION: Kind.FORBIDDEN,
    Problem.OVERLOADED: Kind.SERVER_ERROR,
    Problem.SERVER_ERROR: Kind.SERVER_ERROR,
    Problem.REQUEST_REFUSED: Kind.NOT_UNDERSTOOD,
    Problem.NETWORK: Kind.UNREACHABLE,
    Problem.TIMEOUT: Kind.TIMEOUT,
}
_SAYS: Mapping[Problem, str] = {
    Problem.KEY_REJECTED: "it does not accept the key",
    Problem.KEY_RESTRICTED: "the key is restricted and lacks the right for this call",
    Problem.QUOTA: "the account has no quota left; that is a matter of billing",
    Problem.RATE_LIMITED: "too many requests or tokens",
    Problem.MODEL_RETIRED: "the model has been shut down",
    Problem.MODEL_NOT_ALLOWED: "this project has no access to the model",
    Problem.MODEL_UNKNOWN: "the model does not exist, or the key may not use it",
    Problem.REGION: "it does not serve the region the call came from",
    Problem.OVERLOADED: "it is overloaded",
    Problem.SERVER_ERROR: "it failed",
    Problem.REQUEST_REFUSED: "it refused the request as wrong",
    Problem.NETWORK: "what stands before it cannot reach it",
    Problem.TIMEOUT: "what stands before it got no answer in time",
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model the key sees; ends: the day it is shut down, where one is announced."""

    id: str
    ends: date | None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What the rate-limit headers say: per request and per token the limit, what is left, seconds until it is full."""

    requests_limit: int | None = None
    requests_left: int | None = None
    requests_reset_s: float | None = None
    tokens_limit: int | None = None
    tokens_left: int | None = None
    tokens_reset_s: float | None = None

    @property
    def told(self) -> bool:
        return self != RateLimits()


@dataclass(frozen=True, slots=True)
class Completion:
    """A tiny completion: the model that answered, tokens as the service counted them, and its limits as told."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    requests_left: int | None
    tokens_left: int | None
    limits: RateLimits = RateLimits()


class OpenAiError(UpstreamError):
    """An UpstreamError that also tells the problem, and the rate limits where the answer bore them."""

    problem: Problem
    limits: RateLimits


def of_network(error: UpstreamError) -> OpenAiError:
    """The same failure as one of this family."""
    problem = {Kind.TIMEOUT: Problem.TIMEOUT, Kind.UNREACHABLE: Problem.NETWORK}.get(error.kind, Problem.NOT_UNDERSTOOD)
    if error.reason is Reason.MALFORMED_KEY:
        problem = Problem.KEY_MALFORMED
    return _with(error, problem, RateLimits())


def refusal(answer: Answer) -> OpenAiError:
    """The error for an answer with a failing status."""
    told = _told(answer)
    problem = _problem(answer.status, told)
    kind = _KINDS.get(problem)
    error = failure(answer, kind, code=told.code, said=told.message)
    if problem is not Problem.NOT_UNDERSTOOD:
        wait = retry_after_s(answer.headers)
        asks = f"; it asks us to wait {duration(wait)}" if wait is not None and error.kind is Kind.RATE_LIMITED else ""
        named = f"OpenAI answered {answer.status} {told.code or ''}".rstrip()
        error.what = f"{named} ({error.kind.value}): {_SAYS[problem]}{asks}."
        error.args = (error.what,)
    return _with(error, problem, read_limits(answer.headers))


def kind_of_error(status: int, code: str | None, body: Mapping[str, Any]) -> Kind:
    """The kind of an OpenAI error: 429 is a quota matter or a rate limit, and only the code or type tells."""
    told = _Told(code, _optional(body.get("type")), _optional(body.get("message")) or "")
    return _KINDS.get(_problem(status, told), Kind.NOT_UNDERSTOOD)


@dataclass(frozen=True, slots=True)
class _Told:
    code: str | None
    type: str | None
    message: str


def _told(answer: Answer) -> _Told:
    """OpenAI's error body; nothing where it is another."""

    def read(body: Any) -> _Told:
        error = body["error"]
        if isinstance(error, str):
            return _Told(None, None, error)
        code = error.get("code")
        named = str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None
        return _Told(
            answer.redacted(named)[:60] if named else None,
            _optional(error.get("type")),
            _optional(error.get("message")) or "",
        )

    try:
        return answer.read(read)
    except UpstreamError:
        return _Told(None, None, "")


def _problem(status: int, told: _Told) -> Problem:
    """Which problem an error is, by its code first, then by its words, then by the status."""
    code = told.code or ""
    if code in QUOTA_CODES or told.type in QUOTA_CODES:
        return Problem.QUOTA
    if code == _REGION_CODE:
        return Problem.REGION
    if status in (401, 403) and (_RESTRICTED.search(told.message) or code == "missing_scope"):
        return Problem.KEY_RESTRICTED
    if _NOT_ALLOWED.search(told.message) and status in (400, 403, 404):
        return Problem.MODEL_NOT_ALLOWED
    if code in ("model_not_found", "model_not_available") or status in (404, 410):
        if _RETIRED.search(told.message) or status == 410:
            return Problem.MODEL_RETIRED
        return Problem.MODEL_NOT_ALLOWED if status == 403 else Problem.MODEL_UNKNOWN
    if code in _OVERLOAD_CODES and status != 429:
        return Problem.OVERLOADED
    return _problem_of_status(status)


def _problem_of_status(status: int) -> Problem:
    known = {401: Problem.KEY_REJECTED, 402: Problem.QUOTA, 403: Problem.KEY_RESTRICTED, 429: Problem.RATE_LIMITED}
    if status in known:
        return known[status]
    if status >= 500 or status == 408:
        seen = {Kind.TIMEOUT: Problem.TIMEOUT, Kind.UNREACHABLE: Problem.NETWORK}
        return seen.get(kind_of(status), Problem.SERVER_ERROR)
    return Problem.REQUEST_REFUSED if status >= 400 else Problem.NOT_UNDERSTOOD


def _with(error: UpstreamError, problem: Problem, limits: RateLimits) -> OpenAiError:
    made = OpenAiError.__new__(OpenAiError, *error.args)
    made.__dict__.update(error.__dict__)
    made.problem, made.limits = problem, limits
    return made


def read_limits(headers: Mapping[str, str]) -> RateLimits:
    """Limits out of an answer's headers; all None where it bears none."""

    def number(name: str) -> int | None:
        text = headers.get(f"x-ratelimit-{name}", "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    return RateLimits(
        number("limit-requests"),
        number("remaining-requests"),
        seconds_of(headers.get("x-ratelimit-reset-requests", "")),
        number("limit-tokens"),
        number("remaining-tokens"),
        seconds_of(headers.get("x-ratelimit-reset-tokens", "")),
    )


def seconds_of(text: str) -> float | None:
    """A duration such as "120ms" or "6m0s" in seconds; None for anything else."""
    steps = _STEP.findall(text)
    if not steps or "".join(number + unit for number, unit in steps) != text.strip():
        return None
    return sum(float(number) * _STEP_S[unit] for number, unit in steps)


def read_models(body: Any) -> dict[str, Model]:
    found = body["data"]
    if not isinstance(found, list):
        raise TypeError
    return {model.id: model for model in (read_model(one) for one in found)}


def read_model(one: Any) -> Model:
    if not isinstance(one["id"], str):
        raise TypeError
    return Model(one["id"], _day(one.get("shutdown_date")))


def read_completion(body: Any, limits: RateLimits) -> Completion:
    if not isinstance(body["choices"], list) or not body["choices"] or not isinstance(body["model"], str):
        raise TypeError
    if not isinstance(body["choices"][0]["message"], dict):
        raise TypeError
    usage = body.get("usage") or {}
    return Completion(
        body["model"],
        _count(usage.get("prompt_tokens", 0)),
        _count(usage.get("completion_tokens", 0)),
        limits.requests_left,
        limits.tokens_left,
        limits,
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10]) if text else None
    except ValueError:
        return None


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) else None
