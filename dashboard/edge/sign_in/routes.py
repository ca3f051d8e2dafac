"""The /auth/* routes: the sign-in page with every way of signing in, sign out, and whether a session holds."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.edge.cookies import clear_session, session_token
from dashboard.edge.sign_in import founder, oidc, password, recovery
from dashboard.edge.sign_in.access import (
    Access,
    asked_for,
    cannot_go_on,
    is_secure,
    local_path,
    plain_page,
    read_form,
    show,
    sign_in_address,
)
from dashboard.edge.sign_in.pages import sign_out_page
from services.access.sessions import close_session
from services.errors import OpsError


def routes(access: Access) -> list[Route]:
    """The routes, bound to what they need."""

    async def show_sign_in(request: Request) -> Response:
        return await run_in_threadpool(_show_sign_in, access, request)

    async def show_sign_out(request: Request) -> Response:
        return await run_in_threadpool(_show_sign_out, access, request)

    async def take_sign_out(request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(_take_sign_out, access, request, form)

    async def session(request: Request) -> Response:
        return await run_in_threadpool(_session, access, request)

    return [
        Route("/auth/sign-in", show_sign_in, methods=["GET"]),
        Route("/auth/sign-out", show_sign_out, methods=["GET"]),
        Route("/auth/sign-out", take_sign_out, methods=["POST"]),
        Route("/auth/session", session, methods=["GET"]),
        *password.routes(access),
        *oidc.routes(access),
        *recovery.routes(access),
        *founder.routes(access),
    ]


def _show_sign_in(access: Access, request: Request) -> Response:
    try:
        settings, target = asked_for(access, request.query_params.get("target"))
    except OpsError as error:
        return cannot_go_on(error)
    return plain_page(show(access, request, settings, target, local_path(request.query_params.get("next"))))


def _show_sign_out(access: Access, request: Request) -> Response:
    target = request.query_params.get("target") or access.settings().default_target
    actor = access.actor(request.cookies, target)
    if actor is None:
        return RedirectResponse(sign_in_address(target, "/"), status_code=303)
    return plain_page(sign_out_page(target, actor.name))


def _take_sign_out(access: Access, request: Request, form: dict[str, str]) -> Response:
    settings = access.settings()
    target = form.get("target") or settings.default_target
    token = session_token(request.cookies, target)
    if token:
        close_session(access.store(), token, access.clock())
    response = RedirectResponse(sign_in_address(target, "/"), status_code=303)
    clear_session(response, target, secure=is_secure(settings, request))
    return response


def _session(access: Access, request: Request) -> Response:
    target = request.query_params.get("target") or access.settings().default_target
    signed_in = access.actor(request.cookies, target) is not None
    return JSONResponse({"signed_in": signed_in}, headers={"Cache-Control": "no-store"})
