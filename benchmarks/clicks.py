"""How long a click takes until its text is seen, in a real browser, on each page, beside a trivial app."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.measures import Measure
from benchmarks.processes import ROOT, home, started
from dashboard import composition
from dashboard.cli.following import carry_out
from dashboard.cli.person import person
from dashboard.processes.ports import listen
from scripts.run_tests import find_browser
from services.app_definition import load_app
from services.releases.bundle import load_release
from services.releases.ledger import start_run

ROUNDS = 15
WARM_UP = 4
BREATH_MS = 300
"""Between two clicks, so that each is answered alone."""

# In the page: click, then wait until `seen` is true of the document, and one frame more, so that it is painted.
CLICK = """
([selector, seen]) => new Promise((resolve, reject) => {
  const condition = new Function('return ' + seen);
  const target = document.querySelector(selector);
  if (!target) { reject(new Error('nothing to click: ' + selector)); return; }
  if (condition()) { reject(new Error('seen before the click: ' + seen)); return; }
  const began = performance.now();
  const timer = setTimeout(() => { watch.disconnect(); reject(new Error('never seen: ' + seen)); }, 10000);
  const watch = new MutationObserver(() => {
    if (!condition()) return;
    watch.disconnect();
    clearTimeout(timer);
    requestAnimationFrame(() => resolve(performance.now() - began));
  });
  watch.observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
  target.click();
})
"""


Seen = tuple[str, str]
"""What to click, and JavaScript that is true when its text is there."""


@dataclass(frozen=True)
class Click:
    """Clicks on a page that follow each other in a ring; whole: they run the whole script and not only a fragment."""

    path: str
    what: str
    ring: tuple[Seen, ...]
    whole: bool = False


def _text(words: str) -> str:
    return f"document.body.innerText.includes({words!r})"


def _row(step_id: str) -> Seen:
    return (
        f".st-key-row-{step_id} summary",
        f"document.querySelector('.st-key-row-{step_id}').innerText.includes('We look at')",
    )


def _switch(selector: str, on: str) -> tuple[Seen, Seen]:
    return (selector, on), (selector, f"!({on})")


def _parts(path: str, name: str, parts: dict[str, str]) -> Click:
    ring = tuple((f".st-key-part-{name}-{part} button", _text(words)) for part, words in parts.items())
    return Click(path, "another part", ring, whole=True)


_WATCHED = ".st-key-watched"

CLICKS = (
    Click("/checklist", "open another step", tuple(_row(f"before-{number}") for number in (3, 4, 5, 1))),
    Click(
        "/verification",
        "only what is wrong",
        _switch(".st-key-only_bad input", "document.querySelectorAll('[class*=st-key-query-]').length < 20"),
    ),
    Click(
        "/rollback",
        "show what would go",
        _switch(".st-key-losses input", f"!{_text('The button to roll back stands below')}"),
    ),
    Click(
        "/war-room",
        "every check",
        _switch(f"{_WATCHED} summary", f"document.querySelector('{_WATCHED}').innerText.length > 200"),
    ),
    _parts("/database", "part", {"Scripts": "As pinned, content", "Rehearsal": "executed twice on a scratch"}),
    _parts("/history", "part", {"Audit": "Every entry follows", "Runs": "Prepare the record"}),
)
"""Overview, analytics and settings have no click that the server answers, but for those that set something going."""


def measure_clicks() -> list[Measure]:
    """Every click of every page; raises RuntimeError where there is no Chromium."""
    program = find_browser()
    if program is None:
        raise RuntimeError("No Chromium is to be had.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            trivial = _trivial(browser)
            with home() as folder, started(folder, "run") as (address, _took):
                _prepare(folder)
                return [_measured(browser, address, click, trivial) for click in CLICKS]
        finally:
            browser.close()


def _measured(browser: Browser, address: str, click: Click, trivial: dict[bool, list[float]]) -> Measure:
    page = _signed_in(browser, address, click.path)
    page.wait_for_selector(click.ring[0][0], state="attached", timeout=20_000)
    page.wait_for_timeout(1500)
    rounds = []
    for number in range(WARM_UP + ROUNDS):
        took = page.evaluate(CLICK, list(click.ring[number % len(click.ring)]))
        if number >= WARM_UP:
            rounds.append(float(took))
        page.wait_for_timeout(BREATH_MS)
    page.context.close()
    beside = "trivial app, " + ("whole script" if click.whole else "fragment")
    return Measure(f"{click.path}: {click.what}", "ms", rounds, trivial[click.whole], beside)


def _signed_in(browser: Browser, address: str, path: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=address).new_page()
    page.goto(path)
    page.get_by_role("button", name="Operator").click()
    page.get_by_role("heading", level=1).wait_for(timeout=20_000)
    return page


def _prepare(folder: Path) -> None:
    """A run that has begun, a score, and a verification, so that the pages have something to draw."""
    os.environ["OPS_HOME"] = str(folder)
    target = composition.settings().target("sandbox")
    release = load_release("beta-optimization", root=load_app(target.app).folder / "releases")
    start_run(composition.store(), actor=person(target), release=release, target=target.name, now=datetime.now(UTC))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        for kind in ("score", "verify", "rehearse", "diagnose"):
            carry_out(kind, target, {"release": release.id})
    composition.close()


def _trivial(browser: Browser) -> dict[bool, list[float]]:
    """Milliseconds of the trivial app's clicks: in its fragment (False), through its whole script (True)."""
    with _trivial_served() as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("out 0").wait_for(timeout=20_000)
        found: dict[bool, list[float]] = {}
        for whole, word in ((False, "in"), (True, "out")):
            rounds = []
            for number in range(1, WARM_UP + ROUNDS + 1):
                selector = f".stButton:nth-of-type(1) button >> nth={int(whole)}"
                page.locator(selector).evaluate("element => element.id = 'here'")
                rounds.append(float(page.evaluate(CLICK, ["#here", _text(f"{word} {number}")])))
                page.evaluate("document.getElementById('here').removeAttribute('id')")
            found[whole] = rounds[WARM_UP:]
        page.close()
    return found


@contextmanager
def _trivial_served() -> Iterator[str]:
    with listen(None) as held:
        port = held.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "benchmarks.trivial.app:app", "--port", str(port), "--log-level", "warning"],
        cwd=ROOT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 30
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the trivial app did not start")
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(15)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
