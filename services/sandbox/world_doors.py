"""The served parts of a world, each behind a door of its own."""

from __future__ import annotations

from collections.abc import Mapping

from services.sandbox.disturbance import Door
from services.sandbox.hosting import Hosting
from services.sandbox.keys import Keys
from services.sandbox.openai_server import openai_app
from services.sandbox.openai_state import OpenAIState
from services.sandbox.railway import RailwayState, railway_app
from services.sandbox.railway_view import Ids
from services.sandbox.status_pages import StatusPages, status_app
from services.sandbox.supabase import supabase_app
from services.sandbox.supabase_state import SupabaseState


def doors_of(
    *,
    hosting: Hosting,
    supabase: SupabaseState,
    openai: OpenAIState,
    railway: RailwayState,
    status: StatusPages,
    keys: Keys,
    service: str,
    domain: str,
) -> Mapping[str, Door]:
    """By name. What a door answers by itself is in the logs that the part keeps of its callers.

    service, domain: name of the hosted service, and host and port of its public address
    """
    platform = railway_app(
        hosting,
        keys.railway_token,
        account_token=keys.railway_account_token,
        ids=Ids.of(keys.name),
        project=keys.name,
        service=service,
        domain=domain,
        state=railway,
    )
    return {
        "app": Door(hosting.edge_app, noticed=hosting.edge.note),
        "supabase": Door(supabase_app(supabase), noticed=supabase.note),
        "openai": Door(openai_app(openai)),
        "railway": Door(platform),
        "status": Door(status_app(status)),
    }
