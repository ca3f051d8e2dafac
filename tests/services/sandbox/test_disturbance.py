"""Doors disturb just the calls that match, several ways at once, and let go in any order without a trace."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.sandbox.disturbance import Cut, Delay, Disturbance, Door, Effect, Hang, LoseReply, Refuse, Reply, bearer
from tests.services.sandbox.loop_thread import LoopThread

HUNG_S = 0.3


class Served:
    """A small service behind a door: /notes counts what is posted to it."""

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.noticed: list[tuple[str, int]] = []
        self.thread = LoopThread()

        async def notes(request: Request) -> Response:
            if request.method == "POST":
                self.posted.append(await request.json())
            return JSONResponse({"notes": len(self.posted), "words": ["one", "two"]})

        async def text(_: Request) -> Response:
            return PlainTextResponse("plain words")

        app = Starlette(
            routes=[
                Route("/notes", notes, methods=["GET", "POST"]),
                Route("/notes/one", notes),
                Route("/notes-old", notes),
                Route("/text", text),
            ]
        )
        self.door = Door(app, noticed=lambda request, status, _: self.noticed.append((request.url.path, status)))
        self.url = self.thread.serve(self.door)
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=5.0)

    def add(self, effect: Effect, name: str = "test", **where: Any) -> None:
        self.change(lambda: self.door.add(name, Disturbance(effect, **where)))

    def remove(self, name: str = "test") -> None:
        self.change(lambda: self.door.remove(name))

    def change(self, action: Callable[[], None]) -> None:
        async def work() -> None:
            action()

        self.thread.run(work())

    def seen(self, path: str = "/notes", **options: Any) -> Any:
        """The status, or what happened in its place."""
        try:
            with httpx.Client(base_url=self.url, trust_env=False, timeout=HUNG_S) as http:
                return http.get(path, **options).status_code
        except httpx.TimeoutException:
            return "hangs"
        except httpx.ConnectError:
            return "refused"
        except (httpx.RemoteProtocolError, httpx.ReadError):
            return "lost"

    def close(self) -> None:
        self.http.close()
        self.thread.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    one = Served()
    yield one
    one.close()


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    yield shared
    shared.change(shared.door.clear)
    shared.posted.clear()
    shared.noticed.clear()


def test_a_ready_answer_comes_in_place_of_the_parts_own(served: Served) -> None:
    served.add(Reply.json(429, {"detail": "slow down"}, retry_after="30"))
    answer = served.http.post("/notes", json={"n": 1})
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (429, {"detail": "slow down"}, "30")
    assert served.posted == []
    assert served.noticed == [("/notes", 429)]
    served.remove()
    assert served.http.get("/notes").status_code == 200


def test_a_success_can_be_made_up_without_any_effect(served: Served) -> None:
    served.add(Reply.json(200, {"id": 1}), methods=("POST",))
    assert served.http.post("/notes", json={"n": 1}).json() == {"id": 1}
    assert served.http.get("/notes").json()["notes"] == 0


def test_a_web_page_comes_with_200(served: Served) -> None:
    served.add(Reply.page())
    answer = served.http.get("/notes")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_an_answer_can_be_empty(served: Served) -> None:
    served.add(Reply(200))
    assert served.http.get("/notes").content == b""


def test_json_ends_in_the_middle_under_its_status_and_text_stays_whole(served: Served) -> None:
    served.add(Cut())
    answer = served.http.get("/notes")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        answer.json()
    assert served.http.get("/text").text == "plain words"


def test_a_lost_reply_has_had_its_effect(served: Served) -> None:
    served.add(LoseReply(), methods=("POST",))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        served.http.post("/notes", json={"n": 1})
    assert served.posted == [{"n": 1}]
    assert served.http.get("/notes").json()["notes"] == 1


def test_what_hangs_is_answered_once_it_is_let_go(served: Served) -> None:
    served.add(Hang())
    assert served.seen() == "hangs"
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(served.http.post("/notes", json={"n": 2}).status_code))
    caller.start()
    caller.join(HUNG_S)
    assert answers == []
    served.remove()
    caller.join(5)
    assert (answers, served.posted) == ([200], [{"n": 2}])


def test_a_caller_that_goes_while_it_hangs_has_no_effect(served: Served) -> None:
    served.add(Hang())
    with pytest.raises(httpx.ReadTimeout):
        served.http.post("/notes", json={"n": 3}, timeout=0.1)
    assert served.seen() == "hangs"
    served.remove()
    assert served.http.get("/notes").json()["notes"] == 0


def test_delays_add_up_and_the_doors_own_one_counts_for_every_call(served: Served) -> None:
    def took() -> float:
        began = time.monotonic()
        assert served.http.get("/notes").status_code == 200
        return time.monotonic() - began

    served.add(Delay(0.1), "one")
    served.add(Delay(0.1), "two")
    assert took() >= 0.2
    served.change(lambda: setattr(served.door, "delay_s", 0.1))
    assert took() >= 0.3
    served.change(served.door.clear)
    assert took() < 0.1


def test_refusing_closes_the_port_and_every_connection_and_opens_the_same_one_again(served: Served) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    assert served.http.get("/notes").status_code == 200
    for _ in range(3):
        served.add(Refuse())
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
        with pytest.raises(httpx.TransportError):
            served.http.get("/notes")
        served.remove()
        assert served.http.get("/notes").status_code == 200


def test_a_refused_port_is_given_to_nobody_else(served: Served) -> None:
    served.add(Refuse())
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", int(served.url.rsplit(":", 1)[1])))


@pytest.mark.parametrize(
    ("where", "call", "matches"),
    [
        ({"methods": ("POST",)}, {"path": "/notes"}, False),
        ({"methods": ("GET", "POST")}, {"path": "/notes"}, True),
        ({"paths": ("/notes",)}, {"path": "/notes"}, True),
        ({"paths": ("/notes",)}, {"path": "/notes/one"}, True),
        ({"paths": ("/notes",)}, {"path": "/notes-old"}, False),
        ({"paths": ("/notes/",)}, {"path": "/notes"}, False),
        ({"paths": ("/notes/",)}, {"path": "/notes/one"}, True),
        ({"paths": ("/nowhere", "/notes")}, {"path": "/notes"}, True),
        ({"header": bearer("ours")}, {"path": "/notes", "headers": {"Authorization": "Bearer ours"}}, True),
        ({"header": bearer("ours")}, {"path": "/notes", "headers": {"Authorization": "Bearer theirs"}}, False),
        ({"header": bearer("ours")}, {"path": "/notes"}, False),
    ],
)
def test_only_what_matches_is_disturbed(served: Served, where: Any, call: Any, matches: bool) -> None:
    served.add(Reply(418), **where)
    assert served.seen(**call) == (418 if matches else 200)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_of_several_the_strongest_holds_whichever_came_first(served: Served, first: str, second: str) -> None:
    effects = {"a": Reply(418), "b": Hang()}
    for name in (first, second):
        served.add(effects[name], name)
    assert served.seen() == "hangs"
    served.remove("b")
    assert served.seen() == 418
    served.remove("a")
    assert served.seen() == 200


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_of_two_alike_the_first_id_holds(served: Served, first: str, second: str) -> None:
    effects = {"a": Reply(418), "b": Reply(503)}
    for name in (first, second):
        served.add(effects[name], name)
    assert served.seen() == 418


def test_two_refusals_are_taken_away_one_by_one(served: Served) -> None:
    served.add(Refuse(), "one")
    served.add(Refuse(), "two")
    served.remove("one")
    assert served.seen() == "refused"
    served.remove("two")
    assert served.seen() == 200


def test_letting_go_what_is_not_held_is_no_error(served: Served) -> None:
    served.remove("never")
    assert served.seen() == 200


def test_a_door_closes_while_a_call_hangs_and_while_it_refuses() -> None:
    for effect in (Hang(), Refuse()):
        one = Served()
        one.add(effect)
        caller = threading.Thread(target=one.seen)
        caller.start()
        began = time.monotonic()
        one.close()
        assert time.monotonic() - began < 4
        caller.join()


def test_a_door_without_a_port_disturbs_too() -> None:
    async def call() -> int:
        door = Door(PlainTextResponse("inside"))
        door.add("test", Disturbance(Reply(503)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://door") as http:
            return (await http.get("/")).status_code

    loop = LoopThread()
    assert loop.run(call()) == 503
    loop.close()
