"""Status pages: an incident is a finding in the provider's words, and what is not understood says nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import pytest

from services.app_definition import AppDefinition
from services.checks.context import CheckContext, NotTried
from services.checks.registry import CheckSpec
from services.checks.standard.status import SPECS, judged
from services.clients.http import UpstreamError
from services.clients.statuspages import ProviderStatus
from services.settings import Level, Target
from services.verdict import Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("operational", Verdict.PASS),
        ("incident", Verdict.FAIL),
        ("maintenance", Verdict.UNKNOWN),
        ("unknown", Verdict.UNKNOWN),
    ],
)
def test_what_a_state_means(
    state: Literal["operational", "incident", "maintenance", "unknown"], verdict: Verdict
) -> None:
    found = judged(ProviderStatus("Railway", state, ("Builds are slow (investigating)",), "railway-api"))
    assert (found.verdict, found.facts["state"]) == (verdict, state)


def test_an_incident_is_told_in_the_providers_words() -> None:
    found = judged(ProviderStatus("OpenAI", "incident", ("Elevated errors (identified)",), "statuspage-v2"))
    assert "Elevated errors (identified)" in found.summary


def context(**values: str) -> CheckContext:
    target = Target.model_validate({"name": "t", "levels": ["look"], **values})
    return CheckContext.create(target, AppDefinition(name="tiny", title="Tiny"), NOW)


@pytest.mark.parametrize("check", SPECS, ids=lambda check: check.id)
def test_a_target_on_this_machine_has_no_public_status_page(check: CheckSpec) -> None:
    with pytest.raises(NotTried):
        check.run(context(app_url="http://127.0.0.1:1"))


def test_a_page_that_is_named_is_asked_wherever_the_target_runs() -> None:
    for check, key in zip(SPECS, ("railway", "supabase", "openai"), strict=True):
        named = {"app_url": "http://127.0.0.1:1", f"{key}_status_url": "http://127.0.0.1:9/status"}
        with pytest.raises(UpstreamError):
            check.run(context(**named))


def test_they_decide_nothing_and_need_no_key() -> None:
    assert {check.id for check in SPECS} == {"railway-status", "supabase-status", "openai-status"}
    assert all(not check.blocking and check.needs == () for check in SPECS)
    assert {check.level for check in SPECS} <= {Level.LOOK, Level.OBSERVE}
