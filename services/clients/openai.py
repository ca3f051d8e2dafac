"""OpenAI: which models a key sees and when they end, and whether it can complete; each error told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from services.clients.deadline import remaining
from services.clients.http import Kind, UpstreamError
from services.clients.redaction import redact
from services.clients.transport import CONNECT_S, DeadlineTransport, call_deadline
from services.errors import Unavailable
from services.settings import Target

T = TypeVar("T")
API = "https://api.openai.com"
CALL_S = 10.0
QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    }
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model the key sees; ends: the day it is shut down, where one is announced."""

    id: str
    ends: date | None


@dataclass(frozen=True, slots=True)
class Completion:
    """A tiny completion: tokens as the service counted them, and what the rate-limit headers left."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    requests_left: int | None
    tokens_left: int | None


class OpenAiClient:
    """Calls with one key, never retried: a retry would spend, and would hide `insufficient_quota`."""

    def __init__(self, url: str | None, key: str) -> None:
        self._url = (url or API).rstrip("/").removesuffix("/v1") + "/v1"
        self._key = key

    def __repr__(self) -> str:
        return "OpenAiClient()"

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
        return cls(target.openai_url, target.openai_key.get_secret_value())

    def models(self) -> dict[str, Model]:
        """Every model that the key sees, by id. Free; proves the key, but not the quota."""

        def ask(client: Any) -> dict[str, Model]:
            return {
                model.id: Model(model.id, _day(getattr(model, "shutdown_date", None)))
                for model in client.models.list().data
            }

        return self._call(ask)

    def complete(self, model: str) -> Completion:
        """A completion of a few tokens. Proves key, quota and model; costs about ten tokens."""

        def ask(client: Any) -> Completion:
            raw = client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": "Say ok."}], max_completion_tokens=5
            )
            answer = raw.parse()
            usage = answer.usage
            return Completion(
                model=str(answer.model),
                prompt_tokens=int(usage.prompt_tokens) if usage else 0,
                completion_tokens=int(usage.completion_tokens) if usage else 0,
                requests_left=_number(raw.headers.get("x-ratelimit-remaining-requests")),
                tokens_left=_number(raw.headers.get("x-ratelimit-remaining-tokens")),
            )

        return self._call(ask)

    def _call(self, ask: Callable[[Any], T]) -> T:
        import httpx
        import openai

        seconds = remaining(CALL_S)
        http = httpx.Client(
            transport=DeadlineTransport(), timeout=httpx.Timeout(CALL_S, connect=CONNECT_S), trust_env=False
        )
        try:
            client = openai.OpenAI(
                api_key=self._key,
                base_url=self._url,
                max_retries=0,
                http_client=http,  # type: ignore[arg-type]
            )
            with call_deadline(seconds):
                return ask(client)
        except openai.APITimeoutError:
            raise UpstreamError("OpenAI", Kind.TIMEOUT, f"OpenAI gave no answer within {seconds:.0f} s.") from None
        except openai.APIConnectionError:
            raise UpstreamError("OpenAI", Kind.UNREACHABLE, "OpenAI cannot be reached.") from None
        except openai.APIStatusError as error:
            raise _status_error(error.status_code, error.code, error.body, str(error.message)) from None
        except Exception as error:
            # A web page with status 200 makes the package raise whatever its parser stumbles over.
            raise UpstreamError(
                "OpenAI",
                Kind.NOT_UNDERSTOOD,
                f"OpenAI answered something that is not understood ({type(error).__name__}).",
            ) from None
        finally:
            http.close()


def _status_error(status: int, code: str | None, body: object, message: str) -> UpstreamError:
    kind = kind_of_error(status, code, body if isinstance(body, Mapping) else {})
    said = redact(message)[:200]
    return UpstreamError(
        "OpenAI",
        kind,
        f"OpenAI answered {status} {code or ''}".rstrip() + f" ({kind.value}).",
        status=status,
        code=code,
        detail=said,
    )


def kind_of_error(status: int, code: str | None, body: Mapping[str, Any]) -> Kind:
    """The kind of an OpenAI error: 429 is a quota matter or a rate limit, and only the code or type tells."""
    if status == 429:
        return Kind.QUOTA if code in QUOTA_CODES or body.get("type") in QUOTA_CODES else Kind.RATE_LIMITED
    table = {401: Kind.UNAUTHORISED, 403: Kind.FORBIDDEN, 404: Kind.MISSING}
    return table.get(status, Kind.SERVER_ERROR if status >= 500 else Kind.NOT_UNDERSTOOD)


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10]) if text else None
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
