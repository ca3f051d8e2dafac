"""Signing in by e-mail and password, or with a quick account of a disposable target."""

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
    is_denial,
    local_path,
    read_form,
    signed_in,
)
from services.access.sessions import open_session
from services.access.ways import quick_accounts_count
from services.errors import NotUnderstood, OpsError, Refused
from services.settings import Settings, Target


def routes(access: Access) -> list[Route]:
    """POST /auth/sign-in."""

    async def take(request: Request) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(_take, access, request, form)

    return [Route("/auth/sign-in", take, methods=["POST"])]


def _take(access: Access, request: Request, form: dict[str, str]) -> Response:
    after = local_path(form.get("next"))
    try:
        settings, target = asked_for(access, form.get("target"))
    except OpsError as error:
        return cannot_go_on(error)
    place = (target.name, address_of(request))
    try:
        email, password = _credentials(settings, target, form)
        access.slowing.require_patience(place, access.clock())
        try:
            actor = access.authenticate(target, email, password)
        except OpsError as error:
            if is_denial(error):
                access.slowing.failed(place, access.clock())
            raise
        token = open_session(access.store(), actor, access.clock())
    except OpsError as error:
        typed = "" if form.get("account") else form.get("email", "").strip()
        part = "" if form.get("account") else "password"
        return ask_again(access, request, settings, target, after, error, email=typed, part=part)
    return signed_in(settings, request, target.name, token, after)


def _credentials(settings: Settings, target: Target, form: dict[str, str]) -> tuple[str, str]:
    """E-mail and password, typed or those of the quick account that was pressed."""
    wanted = form.get("account")
    if wanted is None:
        if not form.get("email") or not form.get("password"):
            raise NotUnderstood("E-mail and password are both needed.", "Nobody was signed in.", "Fill in both.")
        return form["email"].strip(), form["password"]
    if not quick_accounts_count(settings, target):
        raise Refused(
            f"{target.name} takes no account without a password: it is production, or others than this machine "
            "reach this dashboard.",
            "Nobody was signed in.",
            "Sign in in another way.",
        )
    for account in target.quick_sign_in:
        if account.name == wanted:
            return account.email, account.password.get_secret_value()
    raise Refused(
        f"{target.name} offers no quick account of that name.", "Nobody was signed in.", "Pick one that is shown."
    )
