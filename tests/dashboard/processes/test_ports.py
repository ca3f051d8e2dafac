"""Ports: the one asked for or a sentence, else the next free one; held from the moment it is chosen."""

from __future__ import annotations

import socket

import pytest

from dashboard.processes.ports import ADDRESS, FIRST_PORT, listen
from services.errors import NotUnderstood


def test_a_busy_port_that_was_asked_for_is_refused_with_its_number() -> None:
    with listen(None) as held:
        port = held.getsockname()[1]
        with pytest.raises(NotUnderstood, match=f"Port {port} is in use") as refused:
            listen(port)
        assert refused.value.exit_code == 64


def test_two_starts_at_once_get_two_ports() -> None:
    with listen(None) as one, listen(None) as two:
        first, second = one.getsockname()[1], two.getsockname()[1]
    assert FIRST_PORT <= first < second


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_not_understood(port: int) -> None:
    with pytest.raises(NotUnderstood, match="is not a port"):
        listen(port)


def test_only_this_machine_can_connect_and_small_answers_are_not_held_back() -> None:
    with listen(None) as held:
        assert held.getsockname()[0] == ADDRESS
        assert held.proto == socket.IPPROTO_TCP  # what makes asyncio set TCP_NODELAY
