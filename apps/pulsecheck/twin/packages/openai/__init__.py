"""What the beta image holds of openai: the async client's chat completions, with the SDK's errors and retries."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

__version__ = "1.3.0"

FIRST_RETRY_S = 0.25


class OpenAIError(Exception):
    """Every failure of this client."""


class APIConnectionError(OpenAIError):
    """No answer came."""


class APITimeoutError(APIConnectionError):
    """No answer came in time."""


class APIStatusError(OpenAIError):
    """An answer came that is not a success."""

    def __init__(self, status_code: int, code: str | None) -> None:
        super().__init__(f"Error code: {status_code} - {code}")
        self.status_code = status_code
        self.code = code


class _Completions:
    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def create(self, **body: Any) -> dict[str, Any]:
        """POST /chat/completions; answers of 429 and 5xx are tried again, max_retries times."""
        if not self._client.api_key:
            raise OpenAIError("The api_key client option must be set by the OPENAI_API_KEY environment variable")
        for attempt in range(self._client.max_retries + 1):
            try:
                return await self._once(body)
            except APIStatusError as error:
                again = error.status_code == 429 or error.status_code >= 500
                if not again or attempt == self._client.max_retries:
                    raise
            await asyncio.sleep(FIRST_RETRY_S * 2**attempt)
        raise OpenAIError("no attempt was made")

    async def _once(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = await self._client.http.post("chat/completions", json=body)
        except httpx.TimeoutException:
            raise APITimeoutError("Request timed out.") from None
        except httpx.HTTPError as error:
            raise APIConnectionError("Connection error.") from error
        answer = response.json()
        if response.is_success:
            return dict(answer)
        raise APIStatusError(response.status_code, (answer.get("error") or {}).get("code"))


class _Chat:
    def __init__(self, client: AsyncOpenAI) -> None:
        self.completions = _Completions(client)


class AsyncOpenAI:
    """api_key goes out as bearer token; timeout in seconds, for one attempt."""

    def __init__(self, *, api_key: str, base_url: str, timeout: float = 600.0, max_retries: int = 2) -> None:
        self.api_key = api_key
        self.max_retries = max_retries
        self.http = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=timeout,
            trust_env=False,
        )
        self.chat = _Chat(self)

    async def close(self) -> None:
        await self.http.aclose()
