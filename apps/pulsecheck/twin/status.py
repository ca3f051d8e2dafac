"""What PulseCheck says about itself: words that never change and prove nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apps.pulsecheck.twin.contract import VERSION, Operation

BUILT_AT = "2025-06-18T21:04:11.482913"


def operations(variables: Mapping[str, str]) -> Sequence[Operation]:
    """`/` and `/health`. Both answer the same in every build and look at nothing, as the real ones do."""

    async def root(_request: Request) -> Response:
        return JSONResponse({"message": "PulseCheck API is running", "version": VERSION, "status": "healthy"})

    async def health(_request: Request) -> Response:
        return JSONResponse(
            {
                "status": "healthy",
                "version": VERSION,
                "environment": variables.get("ENVIRONMENT", "production"),
                "config_loaded": True,
                "openai_configured": variables.get("OPENAI_API_KEY", "").startswith("sk-"),
                "timestamp": BUILT_AT,
            }
        )

    return [Operation("GET", "/", root, "Root"), Operation("GET", "/health", health, "Health Check")]
