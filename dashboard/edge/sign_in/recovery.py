"""Signing in with a recovery code: asks the store and nobody else, so that it works with everything outside gone."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.edge.sign_in.access import (
    Access,
    address_of,
    ask_again,
    asked_for,
    cannot_go_on,
    local_path,
    read_form,
    signed_in,
)
from services.access.recovery import LASTS, redeem
from services.errors import OpsError


def routes(access: Access) -> list[Route]:
    """POST /auth/recovery."""

    async def take(request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(_take, access, request, form)

    return [Route("/auth/recovery", take, methods=["POST"])]


def _take(access: Access, request: Request, form: dict[str, str]) -> Response:
    after = local_path(form.get("next"))
    try:
        settings, target = asked_for(access, form.get("target"))
    except OpsError as error:
        return cannot_go_on(error)
    typed, now = form.get("code", ""), access.clock()
    try:
        recovered = redeem(access.store(), target=target.name, typed=typed, now=now, address=address_of(request))
    except OpsError as error:
        return ask_again(access, request, settings, target, after, error, part="recovery")
    return signed_in(settings, request, target.name, recovered.token, after, LASTS.total_seconds())
