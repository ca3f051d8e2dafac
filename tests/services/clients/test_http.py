"""One call to an upstream: every way it can fail has its kind, and none takes longer than its deadline."""

from __future__ import annotations

import socket
import time

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.clients.deadline import deadline
from services.clients.http import HttpClient, Kind, UpstreamError, kind_of
from tests.services.clients.conftest import StartServer, break_off, drip, silence


def client_of(server: HTTPServer, **options: float) -> HttpClient:
    return HttpClient("Thing", server.url_for(""), **options)  # type: ignore[arg-type]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_an_answer_is_returned_whatever_its_status(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_json({"detail": "no"}, status=418)
    answer = client_of(httpserver).get("/x")
    assert (answer.status, answer.json()) == (418, {"detail": "no"})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Kind.UNAUTHORISED),
        (402, Kind.QUOTA),
        (403, Kind.FORBIDDEN),
        (404, Kind.MISSING),
        (405, Kind.MISSING),
        (422, Kind.NOT_UNDERSTOOD),
        (429, Kind.RATE_LIMITED),
        (500, Kind.SERVER_ERROR),
        (503, Kind.SERVER_ERROR),
        (504, Kind.TIMEOUT),
        (540, Kind.PAUSED),
        (302, Kind.NOT_UNDERSTOOD),
    ],
)
def test_each_failing_status_has_its_kind(httpserver: HTTPServer, status: int, kind: Kind) -> None:
    httpserver.expect_request("/x").respond_with_data("", status=status)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).get("/x").expect()
    assert raised.value.kind is kind is kind_of(status)
    assert raised.value.status == status


def test_nothing_listening_is_unreachable() -> None:
    with pytest.raises(UpstreamError) as raised:
        HttpClient("Thing", f"http://127.0.0.1:{closed_port()}").get("/")
    assert raised.value.kind is Kind.UNREACHABLE


def test_a_silent_server_times_out_at_the_deadline(misbehaving: StartServer) -> None:
    started = time.monotonic()
    with pytest.raises(UpstreamError) as raised:
        HttpClient("Thing", misbehaving(silence), call_s=0.3).get("/")
    assert raised.value.kind is Kind.TIMEOUT
    assert time.monotonic() - started < 1.5


def test_a_dripping_server_times_out_in_total_and_not_per_read(misbehaving: StartServer) -> None:
    started = time.monotonic()
    with pytest.raises(UpstreamError) as raised:
        HttpClient("Thing", misbehaving(drip), call_s=0.4).get("/")
    assert raised.value.kind is Kind.TIMEOUT
    assert time.monotonic() - started < 1.5


def test_a_broken_off_answer_is_unreachable(misbehaving: StartServer) -> None:
    with pytest.raises(UpstreamError) as raised:
        HttpClient("Thing", misbehaving(break_off), call_s=2).get("/")
    assert raised.value.kind is Kind.UNREACHABLE


def test_the_deadline_around_several_calls_bounds_each(misbehaving: StartServer) -> None:
    client = HttpClient("Thing", misbehaving(silence), call_s=30)
    started = time.monotonic()
    with deadline(0.3):
        for _ in range(3):
            with pytest.raises(UpstreamError) as raised:
                client.get("/")
            assert raised.value.kind is Kind.TIMEOUT
    assert time.monotonic() - started < 1.5


def test_an_endless_answer_is_not_read_on(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/big").respond_with_data("x" * 50_000)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver, max_bytes=10_000).get("/big")
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


@pytest.mark.parametrize("body", ["<!DOCTYPE html><title>Welcome</title>", "{broken", ""])
def test_a_200_that_is_no_json_is_not_understood(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/x").respond_with_data(body)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).get("/x").json()
    assert raised.value.kind is Kind.NOT_UNDERSTOOD


def test_a_failing_call_is_made_once(httpserver: HTTPServer) -> None:
    seen = []

    def answer(request: Request) -> Response:
        seen.append(request.path)
        return Response(status=503)

    httpserver.expect_request("/x").respond_with_handler(answer)
    client_of(httpserver).get("/x")
    assert seen == ["/x"]


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("", status=302, headers={"location": "http://elsewhere.invalid/"})
    assert client_of(httpserver).get("/x").status == 302


def test_what_the_other_side_says_is_redacted(httpserver: HTTPServer) -> None:
    body = {"message": "bad key sk-abcdefghijklmnopqrstuvwx for ada@example.com"}
    httpserver.expect_request("/x").respond_with_json(body, status=401)
    with pytest.raises(UpstreamError) as raised:
        client_of(httpserver).get("/x").expect()
    assert "abcdefgh" not in str(raised.value) + raised.value.detail
    assert "ada@" not in str(raised.value) + raised.value.detail


def test_a_client_shows_no_header_in_its_repr() -> None:
    client = HttpClient("Thing", "http://127.0.0.1:1", headers={"apikey": "very-secret-value"})
    assert "secret" not in repr(client)
