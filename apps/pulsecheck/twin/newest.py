"""The newest build: twenty-seven paths, a Supabase token for the journal, the role admin for the reports."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.assembly import REQUIRED, Traits, assemble
from apps.pulsecheck.twin.caller import SignedIn
from apps.pulsecheck.twin.contract import VERSION, ApiError, Operation
from apps.pulsecheck.twin.defects import present
from apps.pulsecheck.twin.feedback import BodyFeedback
from apps.pulsecheck.twin.minute_limit import MinuteLimit
from apps.pulsecheck.twin.serve import serve

if present("renamed-class"):
    from apps.pulsecheck.twin.usage import UsageService as Usage  # type: ignore[attr-defined] # noqa: F401

NEEDS = (*REQUIRED, "SUPABASE_JWT_SECRET")
RESETS_A_MINUTE = 5
WORDS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


def build(variables: Mapping[str, str]) -> Starlette:
    sign_in = SignedIn(variables["SUPABASE_JWT_SECRET"])
    limit = MinuteLimit(RESETS_A_MINUTE)

    def admit(request: Request) -> None:
        sign_in.admit(request)
        if request.url.path.endswith("/reset-usage"):
            limit.count(sign_in.identify(request).user_id)

    return assemble(
        variables,
        Traits(
            identify=sign_in.identify,
            admit=admit,
            feedback=BodyFeedback,
            status=status(),
            documented=variables.get("ENVIRONMENT", "production") != "production",
            on_error=on_error,
            on_missing=on_missing,
        ),
    )


def status() -> Sequence[Operation]:
    """Three more ways of saying that all is well, of which one says that it is not, whatever is the case."""

    async def fast(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> Response:
        return JSONResponse({"status": "ready", "version": VERSION})

    async def detailed(_request: Request) -> Response:
        checks = {
            "database": {"status": "unhealthy", "message": "health check not configured"},
            "openai": {"status": "healthy", "message": "configured"},
        }
        summary = {"total": len(checks), "healthy": 1, "unhealthy": 1}
        return JSONResponse({"status": "unhealthy", "checks": checks, "summary": summary})

    return [
        Operation("GET", "/health-fast", fast, "Fast Health Check"),
        Operation("GET", "/ready", ready, "Readiness"),
        Operation("GET", "/health-detailed", detailed, "Detailed Health Check"),
    ]


async def on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    if error.status == 429:
        return JSONResponse(error.body or {"detail": error.detail}, status_code=429)
    return _refusal(error.status, error.detail)


async def on_missing(_request: Request, error: Exception) -> Response:
    status_code = int(getattr(error, "status_code", 404))
    return _refusal(status_code, WORDS.get(status_code, "Error"))


def _refusal(status_code: int, message: Any) -> Response:
    body = {
        "error": WORDS.get(status_code, "Validation Error" if status_code == 422 else "Error"),
        "message": message if isinstance(message, str) else "; ".join(one["msg"] for one in message),
        "status_code": status_code,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    return JSONResponse(body, status_code=status_code)


if __name__ == "__main__":
    sys.exit(serve(build, NEEDS))
