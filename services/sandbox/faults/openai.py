"""Faults of OpenAI: its accounts and keys, its models, and everything its servers can do instead of answering."""

from __future__ import annotations

from collections.abc import Callable

from services.errors import Refused
from services.sandbox.disturbance import Cut, Disturbance, Effect, Hang, Refuse, Reply
from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.faults.made_of import in_door, in_variable
from services.sandbox.openai_state import Restriction

GROUP = "OpenAI"
KEY_VARIABLE = "OPENAI_API_KEY"
MODEL_VARIABLE = "OPENAI_MODEL"
COMPLETIONS = "/v1/chat/completions"

# What stands in the sample of an env file, where nobody has put a key.
MALFORMED_KEY = "your-openai-key-here"


def _error(status: int, kind: str, code: str | None, message: str, **headers: str) -> Reply:
    return Reply.json(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, **headers)


def _account(fault_id: str, what: str, restriction: Callable[[FaultyWorld], Restriction]) -> Fault:
    async def apply(world: FaultyWorld) -> None:
        world.openai.add(fault_id, restriction(world))

    async def undo(world: FaultyWorld) -> None:
        world.openai.remove(fault_id)

    return Fault(fault_id, what, apply, undo, GROUP)


def _door(fault_id: str, what: str, effect: Effect, *paths: str) -> Fault:
    return in_door("openai", GROUP, fault_id, what, Disturbance(effect, paths=paths))


def _app_key(world: FaultyWorld) -> frozenset[str]:
    return frozenset({world.keys.openai_key})


def _our_key(world: FaultyWorld) -> frozenset[str]:
    return frozenset({world.keys.ops_openai_key})


def _model(world: FaultyWorld) -> frozenset[str]:
    """The model that the app asks for."""
    name = world.hosting.variables.get(MODEL_VARIABLE)
    if name is None:
        raise Refused(
            f"This world's app has no variable {MODEL_VARIABLE}.",
            "There is no model to take away from it.",
            "Choose another fault.",
            place=MODEL_VARIABLE,
        )
    return frozenset({name})


FAULTS: tuple[Fault, ...] = (
    _account(
        "openai-no-quota",
        "Neither OpenAI account has quota left: completions answer 429, the model list still answers.",
        lambda _: Restriction(billing="insufficient_quota"),
    ),
    _account(
        "openai-app-no-quota",
        "The OpenAI account of the app's key has reached its spend limit (429); ours has money.",
        lambda world: Restriction(_app_key(world), billing="project_spend_limit_exceeded"),
    ),
    _account(
        "openai-bad-key",
        "Neither OpenAI key is valid any more, the app's nor ours: every call answers 401.",
        lambda _: Restriction(revoked=True),
    ),
    _account(
        "openai-app-key-bad",
        "The app's OpenAI key is no longer valid (401); ours is good.",
        lambda world: Restriction(_app_key(world), revoked=True),
    ),
    _account(
        "openai-our-key-bad",
        "Our own OpenAI key is no longer valid (401); the app's is good.",
        lambda world: Restriction(_our_key(world), revoked=True),
    ),
    _account(
        "openai-our-key-restricted",
        "Our own OpenAI key is restricted: it may not list models (403), and still completes.",
        lambda world: Restriction(_our_key(world), endpoints=frozenset({"models"})),
    ),
    in_variable(
        GROUP,
        "openai-key-missing",
        "The app's variable with the OpenAI key is gone.",
        KEY_VARIABLE,
        None,
    ),
    in_variable(
        GROUP,
        "openai-key-malformed",
        "The app's variable with the OpenAI key holds something that is no key.",
        KEY_VARIABLE,
        MALFORMED_KEY,
    ),
    _account(
        "openai-model-retired",
        "The model that the app asks for has been shut down: it answers 404, with a key that is good.",
        lambda world: Restriction(retired=_model(world)),
    ),
    _account(
        "openai-model-not-allowed",
        "Neither account may use the model that the app asks for: completions answer 403, with a key that is good.",
        lambda world: Restriction(not_allowed=_model(world)),
    ),
    _door(
        "openai-rate-limited",
        "OpenAI answers completions with 429: too many requests for now, with enough quota.",
        _error(
            429,
            "requests",
            "rate_limit_exceeded",
            "Rate limit reached for requests. Please try again in 20s.",
            retry_after="20",
            x_ratelimit_limit_requests="10000",
            x_ratelimit_remaining_requests="0",
            x_ratelimit_reset_requests="20s",
        ),
        COMPLETIONS,
    ),
    _door(
        "openai-server-error",
        "OpenAI answers every call with 500.",
        _error(500, "server_error", None, "The server had an error while processing your request. Sorry about that!"),
    ),
    _door(
        "openai-overloaded",
        "OpenAI is overloaded: it answers every call with 503.",
        _error(503, "server_error", "server_is_overloaded", "The engine is currently overloaded, please try later."),
    ),
    _door("openai-timeout", "OpenAI accepts calls and never answers them.", Hang()),
    _door("openai-unreachable", "Nothing listens at OpenAI's address: connections are refused.", Refuse()),
    _door(
        "openai-region-blocked",
        "OpenAI refuses every call for the region it comes from (403).",
        _error(
            403,
            "request_forbidden",
            "unsupported_country_region_territory",
            "Country, region, or territory not supported",
        ),
    ),
    _door("openai-web-page", "OpenAI's address answers with a web page and the status 200.", Reply.page()),
    _door("openai-broken-json", "OpenAI's answers end in the middle of their JSON, under their usual status.", Cut()),
)
