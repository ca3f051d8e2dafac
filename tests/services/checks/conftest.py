"""An app of nothing and a context on it, for checks that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.app_definition import AppDefinition, Build, Thresholds
from services.checks.context import CheckContext
from services.checks.registry import CheckSpec
from services.settings import Level, Target
from services.verdict import Finding, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Run = Callable[[CheckContext], Finding]


def app_of(**values: Any) -> AppDefinition:
    thresholds = Thresholds(
        score_percent=90,
        response_warn_s=2,
        response_alert_s=5,
        error_rate_alert=0.05,
        cost_per_day_alert_usd=10,
        confidence_low=0.6,
        positive_feedback=0.7,
        backup_max_age_h=24,
        model_end_warn_days=60,
    )
    plain: dict[str, Any] = {
        "name": "tiny",
        "title": "Tiny",
        "what": "An app of nothing.",
        "api_prefix": "",
        "builds": (Build(id="one", title="the only build", adds=("/",)),),
        "release_build": "one",
        "default_release": "none",
        "dependency_pins": {},
        "model": "m",
        "canned_texts": (),
        "features": (),
        "tiers": (),
        "thresholds": thresholds,
        "tables": (),
        "links": {},
        "watch": (),
    }
    return AppDefinition(**{**plain, **values})


def passing(_context: CheckContext) -> Finding:
    return Finding(Verdict.PASS, "Seen.", {"seen": True})


def spec(check_id: str, run: Run = passing, **options: Any) -> CheckSpec:
    given: dict[str, Any] = {"level": Level.LOOK, "phases": ("before",), "touches": ("nothing",), **options}
    return CheckSpec(check_id, check_id, "nothing", run, **given)


@pytest.fixture
def context() -> CheckContext:
    target = Target.model_validate(
        {"name": "staging", "production": False, "levels": ["look", "observe"], "openai_key": "odd-secret-value"}
    )
    return CheckContext.create(target, app_of(), NOW)
