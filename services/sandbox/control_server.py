"""The world's control over HTTP: status, faults, reset and stop; the secret is a part of its address."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from hmac import compare_digest
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from services.sandbox.world import World
from services.sandbox.world_status import world_status

log = structlog.get_logger("sandbox")

MAX_DELAY_S = 60.0
_HTTP_STATUS = {NotUnderstood.exit_code: 400, Refused.exit_code: 409}

Answer = Callable[[World, Request], Awaitable[dict[str, Any]]]


def control_app(world: World) -> Starlette:
    """Routes below /<control token>/; any other address is 404, so nothing is learned without the token."""

    def route(path: str, method: str, answer: Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            if not compare_digest(request.path_params["token"].encode(), world.keys.control_token.encode()):
                return JSONResponse({"error": {"what": "Not found."}}, status_code=404)
            try:
                return JSONResponse(await answer(world, request))
            except OpsError as error:
                status = _HTTP_STATUS.get(error.exit_code, 503)
                return JSONResponse({"error": error.to_json()}, status_code=status)
            except Exception as error:
                log.exception("a call of the control failed", path=path)
                what = f"The sandbox could not do that ({type(error).__name__})."
                told = Unavailable(what, "Its state is not known.", "Reset it, or start it again.", place=path)
                return JSONResponse({"error": told.to_json()}, status_code=503)

        return Route(f"/{{token}}{path}", endpoint, methods=[method])

    return Starlette(
        routes=[
            route("/status", "GET", _status),
            route("/calls", "GET", _calls),
            route("/faults", "GET", _faults),
            route("/faults/{fault}/break", "POST", _break),
            route("/faults/{fault}/repair", "POST", _repair),
            route("/repair", "POST", _repair),
            route("/doors/{door}", "POST", _door),
            route("/reset", "POST", _reset),
            route("/stop", "POST", _stop),
        ]
    )


async def _status(world: World, _: Request) -> dict[str, Any]:
    return await world_status(world)


async def _calls(world: World, _: Request) -> dict[str, Any]:
    """What was asked of the world: {"doors": {door: [{"method", "path", "status"}]}, "railway": [operation]}."""
    doors = {name: [asdict(one) for one in door.calls] for name, door in world.doors.items()}
    return {"doors": doors, "railway": list(world.railway.asked)}


async def _faults(world: World, _: Request) -> dict[str, Any]:
    return {"faults": world.faults()}


async def _break(world: World, request: Request) -> dict[str, Any]:
    await world.break_fault(request.path_params["fault"])
    return {"faults": world.faults()}


async def _repair(world: World, request: Request) -> dict[str, Any]:
    await world.repair(request.path_params.get("fault"))
    return {"faults": world.faults()}


async def _door(world: World, request: Request) -> dict[str, Any]:
    """Body: {"delay_s": seconds by which every call through this door is answered later}; 0 = none."""
    name = request.path_params["door"]
    if name not in world.doors:
        raise NotUnderstood(
            f"There is no door called '{name}'.", "Nothing was delayed.", f"Doors: {', '.join(world.doors)}.", "door"
        )
    try:
        delay_s = float(json.loads(await request.body())["delay_s"])
    except (ValueError, TypeError, KeyError):
        delay_s = -1.0
    if not 0 <= delay_s <= MAX_DELAY_S:
        raise NotUnderstood(
            f"A delay is a number of seconds from 0 to {MAX_DELAY_S:g}.", "Nothing was delayed.", place="delay_s"
        )
    world.doors[name].delay_s = delay_s
    return {"door": name, "delay_s": delay_s}


async def _reset(world: World, request: Request) -> dict[str, Any]:
    """Body: nothing, or {"world": "before" or "after"}."""
    body = await request.body()
    try:
        kind = json.loads(body).get("world") if body else None
    except (ValueError, AttributeError):
        kind = ""
    if kind not in (None, "before", "after"):
        raise NotUnderstood(
            "A world is either 'before' or 'after'.", "Nothing was reset.", "Name one of the two.", place="world"
        )
    await world.reset(kind)
    return await world_status(world)


async def _stop(world: World, _: Request) -> dict[str, Any]:
    world.stop_asked.set()
    return {"stopping": True}
