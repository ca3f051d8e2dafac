"""The organisation's bill by day, as an administrator's key sees it at the OpenAI-compatible server."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.sandbox.openai_refusals import Refusal
from services.sandbox.openai_state import OpenAIState

_DAYS = 7
_MOST_DAYS = 180


async def costs(state: OpenAIState, _key: str, request: Request) -> Response:
    """GET /v1/organization/costs?start_time=&limit=: one bucket a UTC day, oldest first."""
    try:
        since = datetime.fromtimestamp(int(request.query_params["start_time"]), UTC).date()
        days = int(request.query_params.get("limit", _DAYS))
    except (KeyError, ValueError, OverflowError, OSError):
        days, since = 0, state.clock().date()
    if not 1 <= days <= _MOST_DAYS:
        told = f"start_time in Unix seconds and a limit from 1 to {_MOST_DAYS} expected."
        raise Refusal(400, told, "invalid_request_error", "invalid_value", "start_time")
    today = state.clock().astimezone(UTC).date()
    wanted = [since + timedelta(days=day) for day in range(days)]
    buckets = [_bucket(day, state.spent_usd.get(day)) for day in wanted if day <= today]
    return JSONResponse({"object": "page", "data": buckets, "has_more": wanted[-1] < today, "next_page": None})


def _bucket(day: date, spent_usd: float | None) -> dict[str, Any]:
    begins = int(datetime.combine(day, time(), UTC).timestamp())
    amount = {"value": round(spent_usd or 0.0, 8), "currency": "usd"}
    result = {"object": "organization.costs.result", "amount": amount, "line_item": None, "project_id": None}
    return {
        "object": "bucket",
        "start_time": begins,
        "end_time": begins + 86_400,
        "results": [] if spent_usd is None else [result],
    }
