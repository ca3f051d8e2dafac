"""Hosts, origins and strangers: what passes the guard, by who is meant to reach us."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard.edge.guard import Guard, Surroundings, is_same_origin
from dashboard.edge.shell import Shell

PUBLIC = "https://ops.example.com"
LOOPBACK = frozenset({"localhost", "127.0.0.1"})
ALONE = Surroundings(LOOPBACK)
OPEN = Surroundings(LOOPBACK | {"ops.example.com"}, PUBLIC, open=True)


def client(around: Surroundings, address: str) -> TestClient:
    app = Starlette(routes=[Route("/x", lambda request: PlainTextResponse("served"), methods=["GET", "POST"])])
    guard = Guard(app, shell=Shell(b"", b"", "default-src 'none'"), surroundings=lambda: around)
    return TestClient(guard, base_url="http://127.0.0.1", client=(address, 1))


@pytest.mark.parametrize(
    ("around", "address", "status"),
    [(ALONE, "127.0.0.1", 200), (ALONE, "::1", 200), (ALONE, "10.1.2.3", 403), (OPEN, "10.1.2.3", 200)],
)
def test_another_machine_is_served_only_where_the_settings_say_so(
    around: Surroundings, address: str, status: int
) -> None:
    assert client(around, address).get("/x").status_code == status


@pytest.mark.parametrize(("host", "status"), [("ops.example.com", 200), ("elsewhere.example", 421)])
def test_the_public_name_is_answered_to_and_no_other(host: str, status: int) -> None:
    assert client(OPEN, "10.1.2.3").get("/x", headers={"Host": host}).status_code == status
    assert client(ALONE, "127.0.0.1").get("/x", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    ("host", "origin", "same"),
    [
        ("ops.example.com", PUBLIC, True),
        ("127.0.0.1:8501", PUBLIC, True),
        ("ops.example.com", "http://ops.example.com", False),
        ("ops.example.com", "https://ops.example.com.evil.example", False),
        ("127.0.0.1:8501", "http://127.0.0.1:8501", True),
        ("127.0.0.1:8501", "http://127.0.0.1:9", False),
        ("127.0.0.1:8501", "null", False),
        ("127.0.0.1:8501", "", False),
    ],
)
def test_an_origin_is_ours_by_host_or_by_public_address(host: str, origin: str, same: bool) -> None:
    assert is_same_origin(Headers({"host": host, "origin": origin}), PUBLIC) is same


@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout", "/oauth2callback"])
def test_the_sign_in_that_streamlit_brings_is_closed(path: str) -> None:
    assert client(ALONE, "127.0.0.1").get(path).status_code == 404
