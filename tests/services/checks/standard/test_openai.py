"""Our own OpenAI key: what it completes, what it is refused, and what its limits leave."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.app_definition import AppDefinition
from services.checks.context import CheckContext
from services.checks.standard.openai import limits, openai_key, openai_limits, openai_model
from services.clients.http import Kind, UpstreamError
from services.clients.openai_answers import Completion, Model, RateLimits
from services.settings import Target
from services.verdict import Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def context() -> CheckContext:
    target = Target.model_validate({"name": "t", "openai_key": "sk-not-a-key"})
    return CheckContext.create(target, AppDefinition(name="tiny", title="Tiny", model="m"), NOW)


def refused(kind: Kind) -> Any:
    raise UpstreamError("OpenAI", kind, "Refused.", status=429)


@pytest.mark.parametrize(
    ("kind", "key", "limit"),
    [
        (Kind.UNAUTHORISED, Verdict.FAIL, None),
        (Kind.QUOTA, Verdict.FAIL, None),
        (Kind.MISSING, Verdict.UNKNOWN, None),
        (Kind.FORBIDDEN, Verdict.UNKNOWN, None),
        (Kind.TIMEOUT, Verdict.UNKNOWN, None),
        (Kind.RATE_LIMITED, Verdict.UNKNOWN, Verdict.FAIL),
    ],
)
def test_what_a_refusal_says_of_key_and_limits(
    context: CheckContext, kind: Kind, key: Verdict, limit: Verdict | None
) -> None:
    with pytest.raises(UpstreamError):
        context.once("openai-completion", lambda: refused(kind))
    found = openai_key(context)
    assert (found.verdict, found.facts["kind"]) == (key, kind.value)
    if limit is None:
        with pytest.raises(UpstreamError):
            openai_limits(context)
    else:
        assert openai_limits(context).verdict is limit


def test_a_key_that_completes(context: CheckContext) -> None:
    context.once("openai-completion", lambda: Completion("m", 9, 5, 100, 9000, RateLimits(500, 100, 1.0, 10000, 9000)))
    assert openai_key(context).verdict is openai_limits(context).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (RateLimits(), Verdict.UNKNOWN),
        (RateLimits(500, 50, None, None, None), Verdict.PASS),
        (RateLimits(500, 49, None, None, None), Verdict.FAIL),
        (RateLimits(None, 0, None, None, 5), Verdict.FAIL),
        (RateLimits(500, 500, None, 1000, 99), Verdict.FAIL),
    ],
)
def test_a_tenth_of_the_limits_should_be_left(told: RateLimits, verdict: Verdict) -> None:
    assert limits(told, None).verdict is verdict


@pytest.mark.parametrize(
    ("ends", "verdict", "link"),
    [
        (None, Verdict.PASS, None),
        (date(2026, 12, 1), Verdict.PASS, None),
        (date(2026, 4, 1), Verdict.PASS, "openai_models"),
        (date(2026, 3, 1), Verdict.FAIL, "openai_models"),
    ],
)
def test_a_model_that_ends(context: CheckContext, ends: date | None, verdict: Verdict, link: str | None) -> None:
    context.once("openai-models", lambda: {"m": Model("m", ends)})
    found = openai_model(context)
    assert (found.verdict, found.link) == (verdict, link)


def test_a_model_that_is_not_offered(context: CheckContext) -> None:
    context.once("openai-models", lambda: {"other": Model("other", None)})
    assert openai_model(context).verdict is Verdict.FAIL
