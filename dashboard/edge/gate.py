"""The sign-in gate: a page is not even served to a browser that is not signed in to its target."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.edge.sign_in.access import Access, cannot_go_on, sign_in_address
from services.errors import OpsError


class Gate:
    """ASGI middleware before the pages. The pages ask again at every run: a session can end while one is open."""

    def __init__(self, app: ASGIApp, *, access: Access, pages: Collection[str]) -> None:
        self.app = app
        self.access = access
        self.pages = frozenset(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} and scope["path"] in self.pages:
            answer = await run_in_threadpool(self._answer, Request(scope))
            if answer is not None:
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        """The answer instead of the page; None where the page may be served."""
        try:
            target = self.access.settings().target(request.query_params.get("target")).name
            if self.access.actor(request.cookies, target) is not None:
                return None
        except OpsError as error:
            return cannot_go_on(error)
        query = urlencode(list(request.query_params.multi_items()))
        after = f"{request.url.path}?{query}" if query else request.url.path
        return RedirectResponse(sign_in_address(target, after), status_code=303, headers={"Cache-Control": "no-store"})
