"""/livez: this process answers. /readyz: it could serve a page now, since its settings and its store can be read."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.errors import OpsError
from services.store.database import Store

NO_STORE = {"Cache-Control": "no-store"}


def routes(open_store: Callable[[], Store]) -> list[Route]:
    """The two probes; open to everybody, so they tell yes or no and nothing else."""

    async def livez(_request: Request) -> JSONResponse:
        return JSONResponse({"alive": True}, headers=NO_STORE)

    async def readyz(_request: Request) -> JSONResponse:
        ready = await run_in_threadpool(_is_ready, open_store)
        return JSONResponse({"ready": ready}, 200 if ready else 503, headers=NO_STORE)

    return [Route("/livez", livez, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]


def _is_ready(open_store: Callable[[], Store]) -> bool:
    try:
        with open_store().read() as connection:
            connection.execute(text("SELECT 1"))
    except (OpsError, SQLAlchemyError):
        return False
    return True
