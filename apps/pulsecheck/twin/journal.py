"""The journal routes that both builds share: create, read, list and statistics, over Supabase REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.caller import Identify, everybody
from apps.pulsecheck.twin.contract import API, ApiError, Operation, invalid, whole_number
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.rest import Rest, RestError, Row, all_of

ENTRIES = "journal_entries"
LEVELS = ("mood_level", "energy_level", "stress_level")
HOURS = ("sleep_hours", "work_hours")
LISTS = ("tags", "work_challenges", "gratitude_items")


class Journal:
    """Journal entries of the caller, and nobody else's."""

    def __init__(self, rest: Rest, caller: Identify = everybody) -> None:
        self._rest = rest
        self._caller = caller

    def operations(self) -> Sequence[Operation]:
        path = f"{API}/journal/entries"
        return [
            Operation("POST", path, self._create, "Create Journal Entry"),
            Operation("GET", path, self._list, "Get Journal Entries", ("page", "per_page")),
            Operation("GET", f"{path}/{{entry_id}}", self._read, "Get Journal Entry"),
            Operation("GET", f"{API}/journal/stats", self._stats, "Get Journal Stats"),
            Operation("GET", f"{API}/journal/tags", self._tags, "Get Tag Counts"),
            Operation("GET", f"{API}/journal/moods", self._moods, "Get Mood History", ("days",)),
        ]

    async def entry(self, request: Request) -> Row:
        """The entry of the path, or 404."""
        entry_id = request.path_params["entry_id"]
        own = self._caller(request).own_rows
        row = await self._ask(self._rest.first(ENTRIES, select="*", id=f"eq.{entry_id}", **own))
        if row is None:
            raise ApiError(404, "Journal entry not found")
        return dict(row)

    async def _create(self, request: Request) -> Response:
        caller = self._caller(request)
        try:
            body = await request.json()
        except ValueError:
            raise invalid(["body"], "json_invalid", "JSON decode error", {}) from None
        return JSONResponse(await self._store({"user_id": caller.user_id, **validated(body)}))

    async def _store(self, row: Mapping[str, Any]) -> Row:
        return dict(await self._ask(self._rest.insert(ENTRIES, row)))

    async def _read(self, request: Request) -> Response:
        return JSONResponse(await self.entry(request))

    async def _list(self, request: Request) -> Response:
        page = whole_number(request, "page", 1, 1, 100_000)
        per_page = whole_number(request, "per_page", 10, 1, 100)
        own = self._caller(request).own_rows
        window = {"order": "created_at.desc", "limit": str(per_page), "offset": str((page - 1) * per_page)}
        total, rows = await self._ask(
            all_of(
                self._rest.count(ENTRIES, **own),
                self._rest.select(ENTRIES, select="*", **window, **own),
            )
        )
        return JSONResponse(
            {
                "entries": rows,
                "total": total,
                "page": page,
                "per_page": per_page,
                "has_next": page * per_page < total,
                "has_prev": page > 1,
            }
        )

    async def _stats(self, request: Request) -> Response:
        columns = "created_at," + ",".join(LEVELS)
        own = self._caller(request).own_rows
        total, rows = await self._ask(
            all_of(
                self._rest.count(ENTRIES, **own),
                self._rest.select(ENTRIES, select=columns, order="created_at.desc", limit="1000", **own),
            )
        )
        return JSONResponse({"total_entries": total, **statistics(rows)})

    async def _tags(self, request: Request) -> Response:
        own = self._caller(request).own_rows
        rows = await self._ask(self._rest.select(ENTRIES, select="tags", order="created_at.desc", limit="1000", **own))
        counts: dict[str, int] = {}
        for row in rows:
            for tag in row.get("tags") or []:
                counts[tag] = counts.get(tag, 0) + 1
        return JSONResponse({"tags": dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))})

    async def _moods(self, request: Request) -> Response:
        days = whole_number(request, "days", 14, 1, 365)
        own = self._caller(request).own_rows
        rows = await self._ask(
            self._rest.select(ENTRIES, select="created_at,mood_level", order="created_at.desc", limit="1000", **own)
        )
        by_day: dict[str, list[int]] = {}
        for row in rows:
            by_day.setdefault(_day(row).isoformat(), []).append(row["mood_level"])
        history = [{"date": day, "average_mood": _mean(moods)} for day, moods in list(by_day.items())[:days]]
        return JSONResponse({"days": days, "moods": history})

    async def _ask(self, question: Any) -> Any:
        return await answered(question)


