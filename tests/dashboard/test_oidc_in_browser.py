"""OpenID Connect in a real browser: from our site to another one and back, with a strict session cookie at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from services.sandbox.held_port import held_port
from tests.dashboard.ways import Edge, make_edge
from tests.oidc_provider import little_provider

pytestmark = pytest.mark.browser


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    made = make_edge(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def url(edge: Edge) -> Iterator[str]:
    """The edge behind a real server."""
    with held_port() as port:
        config = uvicorn.Config(edge.app(), host="127.0.0.1", port=port, log_level="error", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while thread.is_alive() and not server.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


def test_a_browser_comes_back_from_another_site_and_is_signed_in(browser: Browser, edge: Edge, url: str) -> None:
    with little_provider() as provider:
        # Another site than 127.0.0.1 for every rule about cookies.
        elsewhere = provider.url.replace("127.0.0.1", "localhost")
        provider.metadata = {"authorization_endpoint": f"{elsewhere}/authorize"}
        edge.configure(oidc=provider.settings())
        context = browser.new_context(base_url=url)
        page = context.new_page()
        visited: list[str] = []
        page.on("framenavigated", lambda frame: visited.append(frame.url))
        page.goto("/rollback?target=production")
        page.get_by_role("link", name="Continue with Example ID").click()
        page.get_by_role("link", name="Sign in as Ada").click()
        expect(page.get_by_text("Ada Example, operator, oidc")).to_be_visible()
        assert page.url == f"{url}/rollback?target=production"
        assert provider.calls.count("/authorize") == 1
        assert sum("/auth/sign-in" in place for place in visited) == 1
        kept = {cookie["name"]: cookie for cookie in context.cookies()}
        assert kept["ops_session_production"]["sameSite"] == "Strict"
        assert kept["ops_session_production"]["httpOnly"]
        assert "ops_oidc" not in kept
        context.close()
