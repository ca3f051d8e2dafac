"""What a fault of the embedded world is, and what it may touch of that world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from services.sandbox.hosting import Hosting
from services.sandbox.openai_server import OpenAIState
from services.sandbox.twin_definition import Twin


class FaultyWorld(Protocol):
    """What a fault touches. stop_database really stops the server; start_database returns when REST answers again."""

    openai: OpenAIState
    hosting: Hosting
    twin: Twin

    async def stop_database(self) -> None: ...

    async def start_database(self) -> None: ...


Change = Callable[[FaultyWorld], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break the world. apply and undo return when the effect can be seen; each may be repeated.

    what: one sentence for people: what is broken and what shows it
    undo: restores what was there before
    """

    id: str
    what: str
    apply: Change
    undo: Change
