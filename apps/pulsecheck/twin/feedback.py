"""The beta build's feedback route: four kinds, by query parameters, into `ai_feedback`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.contract import API, CALLER, Operation, invalid
from apps.pulsecheck.twin.journal import Journal
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.rest import Rest, RestError
from apps.pulsecheck.twin.usage import Usage

KINDS = ("thumbs_up", "thumbs_down", "report", "detailed")


class Feedback:
    """Answers 200 even where the row could not be written: the answer is no proof that it was."""

    def __init__(self, rest: Rest, journal: Journal, usage: Usage) -> None:
        self._rest = rest
        self._journal = journal
        self._usage = usage

    def operations(self) -> Sequence[Operation]:
        path = f"{API}/journal/entries/{{entry_id}}/feedback"
        return [Operation("POST", path, self._submit, "Submit Feedback", ("feedback_type", "feedback_text"))]

    async def _submit(self, request: Request) -> Response:
        kind = request.query_params.get("feedback_type")
        if kind is None:
            raise invalid(["query", "feedback_type"], "missing", "Field required", None)
        if kind not in KINDS:
            message = "Input should be 'thumbs_up', 'thumbs_down', 'report' or 'detailed'"
            raise invalid(["query", "feedback_type"], "enum", message, kind)
        entry = await self._journal.entry(request)
        row = {
            "user_id": CALLER,
            "journal_entry_id": entry["id"],
            "feedback_type": kind,
            "feedback_text": request.query_params.get("feedback_text"),
            "user_tier": (await self._usage.tier()).name,
        }
        try:
            await self._rest.insert("ai_feedback", row)
        except RestError as error:
            LOG.error("feedback was not stored: %s", error)
        return JSONResponse(
            {
                "message": "Feedback submitted successfully",
                "feedback_type": kind,
                "timestamp": datetime.now(UTC).isoformat(),
            }
        )
