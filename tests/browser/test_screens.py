"""The frame in a real browser: the policy holds, the clock runs under it, Cancel has the focus, nothing overflows."""

from __future__ import annotations

import itertools
import os
import signal
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from dashboard import nav
from services.access.permissions import Role
from services.verdict import Verdict
from tests.browser.conftest import OpenPage
from tests.campaign import only_in_full, sample
from tests.dashboard.serving import Served

pytestmark = pytest.mark.browser

PAGES = [page.path for page in nav.REGISTRY]
FROZEN_MS = 10_000


@pytest.fixture(scope="module")
def run_id(served: Served) -> str:
    """A run with something in it, for all screens of this file."""
    started = served.world.start()
    served.world.evidence("api-answers", Verdict.FAIL, "It is down.", run_id=started, step_id="before-1")
    return started


def is_stale(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.classList.contains('ops-stale')"))


def test_a_frozen_server_makes_every_page_stale_by_the_browsers_own_clock(
    served: Served, open_page: OpenPage, run_id: str
) -> None:
    first = open_page(PAGES[0])
    others = sample(PAGES[1:], 2, seed=20260318)
    pages = {PAGES[0]: first} | {path: first.context.new_page() for path in others}
    for path, page in pages.items():
        if page is not first:
            page.goto(path)
        page.locator(".st-key-ops-heartbeat").wait_for(state="attached")
    for page in pages.values():
        page.locator("#ops-stale").wait_for(state="hidden")
    os.kill(served.pid, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        for path, page in pages.items():
            left = FROZEN_MS - (time.monotonic() - frozen) * 1000
            page.locator("#ops-stale").wait_for(state="visible", timeout=max(left, 1))
            assert page.title().startswith("STALE"), path
            assert "grayscale" in page.locator(".stApp").evaluate("e => getComputedStyle(e).filter"), path
    finally:
        os.kill(served.pid, signal.SIGCONT)
    for page in pages.values():
        page.locator("#ops-stale").wait_for(state="hidden")
        assert not page.title().startswith("STALE")


@only_in_full
def test_a_page_that_hears_from_the_server_is_not_stale(open_page: OpenPage, run_id: str) -> None:
    page = open_page()
    page.wait_for_timeout(FROZEN_MS)
    assert not is_stale(page)


@pytest.mark.parametrize("path", sample(PAGES, 1, seed=20260316))
def test_no_page_violates_the_policy_or_asks_another_host(
    open_page: OpenPage, served: Served, run_id: str, path: str
) -> None:
    page = open_page()
    hosts: set[str] = set()
    refused: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on(
        "console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None
    )
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_timeout(1500)
    assert refused == []
    assert hosts - {""} == {urlsplit(served.url).netloc}


@pytest.mark.parametrize(("path", "width"), sample(itertools.product(PAGES, (1440, 390)), 2, seed=20260317))
def test_nothing_overflows_to_the_side(open_page: OpenPage, run_id: str, path: str, width: int) -> None:
    page = open_page(path, width=width, dark=width == 390)
    page.wait_for_timeout(1000)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast_and_controls_have_names(open_page: OpenPage, run_id: str, dark: bool) -> None:
    page = open_page("/checklist?step=before-1", dark=dark)
    page.get_by_text("It is down.").first.wait_for()
    found = Axe().run(
        page, options={"runOnly": ["color-contrast", "button-name", "link-name", "label", "html-has-lang"]}
    )
    assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]] == []


def test_the_sign_in_page_has_contrast_and_names(served: Served, browser: object, open_page: OpenPage) -> None:
    page = open_page().context.browser.new_page(color_scheme="dark")  # type: ignore[union-attr]
    page.goto(served.url)
    found = Axe().run(
        page, options={"runOnly": ["color-contrast", "button-name", "link-name", "label", "html-has-lang"]}
    )
    page.close()
    assert found.response["violations"] == []


def test_a_deep_link_comes_back_after_sign_in(
    served: Served, browser: object, open_page: OpenPage, run_id: str
) -> None:
    page = open_page(f"/checklist?phase=during&run={run_id}")
    asked = parse_qs(urlsplit(page.url).query)
    assert urlsplit(page.url).path == "/checklist"
    assert asked["phase"] == ["during"]
    assert asked["run"] == [run_id]
    assert asked["target"] == ["sandbox"]


def test_the_menu_keeps_target_and_run_in_the_address(open_page: OpenPage, run_id: str) -> None:
    page = open_page(f"/?run={run_id}")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Checklist").click()
    page.get_by_role("heading", level=1, name="Checklist").wait_for()
    page.wait_for_function("location.search.includes('run=')")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["run"] == [run_id]
    assert asked["target"] == ["sandbox"]


def test_opening_a_step_closes_the_other_and_is_in_the_address(open_page: OpenPage, run_id: str) -> None:
    page = open_page(f"/checklist?run={run_id}&step=before-1")
    page.get_by_text("its text proves nothing").wait_for()
    page.get_by_text("Somebody agrees").click()
    page.get_by_role("button", name="Sign off").wait_for()
    page.get_by_text("its text proves nothing").wait_for(state="hidden")
    page.wait_for_function("location.search.includes('step=before-2')")


def test_text_from_outside_makes_no_link_and_no_picture(served: Served, open_page: OpenPage) -> None:
    started = served.world.start()
    hostile = (
        "![x](https://elsewhere.example/b.png) https://elsewhere.example mail@elsewhere.example www.elsewhere.example"
    )
    served.world.evidence("api-answers", Verdict.FAIL, f"{hostile} <img src=x>", run_id=started, step_id="before-1")
    page = open_page(f"/checklist?run={started}&step=before-1")
    page.get_by_text("elsewhere.example").first.wait_for()
    links = page.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href') || '')")
    assert not any("elsewhere" in link for link in links)
    assert page.locator(".stMain img").count() == 0


def test_a_viewer_sees_the_page_and_no_button_that_works(served: Served, open_page: OpenPage, run_id: str) -> None:
    page = open_page(f"/checklist?run={run_id}&step=before-1", account=Role.VIEWER.value)
    page.get_by_text("It is down.").first.wait_for()
    assert page.get_by_role("button", name="Check again").is_disabled()
    assert page.get_by_role("button", name="Waive").is_disabled()
