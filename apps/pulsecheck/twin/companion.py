"""The beta build's AI: asks the OpenAI-compatible server, and falls back to canned words without saying so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import openai
import tiktoken  # type: ignore[import-not-found]  # comes with the image, as on the platform
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin import canned
from apps.pulsecheck.twin.answers import analysis, real_pulse
from apps.pulsecheck.twin.caller import Caller, Identify
from apps.pulsecheck.twin.contract import API, Operation
from apps.pulsecheck.twin.journal import Journal
from apps.pulsecheck.twin.log import LOG
from apps.pulsecheck.twin.model import MODEL
from apps.pulsecheck.twin.rest import Row
from apps.pulsecheck.twin.usage import AiCall, Usage

TIMEOUT_S = 4.0
ROLE = "You are a warm, practical wellness companion. Answer in two or three short sentences about this very entry."
REMEMBERED = 500


class Companion:
    """/pulse and /analysis. One entry is asked about once; a canned answer is not remembered."""

    def __init__(self, journal: Journal, usage: Usage, caller: Identify, variables: Mapping[str, str]) -> None:
        self._journal = journal
        self._usage = usage
        self._caller = caller
        self._model = variables.get("OPENAI_MODEL", MODEL)
        key = variables.get("OPENAI_API_KEY", "")
        if not key:
            LOG.warning("OPENAI_API_KEY is not set: AI answers will be the fallback")
        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=variables.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
            timeout=TIMEOUT_S,
        )
        self._encoding = tiktoken.get_encoding("cl100k_base")
        self._answers: dict[str, dict[str, Any]] = {}

    async def close(self) -> None:
        await self._client.close()

    def operations(self) -> Sequence[Operation]:
        path = f"{API}/journal/entries/{{entry_id}}"
        return [
            Operation("GET", f"{path}/pulse", self._pulse, "Get Pulse Response"),
            Operation("GET", f"{path}/analysis", self._analysis, "Get AI Analysis"),
        ]

    async def _pulse(self, request: Request) -> Response:
        entry = await self._journal.entry(request)
        return JSONResponse(await self._answer(self._caller(request), entry, "pulse") or canned.BETA_PULSE)

    async def _analysis(self, request: Request) -> Response:
        entry = await self._journal.entry(request)
        pulse = await self._answer(self._caller(request), entry, "analysis")
        return JSONResponse(canned.analysis(canned.BETA_PULSE) if pulse is None else analysis(entry, pulse))

    async def _answer(self, caller: Caller, entry: Row, context_type: str) -> dict[str, Any] | None:
        """A real pulse, or None when the AI failed for whatever reason."""
        known = self._answers.get(entry["id"])
        if known is not None:
            return known
        tier = await self._usage.tier(caller)
        await self._usage.require_quota(caller, tier)
        prompt = self._prompt(entry, tier.max_tokens)
        started = time.monotonic()
        try:
            completion: Any = await self._client.chat.completions.create(
                model=self._model,
                messages=[{"role": "system", "content": ROLE}, {"role": "user", "content": prompt}],
                max_completion_tokens=tier.max_tokens,
            )
            text, used = completion["choices"][0]["message"]["content"], completion["usage"]
        except (openai.OpenAIError, KeyError, TypeError, ValueError) as error:
            LOG.error("AI answer failed, using the fallback: %s", error)
            failed = AiCall(self._model, 0, 0, _since(started), None, error=f"{type(error).__name__}: {error}"[:200])
            await self._usage.log(caller, failed, context_type)
            return None
        took_ms = _since(started)
        pulse = real_pulse(entry, text, took_ms, len(self._encoding.encode(text)))
        call = AiCall(self._model, used["prompt_tokens"], used["completion_tokens"], took_ms, pulse["confidence_score"])
        await self._usage.log(caller, call, context_type)
        self._remember(entry["id"], pulse)
        return pulse

    def _prompt(self, entry: Row, max_tokens: int) -> str:
        """The entry with its levels, its text cut to the tier's number of tokens."""
        pieces = self._encoding.encode(entry["content"])
        content = entry["content"] if len(pieces) <= max_tokens else entry["content"][: 3 * max_tokens]
        return (
            f"Mood {entry['mood_level']}/10, energy {entry['energy_level']}/10, stress {entry['stress_level']}/10.\n"
            f"Entry: {content}"
        )

    def _remember(self, entry_id: str, pulse: dict[str, Any]) -> None:
        if len(self._answers) >= REMEMBERED:
            self._answers.pop(next(iter(self._answers)))
        self._answers[entry_id] = pulse


def _since(started: float) -> int:
    return max(1, round((time.monotonic() - started) * 1000))
