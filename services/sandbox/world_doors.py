"""The served parts of a world, each behind a door of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from services.sandbox.disturbance import Door
from services.sandbox.openai_server import openai_app
from services.sandbox.railway import railway_app
from services.sandbox.status_pages import status_app
from services.sandbox.supabase import supabase_app

if TYPE_CHECKING:
    from services.sandbox.world import World


def doors_of(world: World) -> Mapping[str, Door]:
    """What a door answers by itself is in the logs that the part keeps of its callers."""
    railway = railway_app(
        world.hosting,
        world.keys.railway_token,
        service=world.twin.app,
        domain=world.ports.url("app").removeprefix("http://"),
        state=world.railway,
    )
    return {
        "app": Door(world.hosting.edge_app, noticed=world.hosting.edge.note),
        "supabase": Door(supabase_app(world.supabase), noticed=world.supabase.note),
        "openai": Door(openai_app(world.openai)),
        "railway": Door(railway),
        "status": Door(status_app(world.status)),
    }
