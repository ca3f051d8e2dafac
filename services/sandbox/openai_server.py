"""An OpenAI-compatible server: models with an end date, chat completions that answer what was asked, its refusals."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.openai_costs import costs
from services.sandbox.openai_refusals import Refusal
from services.sandbox.openai_state import BILLING, OpenAIState

REQUESTS_LIMIT = 10_000
TOKENS_LIMIT = 2_000_000
MILLISECONDS_A_TOKEN = 0.6
SCOPES: Mapping[str, str] = {
    "models": "api.model.read",
    "completions": "model.request",
    "organization": "api.usage.read",
}
_WORDS = re.compile(r"[A-Za-z][A-Za-z'-]{3,}")
_LEVELS = re.compile(r"\b(mood|energy|stress|sleep)\D{0,12}(\d{1,2})", re.IGNORECASE)
_COMMON_WORDS = """
about after again also been before being could does doing entry every feel feeling from have into just like more need
only over said should some than that their them then there these they this through today very want were what when which
will with would your mood energy stress sleep short answer please
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_OPENINGS = ("It makes sense that", "I hear how much", "You noticed that", "It says a lot that")
_CLOSINGS = (
    "Pick one small step for {word} and leave the rest for tomorrow.",
    "Give {word} ten quiet minutes before the day ends.",
    "What would make {word} a little lighter this evening?",
)


