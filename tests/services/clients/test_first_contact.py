"""First contact: one call goes ahead, and what hung is not asked again, each service of an address by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from contextvars import copy_context
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from services.clients import first_contact
from services.clients.deadline import deadline
from services.clients.first_contact import Contacts
from services.clients.http import HttpClient, Kind, UpstreamError


class HalfSilent(BaseHTTPRequestHandler):
    """Answers below /well, but for /well/slow; that and anything else waits until the test is over."""

    over = threading.Event()
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if not self.path.startswith("/well") or self.path == "/well/slow":
            self.over.wait(20)
        with suppress(ConnectionError):
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(first_contact, "FIRST_S", 0.4)
    monkeypatch.setattr(first_contact, "NEIGHBOUR_S", 0.2)
    monkeypatch.setattr(first_contact, "ENOUGH_S", 0.1)
    HalfSilent.over.clear()
    HalfSilent.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), HalfSilent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    HalfSilent.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def ask(client: HttpClient, path: str) -> str:
    try:
        client.get(path)
    except UpstreamError as error:
        assert error.kind is Kind.TIMEOUT
        return error.what
    return "answered"


def test_what_hung_is_not_asked_again_and_says_so_at_once(address: str) -> None:
    client = HttpClient("Thing", address)
    with Contacts().in_use():
        assert "within 0.4 s" in ask(client, "/ill/a")
        began = time.monotonic()
        assert ask(client, "/ill/b") == "Thing gave no answer a moment ago; not asked again."
        assert time.monotonic() - began < 0.1
    assert HalfSilent.asked == ["/ill/a"]


def test_a_service_that_answers_is_asked_though_its_neighbour_at_the_address_hung(address: str) -> None:
    client = HttpClient("Thing", address)
    with Contacts().in_use():
        ask(client, "/ill")
        assert ask(client, "/well/a") == "answered"
        ask(client, "/worse")
        assert ask(client, "/well/b") == "answered"


def test_an_address_of_which_two_services_hung_and_none_answered_is_left_alone(address: str) -> None:
    client = HttpClient("Thing", address)
    with Contacts().in_use():
        ask(client, "/ill")
        ask(client, "/worse")
        assert "not asked again" in ask(client, "/well")


def test_where_one_service_hung_the_next_has_less_time(address: str) -> None:
    client = HttpClient("Thing", address)
    with Contacts().in_use():
        ask(client, "/ill")
        began = time.monotonic()
        ask(client, "/worse")
        assert time.monotonic() - began < first_contact.FIRST_S


def test_many_at_once_wait_for_the_one_that_goes_ahead(address: str) -> None:
    client = HttpClient("Thing", address)
    said: list[str] = []
    with Contacts().in_use():
        threads = [
            threading.Thread(target=copy_context().run, args=(lambda: said.append(ask(client, "/ill")),))
            for _ in range(6)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert time.monotonic() - began < 0.8
    assert (len(HalfSilent.asked), sum("not asked again" in one for one in said)) == (1, 5)


def test_once_heard_a_call_may_take_its_own_time(address: str) -> None:
    client = HttpClient("Thing", address, call_s=0.8)
    with Contacts().in_use():
        ask(client, "/well")
        began = time.monotonic()
        later = threading.Timer(0.5, HalfSilent.over.set)
        later.start()
        assert ask(client, "/well/slow") == "answered"
        assert time.monotonic() - began > first_contact.FIRST_S
        later.join()


def test_a_first_call_without_time_of_its_own_proves_nothing(address: str) -> None:
    client = HttpClient("Thing", address)
    with Contacts().in_use():
        with deadline(0.05):
            ask(client, "/ill")
        assert "not asked again" not in ask(client, "/ill")


def test_without_a_run_nobody_keeps_count(address: str) -> None:
    client = HttpClient("Thing", address, call_s=0.2)
    ask(client, "/ill")
    assert "within 0.2 s" in ask(client, "/ill")


def test_a_port_where_nothing_listens_is_told_as_such_every_time() -> None:
    client = HttpClient("Thing", "http://127.0.0.1:9")
    with Contacts().in_use():
        for _ in range(2):
            with pytest.raises(UpstreamError) as raised:
                client.get("/")
            assert raised.value.kind is Kind.UNREACHABLE
