"""Signing in as the founder of a target that has no sign-in yet, by the session one has on another target."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.edge.sign_in.access import (
    Access,
    ask_again,
    asked_for,
    cannot_go_on,
    local_path,
    read_form,
    signed_in,
)
from services.access.founder import sign_in_founder
from services.errors import OpsError


def routes(access: Access) -> list[Route]:
    """POST /auth/founder."""

    async def take(request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(_take, access, request, form)

    return [Route("/auth/founder", take, methods=["POST"])]


def _take(access: Access, request: Request, form: dict[str, str]) -> Response:
    after = local_path(form.get("next"))
    try:
        settings, target = asked_for(access, form.get("target"))
    except OpsError as error:
        return cannot_go_on(error)
    try:
        token = sign_in_founder(
            access.store(), settings, target, lambda name: access.actor(request.cookies, name), access.clock()
        )
    except OpsError as error:
        return ask_again(access, request, settings, target, after, error)
    return signed_in(settings, request, target.name, token, after)
