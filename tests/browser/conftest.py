"""A headless Chromium for the session, and pages of a person who is signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.dashboard.serving import Served, auth_url, served

__all__ = ["auth_url", "served"]

OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[OpenPage]:
    """`open_page("/checklist", account="viewer", width=390, dark=True)`: a fresh profile, signed in by button."""
    contexts: list[BrowserContext] = []

    def open_one(path: str = "/", *, account: str = "operator", width: int = 1440, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", base_url=served.url
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        page.get_by_role("button", name=f"Continue as {account}").click()
        page.get_by_role("heading", level=1).wait_for()
        return page

    yield open_one
    for context in contexts:
        context.close()
