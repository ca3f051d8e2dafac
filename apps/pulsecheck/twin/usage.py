"""What the beta build keeps count of: the caller's tier, today's quota, and one row per AI call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apps.pulsecheck.twin.caller import Caller
from apps.pulsecheck.twin.contract import ApiError
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.rest import Rest, RestError, Row

BETA_DAYS = 30
# USD per 1K tokens, in and out: the model this build asks, and what it asks for when told to use another one.
PRICES = {"gpt-6-luna": (Decimal("0.0001"), Decimal("0.0005")), "gpt-4o-mini": (Decimal("0.00015"), Decimal("0.0006"))}


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier and its limits; `daily_limit` None = the limits could not be read."""

    name: str
    daily_limit: int | None
    max_tokens: int


@dataclass(frozen=True, slots=True)
class AiCall:
    """One call of the AI as it will be logged. cost_usd None: this build knows no price for the model."""

    model: str
    prompt_tokens: int
    response_tokens: int
    took_ms: int
    confidence: float | None
    error: str | None = None

    @property
    def cost_usd(self) -> Decimal | None:
        if self.model not in PRICES:
            return None
        price_in, price_out = PRICES[self.model]
        return (self.prompt_tokens * price_in + self.response_tokens * price_out) / 1000


def tier_of(user: Row, now: datetime) -> str:
    """premium where paid and not expired; beta in the first 30 days; else free."""
    expires = user.get("tier_expires_at")
    if user.get("is_premium") and (expires is None or datetime.fromisoformat(expires) > now):
        return "premium"
    return "beta" if datetime.fromisoformat(user["created_at"]) > now - timedelta(days=BETA_DAYS) else "free"


class Usage:
    """Reads tiers and quotas, writes `ai_usage_logs`; what it cannot do it notes in the log and swallows."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def tier(self, caller: Caller) -> Tier:
        try:
            user = await self._rest.first("users", select="*", **caller.own_profile)
            name = tier_of(user, datetime.now(UTC)) if user else "free"
            limits = await self._rest.first("user_tier_limits", select="*", tier_name=f"eq.{name}")
        except RestError as error:
            LOG.error("tier of the caller could not be read: %s", error)
            return Tier("free", None, 500)
        if limits is None:
            return Tier(name, None, 500)
        return Tier(name, limits["daily_ai_limit"], limits["max_tokens_per_request"])

    async def require_quota(self, caller: Caller, tier: Tier) -> None:
        """429 when the caller has used up the AI calls of the day (UTC)."""
        if tier.daily_limit is None:
            return
        now = datetime.now(UTC)
        try:
            quota = await self._rest.first(
                "daily_usage_quotas",
                select="requests_used",
                usage_date=f"eq.{now.date().isoformat()}",
                **caller.own_rows,
            )
        except RestError as error:
            LOG.error("quota could not be read: %s", error)
            return
        if quota is None or quota["requests_used"] < tier.daily_limit:
            return
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
        raise ApiError(
            429,
            {
                "message": f"Daily AI limit reached: {tier.daily_limit} requests for tier {tier.name}",
                "type": "rate_limit",
                "retry_after": int((midnight - now).total_seconds()),
            },
        )

    async def log(self, caller: Caller, call: AiCall, context_type: str) -> None:
        cost = self._cost_usd(call)
        row = {
            "user_id": caller.user_id,
            "prompt_tokens": call.prompt_tokens,
            "response_tokens": call.response_tokens,
            "total_tokens": call.prompt_tokens + call.response_tokens,
            "model_used": call.model,
            "response_time_ms": call.took_ms,
            "confidence_score": call.confidence,
            "cost_usd": None if cost is None else float(cost),
            "context_type": context_type,
            "success": call.error is None,
            "error_message": call.error,
        }
        await self._write(row)

    def _cost_usd(self, call: AiCall) -> Decimal | None:
        return call.cost_usd

    async def _write(self, row: Row) -> None:
        try:
            await self._rest.insert("ai_usage_logs", row)
        except RestError as error:
            LOG.error("usage was not logged: %s", error)
