"""What all ways of signing in share: who is signed in, where to go on to, forms, cookies and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboard.edge.cookies import session_token, set_session
from dashboard.edge.shell import PLAIN_PAGE_POLICY
from dashboard.edge.sign_in.pages import Offer, problem_page, sign_in_page
from services.access.founder import founder_here
from services.access.permissions import Actor
from services.access.recovery import unused_codes
from services.access.sessions import LIFETIME, actor_on
from services.access.slowing import Slowing
from services.access.ways import auth_project, founder_may_sign_in, quick_accounts_count
from services.clients.http import Kind, UpstreamError
from services.errors import NotUnderstood, OpsError, Refused, Unavailable
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
    slowing: Slowing = field(default_factory=Slowing)

    def actor(self, cookies: Mapping[str, str], target: str) -> Actor | None:
        """Who is signed in to `target` by these cookies."""
        token = session_token(cookies, target)
        return actor_on(self.store(), self.settings(), target, token, self.clock()) if token else None


def sign_in_address(target: str, after: str) -> str:
    """The address of the sign-in page for `target` that goes on to `after`."""
    return f"/auth/sign-in?target={quote(target)}&next={quote(after)}"


def local_path(text: str | None) -> str:
    """The path to go on to, if it is one of ours; anything that could lead elsewhere becomes "/"."""
    if not text or not text.startswith("/") or text.startswith(("//", "/\\", "/auth/")):
        return "/"
    return "/" if any(character in text for character in "\\\r\n\t\x00") else text


def is_secure(settings: Settings, request: Request) -> bool:
    """Whether browsers reach us by https, so that cookies never leave it."""
    return (settings.public_url or "").startswith("https://") or request.url.scheme == "https"


def address_of(request: Request) -> str:
    """Where the browser is, as far as what stands before us tells."""
    return request.client.host if request.client else "unknown"


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a URL-encoded form; of a body that is too large, none."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def plain_page(html: str, status: int = 200) -> HTMLResponse:
    """One of our own small pages, under the policy without any inline script or style."""
    return HTMLResponse(
        html, status, headers={"Content-Security-Policy": PLAIN_PAGE_POLICY, "Cache-Control": "no-store"}
    )


def cannot_go_on(error: OpsError) -> Response:
    """The page for an error that leaves nothing else to show."""
    return plain_page(problem_page(error.what, error.means, error.do), 503)


def asked_for(access: Access, name: str | None) -> tuple[Settings, Target]:
    """Settings and target of a request. Raises NotUnderstood, Unavailable."""
    settings = access.settings()
    return settings, settings.target(name)


def signed_in(
    settings: Settings, request: Request, target: str, token: str, after: str, lasts_s: float = LIFETIME.total_seconds()
) -> Response:
    """Go on to where the browser was headed, with its session."""
    response = RedirectResponse(after, status_code=303)
    set_session(response, target, token, secure=is_secure(settings, request), lasts_s=lasts_s)
    return response


def ask_again(
    access: Access,
    request: Request,
    settings: Settings,
    target: Target,
    after: str,
    error: OpsError,
    *,
    email: str = "",
    part: str = "",
) -> Response:
    """The sign-in page once more, with why it did not work. part: the way that was tried, which stays open."""
    denied = is_denial(error)
    problem = [error.what, error.means, error.do]
    if not denied and part != "recovery":
        # Whoever runs the service can mend it; whoever needs to work now needs this.
        codes = unused_codes(access.store(), target.name, access.clock())
        problem = [error.what, "Nobody was signed in.", RECOVERY_WORKS if codes else NO_CODES.format(target.name)]
        part = "recovery" if codes else part
    html = show(access, request, settings, target, after, problem=problem, email=email, part=part)
    return plain_page(html, 401 if denied else 503)


RECOVERY_WORKS = "A recovery code works: it asks nobody but this server."
NO_CODES = (
    "No recovery code is left for {0}; on the server, `python -m dashboard recovery-codes --target {0} "
    '--for "NAME"` makes some.'
)


def is_denial(error: OpsError) -> bool:
    """Whether the person was turned away, or could not be asked about."""
    wrong = isinstance(error, UpstreamError) and error.kind is Kind.UNAUTHORISED
    return wrong or isinstance(error, Refused | NotUnderstood)


def show(
    access: Access,
    request: Request,
    settings: Settings,
    target: Target,
    after: str,
    *,
    problem: list[str] | None = None,
    email: str = "",
    part: str = "",
) -> str:
    """The sign-in page of a target with all ways that it offers."""
    founder = _founder(access, request, settings, target)
    offer = Offer(
        quick=tuple((one.name, one.role) for one in target.quick_sign_in)
        if quick_accounts_count(settings, target)
        else (),
        password=auth_project(target) is not None,
        oidc=settings.oidc.title if settings.oidc is not None else None,
        founder=founder.name if founder is not None else None,
        waits_for_founder=founder is None and founder_may_sign_in(settings, target),
        others=tuple(sorted(name for name in settings.targets if name != target.name)),
    )
    return sign_in_page(target, offer, after=after, problem=problem or (), email=email, part=part)


def _founder(access: Access, request: Request, settings: Settings, target: Target) -> Actor | None:
    try:
        return founder_here(settings, target, lambda name: access.actor(request.cookies, name))
    except Unavailable:
        # The page must open without a store; signing in will say that there is none.
        return None
