"""What app.yaml says of PulseCheck that no other app has: its tiers, its canned answers, the prices of its builds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from services.app_definition import AppDefinition
from services.errors import NotUnderstood


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Frozen):
    """A user tier as the release defines it; limits per day, tokens per request."""

    name: str
    daily_ai_limit: int
    context_depth: int
    summary_access: bool
    max_tokens_per_request: int


class Own(_Frozen):
    """The section `own` of PulseCheck's app.yaml. prices: US dollars per 1,000 tokens, in and out, by model."""

    canned_texts: tuple[str, ...]
    tiers: tuple[Tier, ...]
    prices_per_1k_usd: dict[str, tuple[float, float]]


def own_of(app: AppDefinition) -> Own:
    """PulseCheck's own section. Raises NotUnderstood where it is malformed."""
    try:
        return Own.model_validate(app.own)
    except ValidationError as error:
        problems = " ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}." for p in error.errors(include_url=False))
        raise NotUnderstood(
            f"PulseCheck's own section is malformed: {problems}", place="apps/pulsecheck/app.yaml"
        ) from None
