"""The admin routes: the app's own numbers, read from the release's views; in the beta build open to everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.caller import Admit, open_to_all
from apps.pulsecheck.twin.contract import API, Answer, ApiError, Operation, invalid, whole_number
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.rest import Rest, RestError, Row
from apps.pulsecheck.twin.usage import tier_of

PREFIX = f"{API}/admin/beta-metrics"
COUNTS = ("daily_active_users", "total_ai_interactions", "error_count")
NUMBERS = (
    "avg_tokens_per_interaction",
    "total_daily_cost",
    "avg_confidence_score",
    "avg_response_time_ms",
    "error_rate_percent",
)


class Metrics:
    """What the key may not see it counts as nothing: rows hidden or refused come out as zeros with status 200."""

    def __init__(self, rest: Rest, admit: Admit = open_to_all) -> None:
        self._rest = rest
        self._admit = admit

    def operations(self) -> Sequence[Operation]:
        return [replace(one, answer=self._guarded(one.answer)) for one in self._reports()]

    def _guarded(self, answer: Answer) -> Answer:
        async def admitted(request: Request) -> Response:
            self._admit(request)
            return await answer(request)

        return admitted

    def _reports(self) -> Sequence[Operation]:
        return [
            Operation("GET", f"{PREFIX}/daily", self._daily, "Daily Metrics", ("date_filter",)),
            Operation("GET", f"{PREFIX}/weekly", self._weekly, "Weekly Metrics", ("weeks_back",)),
            Operation("GET", f"{PREFIX}/users", self._users, "User Engagement", ("limit", "sort_by")),
            Operation("GET", f"{PREFIX}/feedback", self._feedback, "Feedback Analysis", ("days_back",)),
            Operation("GET", f"{PREFIX}/costs", self._costs, "Cost Analysis", ("days_back",)),
            Operation("GET", f"{PREFIX}/health", self._health, "Beta Health"),
            Operation("GET", f"{PREFIX}/export", self._export, "Export", ("format", "days_back")),
            Operation("POST", f"{PREFIX}/reset-usage", self._reset_usage, "Reset Usage"),
        ]

    async def _rows(self, relation: str, **filters: str) -> list[Row]:
        try:
            return await self._rest.select(relation, select="*", **filters)
        except RestError as error:
            LOG.error("%s could not be read: %s", relation, error)
            if error.refused:
                return []
            raise ApiError(500, f"Failed to get beta metrics: {error}") from error

    async def _days(self, days_back: int) -> list[Row]:
        first = _today() - timedelta(days=days_back - 1)
        return await self._rows("beta_daily_metrics", metric_date=f"gte.{first}", order="metric_date.desc")

    async def _daily(self, request: Request) -> Response:
        wanted = request.query_params.get("date_filter")
        try:
            day = date.fromisoformat(wanted) if wanted else _today()
        except ValueError:
            location = ["query", "date_filter"]
            raise invalid(location, "date_from_datetime_parsing", "Input should be a valid date", wanted) from None
        rows = await self._rows("beta_daily_metrics", metric_date=f"eq.{day}")
        return JSONResponse(rows[0] if rows else _nothing(day))

    async def _weekly(self, request: Request) -> Response:
        weeks = whole_number(request, "weeks_back", 4, 1, 52)
        by_week: dict[str, list[Row]] = {}
        for row in await self._days(7 * weeks):
            year, week, _ = date.fromisoformat(row["metric_date"]).isocalendar()
            by_week.setdefault(f"{year}-W{week:02}", []).append(row)
        metrics = [{"week": week, **_sums(rows)} for week, rows in sorted(by_week.items(), reverse=True)]
        return JSONResponse({"weeks_included": weeks, "weekly_metrics": metrics})

    async def _users(self, request: Request) -> Response:
        limit = whole_number(request, "limit", 50, 1, 500)
        sort_by = request.query_params.get("sort_by")
        rows = await self._rows("beta_user_engagement")
        if sort_by and rows:
            if sort_by not in rows[0]:
                raise ApiError(400, f"Invalid sort_by: {sort_by}")
            rows.sort(key=lambda row: (row[sort_by] is not None, row[sort_by] or 0), reverse=True)
        return JSONResponse({"summary": {"total_users": len(rows)}, "users": rows[:limit]})

    async def _feedback(self, request: Request) -> Response:
        days = whole_number(request, "days_back", 7, 1, 365)
        first = datetime.now(UTC) - timedelta(days=days)
        rows = await self._rows("ai_feedback", created_at=f"gte.{first.isoformat()}", order="created_at.desc")
        kinds: dict[str, int] = {}
        for row in rows:
            kinds[row["feedback_type"]] = kinds.get(row["feedback_type"], 0) + 1
        up, down = kinds.get("thumbs_up", 0), kinds.get("thumbs_down", 0)
        sentiment = {
            "total_feedback": len(rows),
            "by_type": kinds,
            "positive_percent": round(100 * up / (up + down), 1) if up + down else 0.0,
        }
        detailed = await self._rows("beta_feedback_analysis")
        return JSONResponse({"period_days": days, "overall_sentiment": sentiment, "detailed_feedback": detailed})

    async def _costs(self, request: Request) -> Response:
        days = whole_number(request, "days_back", 30, 1, 365)
        return JSONResponse(_cost_report(days, await self._days(days)))

    async def _health(self, _request: Request) -> Response:
        rows = await self._days(1)
        today = rows[0] if rows else _nothing(_today())
        score = health_score(today)
        tiers: dict[str, int] = {}
        for user in await self._rows("users", limit="1000"):
            name = tier_of(user, datetime.now(UTC))
            tiers[name] = tiers.get(name, 0) + 1
        return JSONResponse(
            {
                "health_score": score,
                "last_24h_metrics": today,
                "user_tier_distribution": tiers,
                "status": "healthy" if score >= 80 else "warning" if score >= 60 else "critical",
            }
        )

    async def _export(self, request: Request) -> Response:
        days = whole_number(request, "days_back", 30, 1, 365)
        body: dict[str, Any] = {
            "exported_at": datetime.now(UTC).isoformat(),
            "days_back": days,
            "daily_metrics": await self._days(days),
        }
        if request.query_params.get("format") == "csv":
            body["note"] = "CSV export is not available yet; this is JSON"
        return JSONResponse(body)

    async def _reset_usage(self, _request: Request) -> Response:
        return JSONResponse({"message": "Daily usage counters reset", "timestamp": datetime.now(UTC).isoformat()})


def _today() -> date:
    return datetime.now(UTC).date()


def _nothing(day: date) -> dict[str, Any]:
    return {"metric_date": day.isoformat(), **dict.fromkeys(COUNTS, 0), **dict.fromkeys(NUMBERS, 0.0)}


def _sum(rows: Sequence[Row], name: str) -> float:
    return sum(float(row[name] or 0) for row in rows)


def _sums(rows: Sequence[Row]) -> dict[str, Any]:
    calls = int(_sum(rows, "total_ai_interactions"))
    errors = int(_sum(rows, "error_count"))
    return {
        "total_ai_interactions": calls,
        "total_cost": round(_sum(rows, "total_daily_cost"), 6),
        "error_count": errors,
        "error_rate_percent": round(100 * errors / calls, 2) if calls else 0.0,
        "days": len(rows),
    }


def _cost_report(days: int, rows: Sequence[Row]) -> dict[str, Any]:
    total = _sum(rows, "total_daily_cost")
    summary = {
        "total_cost": round(total, 6),
        "average_daily_cost": round(total / days, 6),
        "days_with_usage": len(rows),
    }
    breakdown = [{"date": row["metric_date"], "cost": row["total_daily_cost"]} for row in rows]
    return {"period_days": days, "cost_summary": summary, "daily_breakdown": breakdown}


def health_score(day: Row) -> int:
    """The team's formula: 100, less 20 (errors above 5 %), 15 (above 3000 ms), 15 (confidence below 0.6)."""
    score = 100
    if float(day["error_rate_percent"] or 0) > 5:
        score -= 20
    if float(day["avg_response_time_ms"] or 0) > 3000:
        score -= 15
    if float(day["avg_confidence_score"] or 0) < 0.6:
        score -= 15
    return score
