"""OpenAI: which models a key sees and when they end, and whether it can complete; each error told apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import SecretStr

from services.clients.connection_failure import read_failure
from services.clients.deadline import remaining
from services.clients.http import USER_AGENT, Answer, HoldsSecrets, Kind, Reason, UpstreamError, sendable
from services.clients.openai_answers import (
    QUOTA_CODES,
    Completion,
    Model,
    OpenAiError,
    Problem,
    RateLimits,
    kind_of_error,
    of_network,
    read_completion,
    read_limits,
    read_model,
    read_models,
    refusal,
)
from services.clients.transport import CONNECT_S, DeadlineTransport, call_deadline
from services.errors import Unavailable
from services.settings import Target

__all__ = [
    "QUOTA_CODES",
    "Completion",
    "Model",
    "OpenAiClient",
    "OpenAiError",
    "Problem",
    "RateLimits",
    "kind_of_error",
]

T = TypeVar("T")
API = "https://api.openai.com"
CALL_S = 10.0


class OpenAiClient(HoldsSecrets):
    """Calls with one key, never retried: a retry would spend, and would hide `insufficient_quota`.

    Raises OpenAiError. limits: the rate limits of the last answer that bore any.
    """

    def __init__(self, url: str | None, key: str | SecretStr) -> None:
        self._url = (url or API).rstrip("/").removesuffix("/v1") + "/v1"
        self._key = SecretStr(key) if isinstance(key, str) else key
        self.limits: RateLimits | None = None

    @classmethod
    def of(cls, target: Target) -> OpenAiClient:
        """The client with this target's own key. Raises Unavailable where none is set."""
        if target.openai_key is None:
            raise Unavailable(
                f"{target.name} has no OpenAI key of ours.",
                "OpenAI was not asked.",
                "Set openai_key.",
                place=f"targets.{target.name}.openai_key",
            )
        return cls(target.openai_url, target.openai_key)

    def models(self) -> dict[str, Model]:
        """Every model that the key sees, by id. Free; proves the key, but not the quota.

        A restricted key may be refused here (`Problem.KEY_RESTRICTED`) and complete all the same, or the reverse.
        """
        return self._call(lambda client: client.models.with_raw_response.list(), lambda body, _: read_models(body))

    def model(self, name: str) -> Model:
        """One model. Free. Raises OpenAiError, whose problem tells whether it is retired, not allowed or unknown."""
        return self._call(
            lambda client: client.models.with_raw_response.retrieve(name), lambda body, _: read_model(body)
        )

    def complete(self, model: str) -> Completion:
        """A completion of a few tokens. Proves key, quota and model; costs about ten tokens."""
        return self._call(
            lambda client: client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": "Say ok."}], max_completion_tokens=5
            ),
            read_completion,
        )

    def _call(self, ask: Callable[[Any], Any], parse: Callable[[Any, RateLimits], T]) -> T:
        seconds = remaining(CALL_S)
        if not sendable(self._key.get_secret_value()):
            what = "OpenAI was not asked: the key in the settings holds characters that no key has."
            raise of_network(UpstreamError("OpenAI", Kind.UNAUTHORISED, what, reason=Reason.MALFORMED_KEY))
        found = self._asked(ask, seconds)
        if isinstance(found, OpenAiError):
            raise found
        limits = read_limits(found.headers)
        if limits.told:
            self.limits = limits
        if not found.ok:
            raise refusal(found)
        read = _read(found, lambda body: parse(body, limits))
        if isinstance(read, OpenAiError):
            raise read
        return read

    def _asked(self, ask: Callable[[Any], Any], seconds: float) -> Answer | OpenAiError:
        """The answer, whatever its status; or the error for none at all."""
        import httpx
        import openai

        started = time.monotonic()
        http = httpx.Client(
            transport=DeadlineTransport(packed=False), timeout=httpx.Timeout(CALL_S, connect=CONNECT_S), trust_env=False
        )
        try:
            client = openai.OpenAI(
                api_key=self._key.get_secret_value(),
                base_url=self._url,
                max_retries=0,
                default_headers={"user-agent": USER_AGENT},
                http_client=http,  # type: ignore[arg-type]
            )
            with call_deadline(seconds):
                response = ask(client).http_response
        except openai.APIStatusError as error:
            response = error.response
        except Exception as error:
            # What is no answer at all: the package wraps it, and what lies beneath tells.
            took_s = time.monotonic() - started
            kind, reason, what = read_failure(error, min(seconds, took_s))
            return of_network(UpstreamError("OpenAI", kind, f"OpenAI {what}.", reason=reason, took_s=took_s))
        finally:
            http.close()
        took_s = time.monotonic() - started
        return Answer(
            "OpenAI", str(response.url), response.status_code, response.headers, response.content, took_s, (self._key,)
        )


def _read(answer: Answer, parse: Callable[[Any], T]) -> T | OpenAiError:
    try:
        return answer.read(parse)
    except UpstreamError as error:
        return of_network(error)
