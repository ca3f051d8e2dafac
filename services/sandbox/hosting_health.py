"""The platform's health check: when a started process may take over, and the reasons why a start fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import httpx

from services.sandbox.deployment import Deployment, Step

HEALTH_HOST = "healthcheck.railway.app"
HEALTH_INTERVAL_S = 0.03


class StartFailed(Exception):
    """A deployment does not come up; the text is the reason as the build log shows it."""


async def until_healthy(one: Deployment, step: Step, path: str, timeout_s: float, say: Callable[[str], None]) -> None:
    """Wait until GET of the path answers 200. Raises StartFailed where the process ends first, or after timeout_s."""
    assert one.process is not None
    say(f"Starting healthcheck at {path}")
    health = asyncio.ensure_future(_poll(one, step, path))
    try:
        either: set[asyncio.Future[Any]] = {health, one.process.ended}
        await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        health.cancel()
    if one.process.ended.done():
        raise StartFailed(f"Healthcheck failed: the process exited with code {one.process.ended.result()}")
    if not health.done():
        raise StartFailed(f"Healthcheck failed: no answer of 200 within {timeout_s:g} s")
    say("Healthcheck succeeded")


async def _poll(one: Deployment, step: Step, path: str) -> None:
    """Ask until the answer is 200. A port that nobody listens on yet tells nothing of when somebody will."""
    url = f"http://127.0.0.1:{one.port}{path}"
    async with httpx.AsyncClient(headers={"host": HEALTH_HOST}, timeout=5.0, trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return
            step.attempts += 1
            await asyncio.sleep(HEALTH_INTERVAL_S)
