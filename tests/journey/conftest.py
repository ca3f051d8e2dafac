"""A house and a browser for the journeys."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.house import House, whole_house

SignedIn = Callable[[str], Page]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home: Path = tmp_path_factory.mktemp("house")
    with whole_house(home) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        installed = os.environ.get("OPS_CHROMIUM") or shutil.which("chromium")
        opened = playwright.chromium.launch(executable_path=installed, args=QUIET)
        yield opened
        opened.close()


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
