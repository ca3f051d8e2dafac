"""What the parts of the world's Supabase share: keys, database, clock, its calls, and what is wrong with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import httpx
from starlette.requests import Request

from services.sandbox.keys import Keys
from services.sandbox.postgres import Cluster
from services.sandbox.postgrest import MAX_ROWS
from services.sandbox.rate_limit import RateLimit

# Ten times what the real API grants one person: a test asks as often as a whole team does.
MANAGEMENT_CALLS_A_MINUTE = 1_200
KEPT_CALLS = 10_000

BackupTrouble = Literal["missing", "failed", "old"]


@dataclass(frozen=True, slots=True)
class GatewayCall:
    """One call that came through the gateway."""

    at: datetime
    method: str
    path: str
    status: int


@dataclass
class SupabaseState:
    """What the parts of the project share. What is held by an id can be taken back by itself.

    url:       the project's own address, the issuer of its tokens
    cluster:   the database behind it (another one after it went down and came back)
    rest_url:  where PostgREST listens; None = this machine has none, and our stand-in answers
    now:       the clock
    paused:    a paused project answers 540 to everything but the Management API
    rejected:  API keys that the gateway knows and refuses, by an id
    max_rows:  the row cap of REST; another one counts from the next start of PostgREST
    unhealthy: services that say so of themselves though they answer, by an id
    backups:   what is wrong with the backups, by an id
    upstream:  the connections to PostgREST
    calls:     the newest calls at the gateway, oldest first
    """

    keys: Keys
    url: str
    cluster: Callable[[], Cluster]
    rest_url: str | None
    now: Callable[[], datetime]
    paused: bool = False
    rejected: dict[str, str] = field(default_factory=dict)
    max_rows: int = MAX_ROWS
    unhealthy: dict[str, str] = field(default_factory=dict)
    backups: dict[str, BackupTrouble] = field(default_factory=dict)
    upstream: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=65.0))
    calls: deque[GatewayCall] = field(default_factory=lambda: deque(maxlen=KEPT_CALLS))

    def __post_init__(self) -> None:
        self.management_limit = RateLimit(self.now, MANAGEMENT_CALLS_A_MINUTE, per_s=60)

    @property
    def rest_engine(self) -> str:
        """What answers REST here: "postgrest" or "stand-in"."""
        return "postgrest" if self.rest_url else "stand-in"

    def note(self, request: Request, status: int, took_s: float = 0.0) -> None:
        """Remember a call at the gateway; those of the Management API go elsewhere."""
        if not request.url.path.startswith("/v1/"):
            self.calls.append(GatewayCall(self.now(), request.method, request.url.path, status))

    def mend(self) -> None:
        """Take back whatever a fault has bent, and forget the calls."""
        self.paused = False
        self.max_rows = MAX_ROWS
        self.rejected.clear()
        self.unhealthy.clear()
        self.backups.clear()
        self.calls.clear()

    async def close(self) -> None:
        """Close the connections to PostgREST."""
        await self.upstream.aclose()
