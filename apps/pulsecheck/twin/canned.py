"""The answers PulseCheck gives when no AI answered: the same words whatever was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.contract import API, Operation
from apps.pulsecheck.twin.journal import Journal

OLD_PULSE: dict[str, Any] = {
    "message": "Thank you for sharing with me. I'm here to support you. How are you feeling right now?",
    "insight": None,
    "suggested_actions": ["Take three deep breaths", "Drink a glass of water"],
    "follow_up_question": "What would help you most right now?",
    "response_time_ms": 100,
    "confidence_score": 0.5,
}

BETA_PULSE: dict[str, Any] = {
    "message": "I can sense you're dealing with a lot right now. Be kind to yourself today.",
    "insight": None,
    "suggested_actions": ["Take a short break", "Write down one thing that went well"],
    "follow_up_question": "What is on your mind the most?",
    "response_time_ms": 0,
    "confidence_score": 0.6,
}


def analysis(pulse: dict[str, Any]) -> dict[str, Any]:
    """The canned analysis that goes with a canned pulse."""
    return {
        "insights": ["Keep writing: patterns show after a few entries."],
        "overall_wellness_score": 5.0,
        "burnout_risk_level": "moderate",
        "mood_pattern": "stable",
        "energy_pattern": "stable",
        "stress_pattern": "stable",
        "immediate_actions": pulse["suggested_actions"],
        "long_term_suggestions": ["Keep a regular sleep schedule"],
        "pulse_message": pulse["message"],
        "pulse_question": pulse["follow_up_question"],
        "confidence_score": pulse["confidence_score"],
    }


class CannedCompanion:
    """The old build's AI: it never calls one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def operations(self) -> Sequence[Operation]:
        path = f"{API}/journal/entries/{{entry_id}}"
        return [
            Operation("GET", f"{path}/pulse", self._pulse, "Get Pulse Response"),
            Operation("GET", f"{path}/analysis", self._analysis, "Get AI Analysis"),
        ]

    async def _pulse(self, request: Request) -> Response:
        await self._journal.entry(request)
        return JSONResponse(OLD_PULSE)

    async def _analysis(self, request: Request) -> Response:
        await self._journal.entry(request)
        return JSONResponse(analysis(OLD_PULSE))
