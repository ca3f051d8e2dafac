"""Two people press the same sign-off in the same instant, round after round: one signature each time."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page, expect

from services.releases.bundle import release_from_files
from services.releases.ledger import run_view, start_run, withdraw
from tests.campaign import only_in_full
from tests.house import House, now
from tests.journey.conftest import SignedIn

ROUNDS = 50 if os.environ.get("OPS_CAMPAIGN") == "full" else 4
CHECKLIST = b"""\
id: paper
title: Something to sign
risk: low
expected_minutes: 1
phases:
  - id: before
    title: Before
    steps:
      - {id: before-1, title: Read and sign, signoff: true}
"""
PRESS = """([at, name]) => new Promise((done) => setTimeout(() => {
  const all = [...document.querySelectorAll('button')].filter((b) => b.innerText.trim().endsWith(name));
  all[all.length - 1].click();
  done(Date.now());
}, at - Date.now()))"""


def ready_to_sign(page: Page, seen: int) -> None:
    """Open the form that belongs to what the screen shows after `seen` decisions."""
    page.locator(f".st-key-sign-before-1-{seen} button").first.click()
    expect(page.get_by_role("button", name="Sign it off")).to_be_visible()


@pytest.mark.browser
@pytest.mark.campaign
@only_in_full
@pytest.mark.timeout(600)
def test_two_browsers_sign_once(house: House, signed_in: SignedIn) -> None:
    release = release_from_files({"release.yaml": CHECKLIST, "deploy/010.sql": b"SELECT 1;\n"})
    run_id = start_run(house.store, actor=house.operator, release=release, target="sandbox", now=now())
    pages = [signed_in("operator"), signed_in("admin")]
    for page in pages:
        page.goto(f"/checklist?run={run_id}&step=before-1")
    for number in range(ROUNDS):
        for page in pages:
            ready_to_sign(page, seen=2 * number)
        at = pages[0].evaluate("Date.now() + 400")
        for page in pages:
            page.evaluate(
                "([at, name, press]) => { window.pressed = eval(press)([at, name]); }", [at, "Sign it off", PRESS]
            )
        pressed = [float(page.evaluate("window.pressed")) for page in pages]
        assert abs(pressed[0] - pressed[1]) < 250, f"round {number}: not at once"
        for page in pages:
            expect(page.get_by_role("button", name="Withdraw")).to_be_visible()
        view = run_view(house.store, run_id, now())
        assert view.step("before-1").decisions == 2 * number + 1, f"round {number}"
        taken = withdraw(
            house.store, actor=house.operator, run_id=run_id, step_id="before-1", seen=2 * number + 1, now=now()
        )
        assert taken.mine
    kinds = [event.kind for event in run_view(house.store, run_id, now()).events if event.step_id]
    assert kinds == ["signed", "withdrawn"] * ROUNDS
