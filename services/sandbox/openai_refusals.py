"""An answer of the OpenAI-compatible server that says why it does not do what it was asked."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import JSONResponse, Response


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An answer with OpenAI's error body."""

    status: int
    message: str
    type: str
    code: str | None
    param: str | None = None

    def response(self, request_id: str) -> Response:
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return JSONResponse({"error": error}, status_code=self.status, headers={"x-request-id": request_id})