async def answered(question: Any) -> Any:
    """The rows, or the 4xx/5xx this app gives when Supabase does not give them."""
    try:
        return await question
    except RestError as error:
        if error.code == "22P02":
            raise ApiError(404, "Not found") from error
        LOG.error("database request failed: %s", error)
        raise ApiError(500, f"Database error: {error}") from error


def validated(body: object) -> dict[str, Any]:
    """The columns of a new entry, or a 422 that names the first field that is wrong."""
    if not isinstance(body, Mapping):
        raise invalid(["body"], "model_attributes_type", "Input should be a valid dictionary", body)
    for name in ("content", *LEVELS):
        if name not in body:
            raise invalid(["body", name], "missing", "Field required", dict(body))
    row: dict[str, Any] = {"content": _content(body["content"])}
    for name in LEVELS:
        row[name] = _number(body[name], name, 1, 10, whole=True)
    for name in HOURS:
        if body.get(name) is not None:
            row[name] = _number(body[name], name, 0, 24, whole=False)
    for name in LISTS:
        given = body.get(name) or []
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise invalid(["body", name], "list_type", "Input should be a valid list", given)
        row[name] = given
    return row


def _content(given: object) -> str:
    if not isinstance(given, str):
        raise invalid(["body", "content"], "string_type", "Input should be a valid string", given)
    if len(given) < 10:
        message = "String should have at least 10 characters"
        raise invalid(["body", "content"], "string_too_short", message, given, min_length=10)
    if len(given) > 2000:
        message = "String should have at most 2000 characters"
        raise invalid(["body", "content"], "string_too_long", message, given, max_length=2000)
    return given


def _number(given: object, name: str, low: int, high: int, *, whole: bool) -> float:
    number: float
    if isinstance(given, bool) or not isinstance(given, int | float) or (whole and given != int(given)):
        kind = "int_type" if whole else "float_type"
        raise invalid(["body", name], kind, f"Input should be a valid {'integer' if whole else 'number'}", given)
    number = int(given) if whole else float(given)
    if number < low:
        message = f"Input should be greater than or equal to {low}"
        raise invalid(["body", name], "greater_than_equal", message, given, ge=low)
    if number > high:
        message = f"Input should be less than or equal to {high}"
        raise invalid(["body", name], "less_than_equal", message, given, le=high)
    return number


def statistics(rows: Sequence[Row]) -> dict[str, Any]:
    """Averages, streaks in days and the trend of the mood; rows newest first."""
    days = sorted({_day(row) for row in rows}, reverse=True)
    means = {f"average_{name.removesuffix('_level')}": _mean([row[name] for row in rows]) for name in LEVELS}
    return {
        "current_streak": _run_length(days),
        "longest_streak": max((_run_length(days[at:]) for at in range(len(days))), default=0),
        **means,
        "last_entry_date": rows[0]["created_at"] if rows else None,
        "mood_trend": _trend([row["mood_level"] for row in rows]),
    }


def _day(row: Row) -> date:
    return datetime.fromisoformat(str(row["created_at"])).date()


def _mean(numbers: Sequence[float]) -> float:
    return round(sum(numbers) / len(numbers), 2) if numbers else 0.0


def _run_length(days: Sequence[date]) -> int:
    """How many days in a row, from the newest one backwards."""
    length = 0
    for day in days:
        if day != days[0] - timedelta(days=length):
            break
        length += 1
    return length


def _trend(moods: Sequence[int]) -> str:
    """The newest seven entries against the seven before."""
    newer, older = moods[:7], moods[7:14]
    if not older:
        return "stable"
    change = _mean(newer) - _mean(older)
    return "improving" if change > 0.5 else "declining" if change < -0.5 else "stable"
