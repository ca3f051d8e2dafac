"""Faults of Railway's API: the token, the hourly budget, and everything its servers can do instead of answering."""

from __future__ import annotations

from services.sandbox.disturbance import Cut, Disturbance, Effect, Hang, Refuse, Reply
from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.faults.made_of import in_door
from services.sandbox.railway import NOT_AUTHORIZED, TOKEN_NOT_FOUND, errors

GROUP = "Railway"
CALLS_LEFT = 40


def _fault(fault_id: str, what: str, effect: Effect) -> Fault:
    return in_door("railway", GROUP, fault_id, what, Disturbance(effect))


async def _use_up_calls(world: FaultyWorld) -> None:
    world.railway.limit.leave("calls-used-up", CALLS_LEFT)


async def _give_calls_back(world: FaultyWorld) -> None:
    world.railway.limit.taken.pop("calls-used-up", None)


FAULTS: tuple[Fault, ...] = (
    _fault(
        "railway-token-rejected",
        "Railway no longer knows our token: every call answers 200 with the error 'Project Token not found'.",
        Reply.json(200, errors(TOKEN_NOT_FOUND)),
    ),
    _fault(
        "railway-token-without-access",
        "Our Railway token does not reach this project any more: every call answers the error 'Not Authorized'.",
        Reply.json(200, errors(NOT_AUTHORIZED)),
    ),
    _fault("railway-unreachable", "Nothing listens at Railway's API: connections are refused.", Refuse()),
    _fault("railway-timeout", "Railway's API accepts calls and never answers them.", Hang()),
    _fault(
        "railway-rate-limited",
        "Railway's API answers every call with 429: the hourly budget is used up.",
        Reply.json(
            429,
            errors("Too many requests"),
            retry_after="1200",
            x_ratelimit_limit="1000",
            x_ratelimit_remaining="0",
        ),
    ),
    _fault(
        "railway-server-error",
        "Railway's API answers every call with 500.",
        Reply.json(500, errors("Problem processing request")),
    ),
    _fault("railway-web-page", "Railway's API answers with a web page and the status 200.", Reply.page()),
    _fault(
        "railway-broken-json", "Railway's answers end in the middle of their JSON, under their usual status.", Cut()
    ),
    _fault(
        "railway-no-data",
        "Railway's API answers every call with data: null and no error.",
        Reply.json(200, {"data": None}),
    ),
    Fault(
        "calls-used-up",
        f"Of Railway's hourly budget only {CALLS_LEFT} calls are left; the calls still answer.",
        _use_up_calls,
        _give_calls_back,
        GROUP,
    ),
)
