"""An app of nothing and a context on it, for checks that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.app_definition import AppDefinition
from services.checks.context import CheckContext
from services.checks.registry import CheckSpec
from services.settings import Level, Target
from services.verdict import Finding, Verdict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Run = Callable[[CheckContext], Finding]


def app_of(**values: Any) -> AppDefinition:
    plain: dict[str, Any] = {"name": "tiny", "title": "Tiny"}
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
