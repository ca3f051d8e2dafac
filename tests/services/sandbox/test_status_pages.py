"""The three status pages have the shapes that their readers know, with and without an incident."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from services.clients.statuspages import status_of
from services.sandbox.status_pages import COMPONENTS, ProviderIncident, StatusPages, status_app
from tests.services.sandbox.loop_thread import LoopThread

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROVIDERS = ("railway", "supabase", "openai")
SHAPES = {"railway": "railway-api", "supabase": "statuspage-v2", "openai": "statuspage-v2"}


class Pages:
    def __init__(self) -> None:
        self.thread = LoopThread()
        self.state = StatusPages(lambda: NOW)
        self.url = self.thread.serve(status_app(self.state))


@pytest.fixture(scope="module")
def shared() -> Iterator[Pages]:
    one = Pages()
    yield one
    one.thread.close()


@pytest.fixture
def pages(shared: Pages) -> Iterator[Pages]:
    yield shared
    shared.state.clear()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_quiet_page_is_read_as_operational(pages: Pages, provider: str) -> None:
    found = status_of(provider, f"{pages.url}/{provider}")
    assert (found.state, found.read_as, found.incidents) == ("operational", SHAPES[provider], ())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_incident_stands_on_its_providers_page_alone(pages: Pages, provider: str) -> None:
    pages.state.incidents["test"] = ProviderIncident(provider, "Slow builds", COMPONENTS[provider][0], NOW)
    for one in PROVIDERS:
        found = status_of(one, f"{pages.url}/{one}")
        assert found.state == ("incident" if one == provider else "operational")
        assert any("Slow builds" in line for line in found.incidents) == (one == provider)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_shape_that_nobody_knows_is_unknown(pages: Pages, provider: str) -> None:
    pages.state.unreadable.add("test")
    assert status_of(provider, f"{pages.url}/{provider}").state == "unknown"


def test_the_short_document_of_a_statuspage_is_there_and_others_are_not(pages: Pages) -> None:
    with httpx.Client(base_url=pages.url, trust_env=False) as http:
        assert set(http.get("/openai/api/v2/status.json").json()) == {"page", "status"}
        assert http.get("/openai/api/v2/moon.json").status_code == 404
        assert http.get("/moon/api/v2/summary.json").status_code == 404
