"""The feedback route: four kinds, by query parameters or in a JSON body, into `ai_feedback`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.caller import Identify
from apps.pulsecheck.twin.contract import API, Operation, invalid
from apps.pulsecheck.twin.journal import Journal
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.rest import Rest, RestError
from apps.pulsecheck.twin.usage import Usage

KINDS = ("thumbs_up", "thumbs_down", "report", "detailed")


class Feedback:
    """Answers 200 even where the row could not be written: the answer is no proof that it was."""

    place = "query"
    query: Sequence[str] = ("feedback_type", "feedback_text")

    def __init__(self, rest: Rest, journal: Journal, usage: Usage, caller: Identify) -> None:
        self._rest = rest
        self._journal = journal
        self._usage = usage
        self._caller = caller

    def operations(self) -> Sequence[Operation]:
        path = f"{API}/journal/entries/{{entry_id}}/feedback"
        return [Operation("POST", path, self._submit, "Submit Feedback", self.query)]

    async def _given(self, request: Request) -> Mapping[str, Any]:
        return request.query_params

    async def _submit(self, request: Request) -> Response:
        caller = self._caller(request)
        given = await self._given(request)
        kind = given.get("feedback_type")
        if kind is None:
            raise invalid([self.place, "feedback_type"], "missing", "Field required", None)
        if kind not in KINDS:
            message = "Input should be 'thumbs_up', 'thumbs_down', 'report' or 'detailed'"
            raise invalid([self.place, "feedback_type"], "enum", message, kind)
        entry = await self._journal.entry(request)
        row = {
            "user_id": caller.user_id,
            "journal_entry_id": entry["id"],
            "feedback_type": kind,
            "feedback_text": given.get("feedback_text"),
            "user_tier": (await self._usage.tier(caller)).name,
        }
        await self._store(row)
        return JSONResponse(
            {
                "message": "Feedback submitted successfully",
                "feedback_type": kind,
                "timestamp": datetime.now(UTC).isoformat(),
            }
        )

    async def _store(self, row: Mapping[str, Any]) -> None:
        try:
            await self._rest.insert("ai_feedback", row)
        except RestError as error:
            LOG.error("feedback was not stored: %s", error)


class BodyFeedback(Feedback):
    """The newest build's: the same, in a JSON body."""

    place = "body"
    query = ()

    async def _given(self, request: Request) -> Mapping[str, Any]:
        try:
            body = await request.json()
        except ValueError:
            raise invalid(["body"], "json_invalid", "JSON decode error", {}) from None
        return body if isinstance(body, dict) else {}
