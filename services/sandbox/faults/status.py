"""Faults that the providers admit on their status pages, and pages that nobody can read."""

from __future__ import annotations

from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.railway_view import PlatformIncident
from services.sandbox.status_pages import ProviderIncident

GROUP = "Status pages"


def _incident(provider: str, name: str, title: str, component: str) -> Fault:
    """An incident on a page; the platform tells its own in its API as well."""
    fault_id = f"{provider}-incident"

    async def apply(world: FaultyWorld) -> None:
        began = world.status.clock()
        world.status.incidents[fault_id] = ProviderIncident(provider, title, component, began)
        if provider == "railway":
            world.railway.incidents[fault_id] = PlatformIncident(title, began)

    async def undo(world: FaultyWorld) -> None:
        world.status.incidents.pop(fault_id, None)
        world.railway.incidents.pop(fault_id, None)

    return Fault(fault_id, f"{name}'s status page tells of an incident; its services still answer.", apply, undo, GROUP)


async def _make_unreadable(world: FaultyWorld) -> None:
    world.status.unreadable.add("status-unreadable")


async def _make_readable(world: FaultyWorld) -> None:
    world.status.unreadable.discard("status-unreadable")


FAULTS: tuple[Fault, ...] = (
    _incident("railway", "Railway", "Deployments are delayed", "Deployments"),
    _incident("supabase", "Supabase", "Elevated error rates in the Data API", "Data API"),
    _incident("openai", "OpenAI", "Elevated error rates in Chat Completions", "Chat Completions"),
    Fault(
        "status-unreadable",
        "All three status pages answer in a shape that nobody knows.",
        _make_unreadable,
        _make_readable,
        GROUP,
    ),
)
