"""Somebody who sees the dashboard for the first time: clicks and fills in, and counts both."""

from __future__ import annotations

import csv
import re
import time
from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

_PROVED = re.compile(r"\bproved (just now|.* ago)")


_STANDS_STILL = """() => Promise.race([
    Promise.allSettled(document.getAnimations().map(one => one.finished)),
    new Promise(over => setTimeout(over, 600))])"""
"""What moves for longer than an expander takes to open moves for ever, or has been taken away."""


@dataclass
class Newcomer:
    """clicks, fields: how often they pressed something and filled something in; began: by the monotonic clock."""

    page: Page
    clicks: int = 0
    fields: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def took_s(self) -> float:
        return time.monotonic() - self.began

    def click(self, what: Locator) -> None:
        """Press it once nothing moves any more, as a person would: what opens pushes away what is below it."""
        self.page.evaluate(_STANDS_STILL)
        what.click()
        self.clicks += 1

    def press(self, name: str) -> None:
        self.click(self.page.get_by_role("button", name=name, exact=True))

    def follow(self, name: str) -> None:
        """Follow a link that opens a tab, and go on there."""
        with self.page.context.expect_page() as opened:
            self.click(self.page.get_by_role("link", name=name))
        self.page = opened.value

    def follow_here(self, name: str) -> None:
        self.click(self.page.get_by_role("link", name=name))

    def fill(self, label: str, text: str, nth: int = 0) -> None:
        # By the inputs alone: a password has no role, and the button that explains a field bears its label too.
        self.page.locator(f'input[aria-label^="{label}"]').nth(nth).fill(text)
        self.fields += 1

    def settle(self) -> None:
        """Until the page has been drawn: what is pressed before that may be drawn anew under the finger."""
        self.page.locator('.stApp[data-test-script-state="notRunning"]').wait_for()
        expect(self.page.locator('[data-stale="true"]')).to_have_count(0)
        self.page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")

    def open_level(self, level: str) -> None:
        """The step of a level in the stepper; returns when its panel is there."""
        self.click(self.page.locator(f".st-key-open-{level} button"))
        expect(self.page.locator(f".st-key-level-{level}").first).to_be_visible()
        self.settle()

    def keep(self) -> None:
        """Keep what was filled in; returns when nothing of it is left in the form."""
        self.press("Keep these")
        expect(self.page.get_by_text("Prove it now").first).to_be_visible()
        self.settle()

    def prove(self, level: str, seen: str) -> None:
        """Prove a level and wait for the sentence that tells the effect."""
        self.press(f"Prove {level}")
        expect(self.page.locator(f".st-key-step-{level}").first).to_contain_text(_PROVED)
        expect(self.page.locator(f".st-key-level-{level}").get_by_text(seen).first).to_be_visible()
        self.settle()

    def grant(self, level: str) -> None:
        self.press(f"Grant {level}")
        expect(self.page.locator(f".st-key-step-{level}").first).to_contain_text("Granted")
        self.settle()

    def refused(self) -> dict[str, set[str]]:
        """What the page's table lists as refused, by the level that would allow it; read from its CSV."""
        with self.page.expect_download() as download:
            self.page.locator('[class*="st-key-csv-refused-on"] button').locator("visible=true").first.click()
        listed: dict[str, set[str]] = {}
        for row in csv.DictReader(download.value.path().read_text(encoding="utf-8").splitlines()):
            listed.setdefault(row["Level"], set()).add(row["Refused"])
        return listed
