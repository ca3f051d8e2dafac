"""A house and a browser for the journeys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.house import House, house

__all__ = ["house"]

SignedIn = Callable[[str], Page]


@pytest.fixture
def signed_in(browser: Browser, house: House) -> Iterator[SignedIn]:
    """`signed_in("operator")`: a page of a fresh browser profile after its sign-in button was pressed."""
    contexts: list[BrowserContext] = []

    def sign_in(role: str) -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=house.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto("/")
        page.get_by_role("button", name=role).click()
        expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
        return page

    yield sign_in
    for context in contexts:
        context.close()
