"""Standard checks of OpenAI with our own key: does it complete, and how long does the model last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import DAY_S, CheckSpec, Cost
from services.clients.budget import LOW_SHARE
from services.clients.http import Kind, UpstreamError
from services.clients.openai_answers import OpenAiError, RateLimits
from services.verdict import Finding, Verdict

OURS = "our own key; it says nothing about the app's"
OPENAI = ("OpenAI",)
NEEDS_KEY = ("openai_key",)


def openai_key(context: CheckContext) -> Finding:
    """Our own key can complete a few tokens. It only explains: the app's key is judged by the app's behaviour."""
    model = context.app.model
    try:
        done = context.once("openai-completion", lambda: context.openai.complete(model))
    except UpstreamError as error:
        facts = {"whose": OURS, **_why(error)}
        if error.kind is Kind.UNAUTHORISED:
            return Finding(Verdict.FAIL, f"OpenAI rejects the key ({OURS}).", facts, link="openai_keys")
        if error.kind is Kind.QUOTA:
            return Finding(Verdict.FAIL, f"The account has no quota left ({OURS}).", facts, link="openai_billing")
        if error.kind is Kind.MISSING:
            said = f"The key is accepted, but {model} is not to be had, so nothing was completed ({OURS})."
            return Finding(Verdict.UNKNOWN, said, facts)
        return Finding(Verdict.UNKNOWN, f"{error.what} ({OURS}).", facts)
    facts = {"whose": OURS, "model": done.model, "tokens": done.prompt_tokens + done.completion_tokens}
    return Finding(Verdict.PASS, f"The key completes with {done.model} ({OURS}).", facts)


def _why(error: UpstreamError) -> dict[str, Any]:
    """What OpenAI said against it, as facts."""
    return {
        "kind": error.kind.value,
        "status": error.status,
        "code": error.code,
        "reason": str(error.reason) if error.reason else None,
        "problem": str(error.problem) if isinstance(error, OpenAiError) else None,
    }


def openai_model(context: CheckContext) -> Finding:
    """The model that the app asks for is on offer and not about to be shut down."""
    name = context.app.model
    models = context.once("openai-models", context.openai.models)
    model = models.get(name)
    if model is None:
        facts: dict[str, Any] = {"model": name, "offered": False, "ends": None}
        return Finding(
            Verdict.FAIL, f"{name} is not among the {len(models)} models on offer.", facts, link="openai_models"
        )
    facts = {"model": name, "offered": True, "ends": model.ends.isoformat() if model.ends else None}
    if model.ends is None:
        return Finding(Verdict.PASS, f"{name} is on offer, with no end announced.", facts)
    left = model.ends - context.now.date()
    if left <= timedelta(0):
        return Finding(Verdict.FAIL, f"{name} was shut down on {model.ends}.", facts, link="openai_models")
    soon = left.days <= context.app.thresholds.model_end_warn_days
    said = f"{name} is on offer until {model.ends}, {left.days} days from now" + (
        "; plan its successor." if soon else "."
    )
    return Finding(Verdict.PASS, said, facts, link="openai_models" if soon else None)


def openai_limits(context: CheckContext) -> Finding:
    """What the rate limits of our own key's account leave, as the headers of the last completion said."""
    model = context.app.model
    try:
        done = context.once("openai-completion", lambda: context.openai.complete(model))
    except UpstreamError as error:
        if error.kind is not Kind.RATE_LIMITED:
            raise
        told = error.limits if isinstance(error, OpenAiError) else RateLimits()
        return limits(told, _why(error))
    return limits(done.limits, None)


def limits(told: RateLimits, refused: Mapping[str, Any] | None) -> Finding:
    """Judge what is left; less than a tenth is too little. refused: why, where the limit was reached already."""
    facts: dict[str, Any] = {
        "whose": OURS,
        "requests_left": told.requests_left,
        "requests_limit": told.requests_limit,
        "tokens_left": told.tokens_left,
        "tokens_limit": told.tokens_limit,
        **(refused or {}),
    }
    if refused is not None:
        return Finding(Verdict.FAIL, f"The rate limit is reached ({OURS}).", facts, link="openai_billing")
    pairs = ((told.requests_left, told.requests_limit), (told.tokens_left, told.tokens_limit))
    known = [(left, limit) for left, limit in pairs if left is not None]
    if not known:
        return Finding(Verdict.UNKNOWN, f"OpenAI did not say what its limits leave ({OURS}).", facts)
    said = f"{told.requests_left} requests and {told.tokens_left} tokens are left for now ({OURS})."
    if any(left == 0 or (limit and left < limit * LOW_SHARE) for left, limit in known):
        return Finding(Verdict.FAIL, said, facts, link="openai_billing")
    return Finding(Verdict.PASS, said, facts)


SPECS = (
    CheckSpec(
        "openai-key",
        "Our OpenAI key works",
        "Our own key completes a few tokens; it explains, and proves nothing about the app's key.",
        openai_key,
        ("before",),
        OPENAI,
        NEEDS_KEY,
        cost=Cost(1, tokens=20, cents=0.01),
        deadline_s=12,
    ),
    CheckSpec(
        "openai-model",
        "The model is on offer",
        "The model that the app asks for is offered to our key and has not ended; a near end is told.",
        openai_model,
        ("before", "week"),
        OPENAI,
        NEEDS_KEY,
        expires_s=DAY_S,
    ),
    CheckSpec(
        "openai-limits",
        "OpenAI's rate limits leave room",
        "Requests and tokens left for our own key, by the headers of a completion.",
        openai_limits,
        ("before", "hour"),
        OPENAI,
        NEEDS_KEY,
        blocking=False,
        cost=Cost(1, tokens=20, cents=0.01),
        deadline_s=12,
        trend=("requests_left", "tokens_left"),
    ),
)
