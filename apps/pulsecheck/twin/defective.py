"""The mistakes a build can have, each as the part of a class that is written wrongly; see `defects`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin import canned
from apps.pulsecheck.twin.caller import Caller
from apps.pulsecheck.twin.companion import Companion
from apps.pulsecheck.twin.contract import ApiError
from apps.pulsecheck.twin.feedback import Feedback
from apps.pulsecheck.twin.journal import ENTRIES, LEVELS, Journal, answered, statistics
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.metrics import Metrics
from apps.pulsecheck.twin.rest import Row
from apps.pulsecheck.twin.usage import AiCall, Tier, Usage

FIRST_PAGE = "10"
# USD per 1K tokens, in and out: from a price table of another model, 11.7 times those of the model that is asked.
OTHER_PRICES = (Decimal("0.00117"), Decimal("0.00585"))


class JournalNotStored(Journal):
    """Entries are put into a queue for later, which nothing ever empties."""

    async def _store(self, row: Mapping[str, Any]) -> Row:
        now = datetime.now(UTC).isoformat()
        made = {"id": str(uuid4()), **row, "ai_insights": None, "ai_generated_at": None}
        self.__dict__.setdefault("queue", []).append(made)
        return {**made, "created_at": now, "updated_at": now}


class JournalReadsStale(Journal):
    """Reads come from a copy of the caller's entries that is made once and never again."""

    async def _copy(self, request: Request) -> list[Row]:
        caller = self._caller(request)
        copies: dict[str, list[Row]] = self.__dict__.setdefault("copies", {})
        if caller.user_id not in copies:
            rows = self._rest.select(ENTRIES, select="*", order="created_at.desc", limit="1000", **caller.own_rows)
            copies[caller.user_id] = await answered(rows)
        return copies[caller.user_id]

    async def _read(self, request: Request) -> Response:
        wanted = request.path_params["entry_id"]
        for row in await self._copy(request):
            if row["id"] == wanted:
                return JSONResponse(row)
        raise ApiError(404, "Journal entry not found")

    async def _list(self, request: Request) -> Response:
        rows = await self._copy(request)
        page = int(request.query_params.get("page", "1"))
        per_page = int(request.query_params.get("per_page", "10"))
        first = (page - 1) * per_page
        shown = {"entries": rows[first : first + per_page], "total": len(rows), "page": page, "per_page": per_page}
        return JSONResponse({**shown, "has_next": page * per_page < len(rows), "has_prev": page > 1})


class StatsWrong(Journal):
    """Statistics over the first page of entries, as if that were all."""

    async def _stats(self, request: Request) -> Response:
        own = self._caller(request).own_rows
        columns = "created_at," + ",".join(LEVELS)
        rows = self._rest.select(ENTRIES, select=columns, order="created_at.desc", limit=FIRST_PAGE, **own)
        page: list[Row] = await answered(rows)
        return JSONResponse({"total_entries": len(page), **statistics(page)})


class FeedbackNotStored(Feedback):
    """The call that writes the row was left out when the route was rewritten."""

    async def _store(self, row: Mapping[str, Any]) -> None:
        LOG.info("feedback %s received", row["feedback_type"])


class AiCodeBug(Companion):
    """/pulse reads a column by a name that it does not have, and hides the error behind the fallback."""

    async def _pulse(self, request: Request) -> Response:
        entry = await self._journal.entry(request)
        try:
            LOG.info("pulse for an entry of mood %s", entry["mood_rating"])
        except KeyError:
            LOG.exception("pulse failed, using the fallback")
            return JSONResponse(canned.BETA_PULSE)
        return await super()._pulse(request)


class UsageWriterBroken(Usage):
    """The only writer of the usage log uses a name that is not defined, and swallows what that raises."""

    async def _write(self, row: Row) -> None:
        try:
            await self._rest.insert("ai_usage_logs", usage_row)  # type: ignore[name-defined]  # noqa: F821
        except Exception:
            LOG.exception("failed to log AI usage")


class CostWrong(Usage):
    """Costs are reckoned with the prices of another model."""

    def _cost_usd(self, call: AiCall) -> Decimal | None:
        price_in, price_out = OTHER_PRICES
        return (call.prompt_tokens * price_in + call.response_tokens * price_out) / 1000


class RateLimitOff(Usage):
    """The quota is read nowhere."""

    async def require_quota(self, caller: Caller, tier: Tier) -> None:
        return None


class AdminError(Metrics):
    """Every report asks for a column that the views do not have."""

    async def _rows(self, relation: str, **filters: str) -> list[Row]:
        return await super()._rows(relation, **{**filters, "order": "analysis_period.desc"})


class AdminNumbersWrong(Metrics):
    """The day's numbers come from a join of the log with itself by person, which multiplies its rows."""

    async def _rows(self, relation: str, **filters: str) -> list[Row]:
        rows = await super()._rows(relation, **filters)
        if relation != "beta_daily_metrics":
            return rows
        return [await self._joined(row) for row in rows]

    async def _joined(self, day: Row) -> Row:
        start = datetime.fromisoformat(day["metric_date"]).replace(tzinfo=UTC)
        log = await super()._rows("ai_usage_logs", created_at=f"gte.{start.isoformat()}", limit="1000")
        same_day = [row for row in log if row["created_at"][:10] == day["metric_date"]]
        pairs = [left for left in same_day for right in same_day if left["user_id"] == right["user_id"]]
        return {
            **day,
            "total_ai_interactions": len(pairs),
            "total_daily_cost": sum(float(row["cost_usd"] or 0) for row in pairs),
            "error_count": sum(not row["success"] for row in pairs),
        }
