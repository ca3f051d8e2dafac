"""One contract for every server that speaks OpenAI's language: the sandbox's own, and one that was not written here.

Where llmock differs from the real service, and so from the sandbox: it takes any key and any model, lists no end date,
has no GET /v1/models/{model} (404 "not_found"), and bears rate-limit headers only when started with a limit.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from services.clients.http import Kind
from services.clients.openai import OpenAiClient, OpenAiError, Problem
from services.database.watcher import Watched
from services.sandbox.disturbance import Disturbance, Door, Reply
from services.sandbox.openai_server import openai_app
from services.sandbox.openai_state import OpenAIState, Restriction
from tests.services.clients.scripted_server import closed_port
from tests.services.sandbox.loop_thread import LoopThread

KEY = "sk-proj-" + "k7" * 24
MODEL = "gpt-4o-mini"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Peer(Protocol):
    """A server that a test can make refuse its next call."""

    url: str

    def refuse(self, problem: Problem) -> None: ...
    def mend(self) -> None: ...
    def close(self) -> None: ...


ERRORS: Mapping[Problem, Mapping[str, Any]] = {
    Problem.KEY_REJECTED: {"status": 401},
    Problem.QUOTA: {"status": 429, "code": "insufficient_quota", "message": "You exceeded your current quota"},
    Problem.RATE_LIMITED: {"status": 429, "code": "rate_limit_exceeded", "retry_after": 7},
    Problem.SERVER_ERROR: {"status": 500},
    Problem.OVERLOADED: {"status": 503, "code": "server_is_overloaded"},
    Problem.KEY_RESTRICTED: {"status": 403},
    Problem.REGION: {"status": 403, "code": "unsupported_country_region_territory"},
}
BELIEFS: Mapping[Problem, Restriction] = {
    Problem.KEY_REJECTED: Restriction(keys=frozenset({KEY}), revoked=True),
    Problem.QUOTA: Restriction(keys=frozenset({KEY}), billing="insufficient_quota"),
    Problem.KEY_RESTRICTED: Restriction(keys=frozenset({KEY}), endpoints=frozenset({"completions"})),
}


class Sandbox:
    """The sandbox's server: it refuses because of what it believes of key and account, or its door does."""

    def __init__(self) -> None:
        self._thread = LoopThread()
        self._state = OpenAIState(lambda: NOW, [KEY], models={MODEL: 53, "gpt-3.5-turbo": -30}, latency_s=0.0)
        self._door = Door(openai_app(self._state))
        self.url = self._thread.serve(self._door) + "/v1"

    def refuse(self, problem: Problem) -> None:
        if problem in BELIEFS:
            self._state.add("test", BELIEFS[problem])
            return
        error = ERRORS[problem]
        body = {"error": {"message": "no", "type": "t", "param": None, "code": error.get("code")}}
        wait = {"retry_after": str(error["retry_after"])} if "retry_after" in error else {}
        disturbance = Disturbance(Reply.json(error["status"], body, **wait))
        self._in_its_loop(lambda: self._door.add("test", disturbance))

    def mend(self) -> None:
        self._state.clear()
        self._in_its_loop(self._door.clear)

    def _in_its_loop(self, act: Callable[[], None]) -> None:
        async def work() -> None:
            act()

        self._thread.run(work())

    def close(self) -> None:
        self._thread.close()


class LLMock:
    """llmock in a process of its own; it refuses as its scenario says."""

    def __init__(self, folder: Path) -> None:
        port = closed_port()
        self._base = f"http://127.0.0.1:{port}"
        self.url = f"{self._base}/v1"
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(port), "--rpm", "600", "--log-level", "warning"]
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
        program = [sys.executable, "-m", "llmock.cli", *arguments]
        self._child = Watched(program, log=folder / "llmock.log", env=environ, cwd=folder)
        ends = time.monotonic() + 20
        while not _listens(port):
            if time.monotonic() > ends or not self._child.running():
                self._child.stop()
                raise AssertionError((folder / "llmock.log").read_text())
            time.sleep(0.05)

    def refuse(self, problem: Problem) -> None:
        self._control("POST", {"behaviors": [{"type": "fail", "times": None, **ERRORS[problem]}]})

    def mend(self) -> None:
        self._control("DELETE")

    def close(self) -> None:
        self._child.stop()

    def _control(self, method: str, body: Any = None) -> None:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self._base}/_llmock/scenario", data, method=method)
        request.add_header("content-type", "application/json")
        urllib.request.urlopen(request, timeout=5).close()


