"""Check-ins, their analyses and the caller's profile: the routes around the journal that both builds share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.caller import Identify, everybody
from apps.pulsecheck.twin.contract import API, ApiError, Operation, invalid, whole_number
from apps.pulsecheck.twin.journal import answered
from apps.pulsecheck.twin.rest import Rest, Row


class Wellbeing:
    """Reads and writes `checkins`, reads `ai_analyses` and `users`, all for the caller."""

    def __init__(self, rest: Rest, caller: Identify = everybody) -> None:
        self._rest = rest
        self._caller = caller

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("POST", f"{API}/checkins", self._check_in, "Create Check-in"),
            Operation("GET", f"{API}/checkins", self._list_of("checkins"), "Get Check-ins", ("limit",)),
            Operation("GET", f"{API}/checkins/summary", self._summary, "Get Check-in Summary"),
            Operation("GET", f"{API}/checkins/{{row_id}}", self._one_of("checkins"), "Get Check-in"),
            Operation("GET", f"{API}/analyses", self._list_of("ai_analyses"), "Get Analyses", ("limit",)),
            Operation("GET", f"{API}/analyses/{{row_id}}", self._one_of("ai_analyses"), "Get Analysis"),
            Operation("GET", f"{API}/users/me", self._me, "Get Profile"),
        ]

    async def profile(self, request: Request) -> Row:
        row = await answered(self._rest.first("users", select="*", **self._caller(request).own_profile))
        if row is None:
            raise ApiError(404, "User not found")
        return dict(row)

    async def _me(self, request: Request) -> Response:
        person = await self.profile(request)
        return JSONResponse({key: person[key] for key in ("id", "email", "name", "timezone", "created_at")})

    async def _check_in(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            raise invalid(["body"], "json_invalid", "JSON decode error", {}) from None
        levels: dict[str, Any] = {}
        for name in ("mood_level", "energy_level"):
            given = body.get(name) if isinstance(body, dict) else None
            if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= 10:
                raise invalid(["body", name], "int_type", "Input should be an integer from 1 to 10", given)
            levels[name] = given
        person = await self.profile(request)
        note = body.get("note")
        row = {"user_id": person["id"], "note": note if isinstance(note, str) else None, **levels}
        return JSONResponse(await answered(self._rest.insert("checkins", row)))

    async def _summary(self, request: Request) -> Response:
        person = await self.profile(request)
        rows = await answered(
            self._rest.select("checkins", select="mood_level,energy_level", user_id=f"eq.{person['id']}", limit="1000")
        )
        mean = {
            f"average_{name}": round(sum(row[f"{name}_level"] for row in rows) / len(rows), 2) if rows else None
            for name in ("mood", "energy")
        }
        return JSONResponse({"total": len(rows), **mean})

    def _list_of(self, table: str) -> Any:
        async def answer(request: Request) -> Response:
            limit = whole_number(request, "limit", 20, 1, 100)
            person = await self.profile(request)
            rows = self._rest.select(
                table, select="*", user_id=f"eq.{person['id']}", order="created_at.desc", limit=str(limit)
            )
            return JSONResponse(await answered(rows))

        return answer

    def _one_of(self, table: str) -> Any:
        async def answer(request: Request) -> Response:
            person = await self.profile(request)
            row_id = request.path_params["row_id"]
            row = await answered(self._rest.first(table, select="*", id=f"eq.{row_id}", user_id=f"eq.{person['id']}"))
            if row is None:
                raise ApiError(404, "Not found")
            return JSONResponse(row)

        return answer
