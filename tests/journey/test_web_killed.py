"""Kill -9 of the web process in the middle of a click: one job or none, and the page tells which."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from playwright.sync_api import expect

from services.jobs.queue import recent_jobs
from services.releases.bundle import load_release
from services.releases.ledger import run_view, start_run
from tests.campaign import only_in_full
from tests.house import ROOT, House, now, wait_until
from tests.journey.conftest import SignedIn

ROUNDS = 25
SEED = 20260302


@pytest.mark.browser
@pytest.mark.campaign
@only_in_full
@pytest.mark.timeout(1800)
def test_a_click_into_a_dying_server_is_one_job_or_none(house: House, signed_in: SignedIn) -> None:
    moments = random.Random(SEED)
    folder = ROOT / "apps" / "pulsecheck" / "releases" / "beta-optimization"
    release = load_release(str(folder))
    run_id = start_run(house.store, actor=house.operator, release=release, target="sandbox", now=now())
    page = signed_in("operator")
    page.goto(f"/checklist?run={run_id}&step=before-3")
    clicks = 0
    for number in range(ROUNDS):
        button = page.locator(f".st-key-check-before-3-{clicks} button")
        expect(button).to_be_enabled()
        web = house.pid_of("web")
        assert web is not None
        button.click(no_wait_after=True)
        time.sleep(moments.uniform(0.0, 0.15))
        os.kill(web, signal.SIGKILL)
        wait_until(lambda: house.pid_of("web") not in (None, web), 30, "the web process to come back")  # noqa: B023
        jobs = recent_jobs(house.store, "sandbox", run_id=run_id, step_id="before-3")
        assert len(jobs) in (clicks, clicks + 1), f"round {number}: the click did more than one thing"
        clicks = len(jobs)
        if jobs:
            assert house.wait_for_job(jobs[0].id).state.value == "passed"
        shown = "Passed" if clicks else "To do"
        row = page.get_by_test_id("stExpander").filter(has_text="before-3").locator("summary")
        expect(row).to_contain_text(shown)
        assert run_view(house.store, run_id, now()).step("before-3").jobs == clicks