def _listens(port: int) -> bool:
    with socket.socket() as line:
        line.settimeout(1)
        return line.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=["sandbox", "llmock"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    one: Peer = Sandbox() if request.param == "sandbox" else LLMock(tmp_path_factory.mktemp("llmock"))
    yield one
    one.close()


@pytest.fixture
def peer(running: Peer) -> Iterator[Peer]:
    yield running
    running.mend()


def client_of(peer: Peer) -> OpenAiClient:
    return OpenAiClient(peer.url, KEY)


def test_the_models_are_listed_by_name(peer: Peer) -> None:
    found = client_of(peer).models()
    assert MODEL in found
    assert all(name == model.id for name, model in found.items())


def test_a_tiny_completion_is_counted_and_tells_the_limits(peer: Peer) -> None:
    client = client_of(peer)
    done = client.complete(MODEL)
    assert done.model == MODEL
    assert done.prompt_tokens > 0
    assert done.completion_tokens > 0
    assert done.limits.requests_limit is not None
    assert done.requests_left is not None
    assert done.limits.requests_reset_s is not None
    assert 0 < done.limits.requests_reset_s < 60
    assert client.limits == done.limits


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (Problem.KEY_REJECTED, Kind.UNAUTHORISED),
        (Problem.QUOTA, Kind.QUOTA),
        (Problem.RATE_LIMITED, Kind.RATE_LIMITED),
        (Problem.SERVER_ERROR, Kind.SERVER_ERROR),
        (Problem.OVERLOADED, Kind.SERVER_ERROR),
        (Problem.KEY_RESTRICTED, Kind.FORBIDDEN),
        (Problem.REGION, Kind.FORBIDDEN),
    ],
)
def test_a_refusal_is_told_by_its_problem_and_kind(peer: Peer, problem: Problem, kind: Kind) -> None:
    peer.refuse(problem)
    with pytest.raises(OpenAiError) as raised:
        client_of(peer).complete(MODEL)
    assert (raised.value.problem, raised.value.kind) == (problem, kind)
    if problem is Problem.RATE_LIMITED:
        assert raised.value.retry_after_s == 7


def test_a_mended_server_answers_again(peer: Peer) -> None:
    peer.refuse(Problem.QUOTA)
    peer.mend()
    assert client_of(peer).complete(MODEL).completion_tokens > 0


def test_a_model_that_is_asked_for_by_name(peer: Peer) -> None:
    client = client_of(peer)
    if isinstance(peer, LLMock):
        with pytest.raises(OpenAiError) as raised:
            client.model(MODEL)
        assert raised.value.code == "not_found"
    else:
        assert client.model(MODEL).ends == date(2026, 4, 23)


def test_a_retired_and_an_unknown_model_are_told_apart_where_the_server_does(peer: Peer) -> None:
    client = client_of(peer)
    if isinstance(peer, LLMock):
        assert client.complete("no-such-model").model == "no-such-model"
        return
    for name, problem in (("gpt-3.5-turbo", Problem.MODEL_RETIRED), ("no-such-model", Problem.MODEL_UNKNOWN)):
        with pytest.raises(OpenAiError) as raised:
            client.complete(name)
        assert (raised.value.problem, raised.value.kind) == (problem, Kind.MISSING)


def test_a_wrong_key_is_refused_where_the_server_looks_at_it(peer: Peer) -> None:
    stranger = OpenAiClient(peer.url, "sk-proj-" + "x9" * 24)
    if isinstance(peer, LLMock):
        assert stranger.models()
        return
    with pytest.raises(OpenAiError) as raised:
        stranger.models()
    assert (raised.value.problem, raised.value.code) == (Problem.KEY_REJECTED, "invalid_api_key")
