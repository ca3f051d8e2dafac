"""Faults of the app's public address: what its callers get instead of its answers."""

from __future__ import annotations

from services.sandbox.disturbance import Cut, Delay, Disturbance, Effect, Hang, LoseReply, Refuse, Reply
from services.sandbox.fault import Fault
from services.sandbox.faults.made_of import in_door

GROUP = "App"
SLOW_S = 6.0


def _fault(fault_id: str, what: str, effect: Effect, methods: tuple[str, ...] = ()) -> Fault:
    return in_door("app", GROUP, fault_id, what, Disturbance(effect, methods))


FAULTS: tuple[Fault, ...] = (
    _fault("api-timeout", "The app's address accepts requests and never answers them.", Hang()),
    _fault("app-unreachable", "Nothing listens at the app's address: connections are refused.", Refuse()),
    _fault(
        "app-server-error",
        "Every route of the app answers 500.",
        Reply.json(500, {"detail": "Internal Server Error"}),
    ),
    _fault(
        "app-web-page",
        "The app's address answers every request with a web page and the status 200.",
        Reply.page(),
    ),
    _fault("app-broken-json", "Every JSON answer of the app ends in the middle, under its usual status.", Cut()),
    _fault(
        "app-wrong-type",
        "Every route of the app answers 200 with JSON of another type: a bare text.",
        Reply.json(200, "ok"),
    ),
    _fault(
        "app-rate-limited",
        "The app's address answers every request with 429.",
        Reply.json(429, {"detail": "Too Many Requests"}, retry_after="30"),
    ),
    _fault(
        "app-needs-token",
        "Every route of the app asks for a token: it answers 401.",
        Reply.json(401, {"detail": "Not authenticated"}, www_authenticate="Bearer"),
    ),
    _fault("app-slow", f"The app answers each request {SLOW_S:g} seconds late.", Delay(SLOW_S)),
    _fault(
        "app-reply-lost",
        "What is sent to the app takes effect, and the connection ends before the reply.",
        LoseReply(),
        ("POST", "PUT", "PATCH", "DELETE"),
    ),
)
