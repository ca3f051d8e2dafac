"""A held port is nobody else's, and is there for the process that it is held for."""

from __future__ import annotations

import socket
import sys

import pytest

from services.sandbox.held_port import held_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a bound port is closed to everybody")


def test_who_asks_for_any_port_does_not_get_it() -> None:
    with held_port() as port, socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


def test_a_server_listens_there_as_if_it_were_free_and_stays() -> None:
    with held_port() as port:
        server = socket.create_server(("127.0.0.1", port))
    with server, socket.create_connection(("127.0.0.1", port), 5):
        pass


def test_nobody_answers_there_until_a_server_does() -> None:
    with held_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
