"""The first release by hand, in a browser, on a whole dashboard: sandbox, worker and web under their supervisor."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard import composition
from dashboard.processes.lock import HomeLock
from services.jobs.queue import recent_jobs
from services.store.database import open_store
from tests.dashboard.serving import free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

STEP_MS = 60_000
"""A job on a busy machine; each takes a few seconds when nothing else runs."""


@dataclass(frozen=True)
class Whole:
    """A running dashboard: where it answers, and its home folder."""

    url: str
    home: Path

    def web_pid(self) -> int | None:
        """The process id of the web process as the supervisor tells it; None while there is none."""
        holder = HomeLock(self.home).holder() or {}
        return holder.get("children", {}).get("web")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """`python -m dashboard run` on a fresh home."""
    home: Path = tmp_path_factory.mktemp("whole")
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OPS_")}
    with (home / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "run", "--port", str(port)],
            cwd=composition.ROOT,
            env={**environ, "OPS_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            _wait_until_told(home / "output.txt", process)
            yield Whole(f"http://127.0.0.1:{port}", home)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait_until_told(output: Path, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    """Return when the address was printed, which happens when every part answers."""
    until = time.monotonic() + seconds
    while "Dashboard: http" not in output.read_text(encoding="utf-8"):
        assert process.poll() is None, output.read_text(encoding="utf-8")
        assert time.monotonic() < until, output.read_text(encoding="utf-8")
        time.sleep(0.2)


def sign_in(browser: Browser, url: str, role: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=url).new_page()
    page.set_default_timeout(STEP_MS)
    page.goto("/")
    page.get_by_role("button", name=re.compile(f"Continue as .*{role}", re.IGNORECASE)).click()
    page.get_by_role("heading", level=1).wait_for()
    return page


def next_panel(page: Page) -> Locator:
    return page.locator(".st-key-next-panel")


def do_next(page: Page, title: str) -> None:
    """Press the one button of the overview for the step of this title, and wait until it is settled."""
    panel = next_panel(page)
    expect(panel).to_contain_text(f"Next: {title}", timeout=STEP_MS)
    expect(panel.get_by_role("button")).to_have_count(1)
    panel.get_by_role("button").click()
    expect(panel).not_to_contain_text(title, timeout=STEP_MS)


def confirm(page: Page, phrase: str, effect: str) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("SANDBOX")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_label("Confirmation phrase").fill(phrase.upper())
    dialog.get_by_role("button", name=effect).click()
    expect(dialog).to_contain_text("The typed confirmation is not the phrase asked for.")
    dialog.get_by_label("Confirmation phrase").fill(phrase)
    dialog.get_by_role("button", name=effect).click()
    expect(dialog).to_be_hidden(timeout=STEP_MS)


def test_an_operator_releases_and_takes_it_back_and_a_viewer_can_do_none_of_it(whole: Whole, browser: Browser) -> None:
    page = sign_in(browser, whole.url, "operator")
    page.get_by_role("button", name="Start the release").click()
    for title in (
        "Have a backup to go back to",
        "See that names and packages are in place",
        "See that the API answers now",
        "See that the AI account works",
        "See that the database can be reached",
        "Rehearse the scripts on a copy",
    ):
        do_next(page, title)
    next_panel(page).get_by_role("button", name="Open the deploy").click()
    page.get_by_role("button", name="Deploy to sandbox").click()
    confirm(page, "deploy beta-optimization to sandbox", "Deploy to sandbox")
    page.get_by_text("BEGIN to COMMIT took").wait_for()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Overview").click()
    for title in (
        "See that no statement failed",
        "See that app and schema fit",
        "Run the verification queries",
        "Start the new build",
        "See that the new build answers",
        "Run the production test",
    ):
        do_next(page, title)
    page.get_by_text("10 of 10 features passed.").first.wait_for()

    viewer = sign_in(browser, whole.url, "viewer")
    expect(next_panel(viewer).get_by_role("button")).to_be_disabled()
    viewer.get_by_test_id("stSidebarNav").get_by_role("link", name="Rollback").click()
    expect(viewer.get_by_role("button", name="Bring the app back")).to_be_disabled()
    viewer.get_by_text("Show what would go").click()
    expect(viewer.get_by_role("button", name="Roll back the database")).to_be_disabled()
    viewer.context.close()

    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Rollback").click()
    page.get_by_role("button", name="Bring the app back").click()
    page.get_by_text("The app is back on commit").first.wait_for()
    page.get_by_text("Show what would go").click()
    page.get_by_role("button", name="Roll back the database").click()
    confirm(page, "rollback beta-optimization on sandbox", "Roll back on sandbox")
    page.get_by_text("The catalog is exactly as before the deploy", exact=False).first.wait_for()
    page.get_by_text("0 rows lost", exact=False).first.wait_for()
    page.context.close()


def test_a_web_process_killed_in_mid_click_comes_back_and_the_click_counted_once_or_not_at_all(
    whole: Whole, browser: Browser
) -> None:
    page = sign_in(browser, whole.url, "operator")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="War room").click()
    test = page.get_by_role("button", name="Production test")
    test.wait_for()
    killed = whole.web_pid()
    assert killed is not None
    before = production_tests(whole)
    test.click(no_wait_after=True)
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + STEP_MS / 1000
    while whole.web_pid() in (killed, None):
        assert time.monotonic() < until, "the web process was not started again"
        time.sleep(0.1)
    last_beat = page.locator(".st-key-ops-heartbeat").text_content()
    page.wait_for_function("old => document.querySelector('.st-key-ops-heartbeat')?.textContent !== old", arg=last_beat)
    page.locator("#ops-stale").wait_for(state="hidden")
    assert production_tests(whole) - before in (0, 1)
    page.get_by_role("heading", level=1, name="War room").wait_for()
    page.get_by_role("button", name="Production test").wait_for()
    page.context.close()


def production_tests(whole: Whole) -> int:
    store = open_store(f"sqlite:///{whole.home / 'store.sqlite3'}")
    try:
        return len(recent_jobs(store, "sandbox", kind="score", limit=1000))
    finally:
        store.close()