def _bad_request(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(400, message, "invalid_request_error", code, param)


Answer = Callable[[OpenAIState, str, Request], Awaitable[Response]]


def openai_app(state: OpenAIState) -> Starlette:
    """GET /v1/models, GET /v1/models/{id}, POST /v1/chat/completions, GET /v1/organization/costs."""
    numbers = count(1)

    def guarded(endpoint: str, answer: Answer) -> Callable[[Request], Any]:
        async def guard(request: Request) -> Response:
            request_id = f"req_{sha256(str(next(numbers)).encode()).hexdigest()[:32]}"
            try:
                key = _key(state, request)
                _require_permission(state, key, endpoint)
                response = await answer(state, key, request)
            except Refusal as refusal:
                return refusal.response(request_id)
            response.headers["x-request-id"] = request_id
            response.headers["openai-version"] = "2020-10-01"
            return response

        return guard

    return Starlette(
        routes=[
            Route("/v1/models", guarded("models", _list_models)),
            Route("/v1/models/{model}", guarded("models", _one_model)),
            Route("/v1/chat/completions", guarded("completions", _complete), methods=["POST"]),
            Route("/v1/organization/costs", guarded("organization", costs)),
        ]
    )


async def _list_models(state: OpenAIState, key: str, _: Request) -> Response:
    return JSONResponse({"object": "list", "data": [state.describe(name) for name in state.models(key)]})


async def _one_model(state: OpenAIState, key: str, request: Request) -> Response:
    name = request.path_params["model"]
    _require_model(state, name)
    if not state.allows(key, name):
        raise _not_there(name)
    return JSONResponse(state.describe(name))


def _key(state: OpenAIState, request: Request) -> str:
    """The caller's key, where it is a good one."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Refusal(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer"
            " auth (i.e. Authorization: Bearer YOUR_KEY).",
            "invalid_request_error",
            None,
        )
    if not state.accepts(key):
        shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 16 else "*" * 8
        raise Refusal(
            401,
            f"Incorrect API key provided: {shown}. You can find your API key at"
            " https://platform.openai.com/account/api-keys.",
            "invalid_request_error",
            "invalid_api_key",
        )
    return key


def _require_permission(state: OpenAIState, key: str, endpoint: str) -> None:
    if not state.permits(key, endpoint):
        scope = SCOPES[endpoint]
        raise Refusal(
            403,
            f"You have insufficient permissions for this operation. Missing scopes: {scope}. Check that you have the"
            " correct role in your organization, and if you're using a restricted API key, that it has the necessary"
            " scopes.",
            "invalid_request_error",
            "missing_scope",
        )


def _require_model(state: OpenAIState, name: str) -> None:
    if not state.knows(name):
        raise _not_there(name)
    if state.ended(name):
        message = f"The model `{name}` has been shut down; see https://platform.openai.com/docs/deprecations."
        raise Refusal(404, message, "invalid_request_error", "model_not_found")


def _not_there(name: str) -> Refusal:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return Refusal(404, message, "invalid_request_error", "model_not_found")


def _require_use(state: OpenAIState, key: str, name: str) -> None:
    """Raises where the account may not use a model that there is, or cannot pay for it."""
    if not state.allows(key, name):
        message = f"Project `proj_{sha256(key.encode()).hexdigest()[:24]}` does not have access to model `{name}`"
        raise Refusal(403, message, "invalid_request_error", "model_not_found")
    if (code := state.billing(key)) is not None:
        raise Refusal(429, BILLING[code], "insufficient_quota", code)


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _bad_request("We could not parse the JSON body of your request.")
    return body


def _messages(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    if not isinstance(body.get("model"), str):
        raise _bad_request("you must provide a model parameter")
    messages = body.get("messages")
    if messages is None:
        raise _bad_request("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(messages, list) or not messages:
        raise _bad_request("Invalid 'messages': expected a non-empty array.", "messages", "invalid_type")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str) or "role" not in message:
            where = f"messages[{place}]"
            raise _bad_request(f"Invalid value for '{where}': role and content expected.", where, "invalid_type")
    if body.get("stream"):
        raise _bad_request("Unsupported value: 'stream' is not served here.", "stream", "unsupported_value")
    return messages


def _token_limit(body: Mapping[str, Any]) -> int | None:
    if "max_tokens" in body and str(body["model"]).startswith(("gpt-5", "gpt-6")):
        raise _bad_request(
            "Unsupported parameter: 'max_tokens' is not supported with this model."
            " Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise _bad_request("Invalid 'max_completion_tokens': integer of 1 or more expected.", "max_completion_tokens")
    return limit


async def _complete(state: OpenAIState, key: str, request: Request) -> Response:
    body = await _body(request)
    messages = _messages(body)
    limit = _token_limit(body)
    name = body["model"]
    _require_model(state, name)
    _require_use(state, key, name)
    text, whole = _cut(reply(messages), limit)
    prompt_tokens = 3 + sum(4 + tokens(message["content"]) for message in messages)
    completion_tokens = tokens(text)
    took_s = state.latency_s + completion_tokens * MILLISECONDS_A_TOKEN / 1000
    await asyncio.sleep(took_s)
    state.answered += 1
    state.note_cost(prompt_tokens, completion_tokens)
    answer_id = sha256(f"{state.answered}{text}".encode()).hexdigest()[:29]
    answer = {
        "id": f"chatcmpl-{answer_id}",
        "object": "chat.completion",
        "created": int(state.clock().timestamp()),
        "model": name,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop" if whole else "length",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }
    return JSONResponse(answer, headers=_rate_limits(state, prompt_tokens + completion_tokens, took_s))


def _rate_limits(state: OpenAIState, used_tokens: int, took_s: float) -> dict[str, str]:
    return {
        "openai-processing-ms": str(round(took_s * 1000)),
        "x-ratelimit-limit-requests": str(REQUESTS_LIMIT),
        "x-ratelimit-limit-tokens": str(TOKENS_LIMIT),
        "x-ratelimit-remaining-requests": str(REQUESTS_LIMIT - 1),
        "x-ratelimit-remaining-tokens": str(TOKENS_LIMIT - used_tokens),
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": f"{max(1, round(used_tokens * 60_000 / TOKENS_LIMIT))}ms",
    }


def tokens(text: str) -> int:
    """About how many tokens English text has: one per four characters, rounded up."""
    return -(-len(text) // 4)


def reply(messages: Sequence[Mapping[str, Any]]) -> str:
    """A short answer made of the last user message: its longest words and its levels, so that no two are alike."""
    asked = next((m["content"] for m in reversed(messages) if m["role"] == "user"), messages[-1]["content"])
    seen = dict.fromkeys(word.lower() for word in _WORDS.findall(asked))
    words = sorted((word for word in seen if word not in _COMMON), key=lambda word: (-len(word), word))[:3]
    levels = [f"{name.lower()} at {level}" for name, level in _LEVELS.findall(asked)]
    choice = sha256(asked.encode()).digest()
    subject = " and ".join(words[:2]) or "this"
    sentences = [f"{_OPENINGS[choice[0] % len(_OPENINGS)]} {subject} stood out."]
    if levels:
        sentences.append(f"With {', '.join(levels)}, go gently.")
    sentences.append(_CLOSINGS[choice[1] % len(_CLOSINGS)].format(word=words[-1] if words else "it"))
    return " ".join(sentences)


def _cut(text: str, limit: int | None) -> tuple[str, bool]:
    """The text within a number of tokens, and whether that is all of it."""
    if limit is None or tokens(text) <= limit:
        return text, True
    return text[: 4 * limit], False
