"""The public status pages of the three providers, in the shapes that each of them publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "railway": ("Deployments", "Edge network", "API", "Logs"),
    "supabase": ("Management API", "Database", "Auth", "Data API", "Storage"),
    "openai": ("Chat Completions", "Models", "Login"),
}
_NAMES = {"supabase": "Supabase", "openai": "OpenAI"}
_UNKNOWN_SHAPE = {"version": 3, "health": {"score": 1.0}, "regions": []}


@dataclass(frozen=True, slots=True)
class ProviderIncident:
    """What a provider admits. component: the one of `COMPONENTS` that suffers."""

    provider: str
    title: str
    component: str
    began: datetime


@dataclass
class StatusPages:
    """What the pages say. Both are held by an id, so that each can be taken back by itself.

    incidents:  what is going on
    unreadable: under whose ids all pages have a shape that nobody knows
    """

    clock: Callable[[], datetime]
    incidents: dict[str, ProviderIncident] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)

    def of(self, provider: str) -> list[ProviderIncident]:
        return [one for _, one in sorted(self.incidents.items()) if one.provider == provider]

    def clear(self) -> None:
        self.incidents.clear()
        self.unreadable.clear()


def status_app(state: StatusPages) -> Starlette:
    """GET /railway, and /supabase and /openai with Statuspage's /api/v2/summary.json and /api/v2/status.json."""

    async def railway(_: Request) -> Response:
        return JSONResponse(_UNKNOWN_SHAPE if state.unreadable else _railway(state))

    async def statuspage(request: Request) -> Response:
        provider, document = request.path_params["provider"], request.path_params["document"]
        if provider not in _NAMES or document not in ("summary", "status"):
            return JSONResponse({"error": "Not found"}, status_code=404)
        whole = _statuspage(state, provider)
        told = whole if document == "summary" else {name: whole[name] for name in ("page", "status")}
        return JSONResponse(_UNKNOWN_SHAPE if state.unreadable else told)

    return Starlette(
        routes=[Route("/railway", railway), Route("/{provider}/api/v2/{document}.json", statuspage)],
    )


def _railway(state: StatusPages) -> dict[str, Any]:
    incidents = state.of("railway")
    hurt = {one.component for one in incidents}
    return {
        "components": [
            {
                "id": _id(name),
                "name": name,
                "status": "PARTIAL_OUTAGE" if name in hurt else "OPERATIONAL",
                "position": position,
            }
            for position, name in enumerate(COMPONENTS["railway"])
        ],
        "incidents": [
            {
                "id": _id(one.title),
                "slug": one.title.lower().replace(" ", "-"),
                "title": one.title,
                "status": "INVESTIGATING",
                "worstImpact": "PARTIAL_OUTAGE",
                "createdAt": _stamp(one.began),
                "updatedAt": _stamp(one.began),
                "resolvedAt": None,
            }
            for one in incidents
        ],
        "maintenances": [],
    }


def _statuspage(state: StatusPages, provider: str) -> dict[str, Any]:
    """Statuspage's version 2, as incident.io serves it: an incident names no component, and its impact is "none"."""
    incidents, now = state.of(provider), _stamp(state.clock())
    hurt = {one.component for one in incidents}
    return {
        "page": {
            "id": _id(provider),
            "name": _NAMES[provider],
            "url": f"https://status.{provider}.example",
            "time_zone": "Etc/UTC",
            "updated_at": now,
        },
        "status": {
            "indicator": "major" if incidents else "none",
            "description": "Partial System Outage" if incidents else "All Systems Operational",
        },
        "components": [
            {
                "id": _id(name),
                "name": name,
                "status": "partial_outage" if name in hurt else "operational",
                "position": position,
                "updated_at": now,
            }
            for position, name in enumerate(COMPONENTS[provider])
        ],
        "incidents": [
            {
                "id": _id(one.title),
                "name": one.title,
                "status": "investigating",
                "impact": "none",
                "created_at": _stamp(one.began),
                "updated_at": _stamp(one.began),
                "incident_updates": [
                    {"id": _id(f"update {one.title}"), "status": "investigating", "body": "We are looking into this."}
                ],
            }
            for one in incidents
        ],
        "scheduled_maintenances": [],
    }


def _id(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:12]


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
