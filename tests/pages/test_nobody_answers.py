"""Every upstream takes our connections and says nothing: each page opens all the same, soon, and says so."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from dashboard import composition, nav
from dashboard.context import PageContext
from dashboard.reads import faults_now
from services.access.permissions import Role
from services.clients.http import UpstreamError
from services.settings import load_settings
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import TARGET, World
from tests.silence import HOST, Silence

WITHIN_S = 4.0


@pytest.fixture
def silence(world: World) -> Iterator[Silence]:
    """All addresses of the world's target lead to a port that never answers."""
    with Silence.listening() as silent:
        path = world.home / "targets" / f"{TARGET}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **silent.target_values()}))
        composition.close()
        yield silent


@pytest.mark.parametrize("path", [page.path for page in nav.REGISTRY])
def test_a_page_opens_within_four_seconds(open_page: OpenPage, world: World, silence: Silence, path: str) -> None:
    world.start()
    open_page("/settings", Role.ADMIN)
    began = time.monotonic()
    app = open_page(path, Role.ADMIN)
    took = time.monotonic() - began
    assert not app.exception
    assert app.title[0].value == nav.entry(path).title
    assert took < WITHIN_S


def test_what_a_page_asks_the_database_itself_is_told_as_not_answered(
    open_page: OpenPage, world: World, silence: Silence
) -> None:
    assert "did not answer in time" in texts(open_page("/analytics", Role.ADMIN))


def test_what_would_be_lost_is_told_as_not_known(open_page: OpenPage, world: World, silence: Silence) -> None:
    world.start()
    app = open_page("/rollback", Role.ADMIN)
    began = time.monotonic()
    app.toggle(key="losses").set_value(True).run()
    assert time.monotonic() - began < WITHIN_S
    assert not app.exception
    assert "did not answer in time" in texts(app)


def test_the_fault_control_has_no_more_time_than_a_page(world: World, silence: Silence) -> None:
    target = load_settings({"OPS_HOME": str(world.home)}, world.home).target(TARGET)
    here = PageContext(world.settings, world.store, world.actor(), target, world.now, None)
    began = time.monotonic()
    with pytest.raises(UpstreamError):
        faults_now(here)
    assert time.monotonic() - began < WITHIN_S


def test_the_silence_is_real(silence: Silence) -> None:
    for port in silence.ports.values():
        with socket.create_connection((HOST, port), timeout=1) as caller:
            caller.settimeout(0.05)
            caller.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(TimeoutError):
                caller.recv(1)
