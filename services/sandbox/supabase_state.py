"""What the parts of the world's Supabase share: keys, database, clock, and whether the project is paused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from services.sandbox.keys import Keys
from services.sandbox.postgres import Cluster
from services.sandbox.postgrest import MAX_ROWS


@dataclass
class SupabaseState:
    """What the parts of the project share.

    url:      the project's own address, the issuer of its tokens
    cluster:  the database behind it (another one after it went down and came back)
    rest_url: where PostgREST listens; None = this machine has none, and our stand-in answers
    now:      the clock
    upstream: the connections to PostgREST
    paused:   a paused project answers 540 to everything but the Management API
    rejected: API keys that the gateway knows and refuses, by the id under which each is refused
    max_rows: the row cap of REST; another one counts from the next start of PostgREST
    """

    keys: Keys
    url: str
    cluster: Callable[[], Cluster]
    rest_url: str | None
    now: Callable[[], datetime]
    paused: bool = False
    rejected: dict[str, str] = field(default_factory=dict)
    max_rows: int = MAX_ROWS
    upstream: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=65.0))

    @property
    def rest_engine(self) -> str:
        """What answers REST here: "postgrest" or "stand-in"."""
        return "postgrest" if self.rest_url else "stand-in"

    def mend(self) -> None:
        """Take back whatever a fault has bent."""
        self.paused = False
        self.rejected.clear()
        self.max_rows = MAX_ROWS

    async def close(self) -> None:
        """Close the connections to PostgREST."""
        await self.upstream.aclose()
