"""What a fault of the embedded world is, and what it may touch of that world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.sandbox.disturbance import Door
from services.sandbox.hosting import Hosting
from services.sandbox.keys import Keys
from services.sandbox.openai_state import OpenAIState
from services.sandbox.postgres import Cluster
from services.sandbox.railway import RailwayState
from services.sandbox.status_pages import StatusPages
from services.sandbox.supabase_state import SupabaseState
from services.sandbox.twin_definition import Twin
from services.sandbox.variable_overrides import VariableOverrides


class Held(Protocol):
    """Something that a fault holds while it is in effect: a stopped process, connections, a server."""

    async def let_go(self) -> None:
        """End it; a second time is no error."""


class FaultyWorld(Protocol):
    """What a fault touches. Use from the world's event loop.

    doors:     in front of "app", "supabase", "openai", "railway" and "status"
    variables: the way to change the app's variables and to put them back
    kept:      what a fault has to know to be undone, by its id; survives a restart of the world, so JSON can say it
    held:      what a fault holds, by its id; let go before the world stops
    """

    doors: Mapping[str, Door]
    openai: OpenAIState
    supabase: SupabaseState
    railway: RailwayState
    status: StatusPages
    hosting: Hosting
    variables: VariableOverrides
    twin: Twin
    cluster: Cluster
    keys: Keys
    kept: dict[str, Any]
    held: dict[str, Held]

    async def stop_database(self) -> None:
        """Really stop the server; REST stays and says so."""

    async def start_database(self) -> None:
        """Return when REST answers again."""

    async def restart_rest(self) -> None:
        """Start REST again with what `supabase` says of it now; return when it answers."""

    def keep(self) -> None:
        """Write down what is `kept` now: before a change that it has to undo."""


Change = Callable[[FaultyWorld], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break the world. apply and undo return when the effect can be seen; each may be repeated.

    what:  one sentence for people: what is broken and what shows it
    undo:  restores what was there before, whatever else is broken meanwhile
    group: whose failure it is: the upstream's name, as people know it
    """

    id: str
    what: str
    apply: Change
    undo: Change
    group: str = ""
