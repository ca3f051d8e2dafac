"""The /auth/* routes: sign in, sign out, and whether a session holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.edge.cookies import clear_session, session_token, set_session
from dashboard.edge.shell import PLAIN_PAGE_POLICY
from dashboard.edge.sign_in_page import problem_page, sign_in_page, sign_out_page
from services.access.permissions import Actor
from services.access.sessions import close_session, open_session, session_actor
from services.clients.http import Kind, UpstreamError
from services.errors import NotUnderstood, OpsError, Refused
from services.settings import Settings, Target
from services.store.database import Store

MAX_FORM_BYTES = 8192
Authenticate = Callable[[Target, str, str], Actor]


@dataclass(frozen=True, slots=True)
class Access:
    """What the routes and the gate need from the rest of the process; each is asked anew at every request."""

    settings: Callable[[], Settings]
    store: Callable[[], Store]
    clock: Callable[[], datetime]
    authenticate: Authenticate

    def actor(self, cookies: dict[str, str], target: str) -> Actor | None:
        """Who is signed in to `target` by these cookies."""
        token = session_token(cookies, target)
        found = session_actor(self.store(), token, self.clock()) if token else None
        return found if found is not None and found.target == target else None


def local_path(text: str | None) -> str:
    """The path to go on to, if it is one of ours; anything that could lead elsewhere becomes "/"."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\", "/auth/")):
        return "/"
    return "/" if any(character in text for character in "\\\r\n\t\x00") else text


def routes(access: Access) -> list[Route]:
    """The routes, bound to what they need."""

    async def show_sign_in(request: Request) -> Response:
        return await run_in_threadpool(_show_sign_in, access, request)

    async def take_sign_in(request: Request) -> Response:
        form = await _form(request)
        return await run_in_threadpool(_take_sign_in, access, request, form)

    async def show_sign_out(request: Request) -> Response:
        return await run_in_threadpool(_show_sign_out, access, request)

    async def take_sign_out(request: Request) -> Response:
        form = await _form(request)
        return await run_in_threadpool(_take_sign_out, access, request, form)

    async def session(request: Request) -> Response:
        return await run_in_threadpool(_session, access, request)

    return [
        Route("/auth/sign-in", show_sign_in, methods=["GET"]),
        Route("/auth/sign-in", take_sign_in, methods=["POST"]),
        Route("/auth/sign-out", show_sign_out, methods=["GET"]),
        Route("/auth/sign-out", take_sign_out, methods=["POST"]),
        Route("/auth/session", session, methods=["GET"]),
    ]


def sign_in_address(target: str, after: str) -> str:
    """The address of the sign-in page for `target` that goes on to `after`."""
    return f"/auth/sign-in?target={quote(target)}&next={quote(after)}"


def _show_sign_in(access: Access, request: Request) -> Response:
    try:
        settings = access.settings()
        target = settings.target(request.query_params.get("target"))
    except OpsError as error:
        return _page(problem_page(error.what, error.means, error.do), 503)
    return _page(_sign_in(settings, target, local_path(request.query_params.get("next"))), 200)


def _take_sign_in(access: Access, request: Request, form: dict[str, str]) -> Response:
    after = local_path(form.get("next"))
    try:
        settings = access.settings()
        target = settings.target(form.get("target"))
    except OpsError as error:
        return _page(problem_page(error.what, error.means, error.do), 503)
    email = form.get("email", "").strip()
    try:
        email, password = _credentials(target, form)
        actor = access.authenticate(target, email, password)
        token = open_session(access.store(), actor, access.clock())
    except OpsError as error:
        status = 401 if _is_denial(error) else 503
        shown = "" if form.get("account") else email
        problem = (error.what, error.means, error.do)
        return _page(_sign_in(settings, target, after, problem=problem, email=shown), status)
    response = RedirectResponse(after, status_code=303)
    set_session(response, target.name, token, secure=request.url.scheme == "https")
    return response


def _is_denial(error: OpsError) -> bool:
    """Whether the person was turned away, or could not be asked about."""
    wrong = isinstance(error, UpstreamError) and error.kind is Kind.UNAUTHORISED
    return wrong or isinstance(error, Refused | NotUnderstood)


def _credentials(target: Target, form: dict[str, str]) -> tuple[str, str]:
    """E-mail and password, typed or those of the quick account that was pressed."""
    wanted = form.get("account")
    if wanted is None:
        if not form.get("email") or not form.get("password"):
            raise NotUnderstood("E-mail and password are both needed.", "Nobody was signed in.", "Fill in both.")
        return form["email"].strip(), form["password"]
    for account in target.quick_sign_in:
        if account.name == wanted:
            return account.email, account.password.get_secret_value()
    raise Refused(
        f"{target.name} offers no quick account of that name.", "Nobody was signed in.", "Pick one that is shown."
    )


def _show_sign_out(access: Access, request: Request) -> Response:
    target = request.query_params.get("target") or access.settings().default_target
    actor = access.actor(request.cookies, target)
    if actor is None:
        return RedirectResponse(sign_in_address(target, "/"), status_code=303)
    return _page(sign_out_page(target, actor.name), 200)


def _take_sign_out(access: Access, request: Request, form: dict[str, str]) -> Response:
    target = form.get("target") or access.settings().default_target
    token = session_token(request.cookies, target)
    if token:
        close_session(access.store(), token, access.clock())
    response = RedirectResponse(sign_in_address(target, "/"), status_code=303)
    clear_session(response, target, secure=request.url.scheme == "https")
    return response


def _session(access: Access, request: Request) -> Response:
    target = request.query_params.get("target") or access.settings().default_target
    signed_in = access.actor(request.cookies, target) is not None
    return JSONResponse({"signed_in": signed_in}, headers={"Cache-Control": "no-store"})


async def _form(request: Request) -> dict[str, str]:
    """The fields of a URL-encoded form; of a body that is too large, none."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _sign_in(settings: Settings, target: Target, after: str, *, problem: tuple[str, ...] = (), email: str = "") -> str:
    others = sorted(name for name in settings.targets if name != target.name)
    return sign_in_page(target, others, after=after, problem=problem, email=email)


def _page(html: str, status: int) -> HTMLResponse:
    return HTMLResponse(
        html, status, headers={"Content-Security-Policy": PLAIN_PAGE_POLICY, "Cache-Control": "no-store"}
    )
