"""An operator takes PulseCheck from 7 of 10 to 10 of 10 and back, by clicking; a viewer can do none of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from services.database.fingerprint import catalog_fingerprint, row_hashes
from services.errors import OpsError
from services.jobs.kinds import KINDS
from services.jobs.queue import enqueue, recent_jobs
from services.releases.actions import act, back_out_app, roll_back
from services.releases.ledger import latest_run, run_view, sign_off, start_run
from tests.house import House, now
from tests.journey.conftest import SignedIn

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

CHECKED = ("before-1", "before-2", "before-3", "before-4", "before-5")


def state_of(house: House, step_id: str) -> str:
    run = latest_run(house.store, "sandbox")
    assert run is not None
    return run_view(house.store, run.id, now()).step(step_id).state.value


def check(page: Page, step_id: str) -> None:
    """Open a step by its address, run its checks, and wait until the row says that it passed."""
    page.goto(f"/checklist?step={step_id}&phase={step_id.split('-')[0]}")
    page.get_by_role("button", name=re.compile("Run its checks|Check again")).click()
    expect(row(page, step_id)).to_contain_text("Passed")


def row(page: Page, step_id: str) -> Locator:
    return page.get_by_test_id("stExpander").filter(has_text=step_id).locator("summary")


def facts_of(house: House) -> tuple[str, dict[str, str]]:
    with house.database() as connection:
        return catalog_fingerprint(connection).digest, {k: str(v) for k, v in row_hashes(connection).items()}


def test_a_release_by_hand(house: House, signed_in: SignedIn) -> None:
    before = facts_of(house)
    page = signed_in("operator")
    page.get_by_role("button", name="Start the release on sandbox").click()
    expect(page.get_by_text("Next: Have a backup to go back to.")).to_be_visible()
    for step_id in CHECKED:
        check(page, step_id)

    page.goto("/database")
    page.get_by_role("button", name="Rehearse the deploy").click()
    expect(page.get_by_text("ran twice on a shadow without an error").first).to_be_visible()

    page.goto("/database?part=Deploy")
    page.get_by_role("button", name="Deploy to sandbox …").click()
    phrase = page.get_by_label("Confirmation phrase")
    phrase.fill("deploy beta-optimization to Sandbox")
    page.get_by_role("button", name="Deploy to sandbox", exact=True).click()
    expect(page.get_by_text("is not the phrase asked for")).to_be_visible()
    assert recent_jobs(house.store, "sandbox", kind="deploy") == []
    phrase.fill("deploy beta-optimization to sandbox")
    page.get_by_role("button", name="Deploy to sandbox", exact=True).click()
    expect(page.get_by_text(re.compile("statements were applied")).first).to_be_visible()
    assert state_of(house, "during-2") == "passed"

    check(page, "during-3")
    check(page, "during-4")
    page.goto("/verification")
    page.get_by_role("button", name=re.compile("verification")).first.click()
    expect(page.get_by_text("20 of 20 queries found nothing wrong").first).to_be_visible()

    page.goto("/checklist?step=after-1&phase=after")
    page.get_by_role("button", name="Redeploy the pushed build").click()
    expect(row(page, "after-1")).to_contain_text("Passed")
    check(page, "after-2")
    page.goto("/checklist?step=after-3&phase=after")
    page.get_by_role("button", name="Production test").click()
    expect(row(page, "after-3")).to_contain_text("Passed")
    page.goto("/")
    expect(page.get_by_text("10 of 10").first).to_be_visible()

    page.goto("/rollback?losses=true")
    page.get_by_role("button", name=re.compile("Bring the app back to")).click()
    expect(page.get_by_text(re.compile("its route list is the one pinned at GO")).first).to_be_visible()
    page.get_by_role("button", name="Roll back the database of sandbox …").click()
    page.get_by_label("Confirmation phrase").fill("rollback beta-optimization on sandbox")
    page.get_by_role("button", name="Roll back on sandbox", exact=True).click()
    expect(page.get_by_text(re.compile("The catalog is exactly as before the deploy")).first).to_be_visible()
    assert facts_of(house) == before


def test_a_viewer_can_do_none_of_it(house: House, signed_in: SignedIn) -> None:
    page = signed_in("viewer")
    for path in ("/", "/checklist?step=before-1", "/database", "/database?part=Deploy", "/rollback", "/war-room"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        for name in (
            "Start the release",
            "Run its checks",
            "Check again",
            "Rehearse the deploy",
            "Deploy to",
            "Roll back",
        ):
            for button in page.get_by_role("button", name=name).all():
                assert button.is_disabled(), f"{name} on {path}"
    jobs = len(recent_jobs(house.store, "sandbox"))
    run = latest_run(house.store, "sandbox")
    assert run is not None
    viewer, target = house.viewer, house.target
    release = run_view(house.store, run.id, now()).release
    attempts = [
        lambda: start_run(house.store, actor=viewer, release=release, target="sandbox", now=now()),
        lambda: sign_off(house.store, actor=viewer, run_id=run.id, step_id="week-1", note="", seen=0, now=now()),
        lambda: act(house.store, actor=viewer, target=target, run_id=run.id, step_id="during-1", seen=9, now=now()),
        lambda: back_out_app(house.store, actor=viewer, target=target, run_id=run.id, seen=9, now=now()),
        lambda: roll_back(
            house.store,
            actor=viewer,
            target=target,
            run_id=run.id,
            seen=9,
            phrase="rollback beta-optimization on sandbox",
            now=now(),
        ),
        *(
            lambda kind=kind: enqueue(
                house.store, actor=viewer, kind=kind, target=target, payload={}, idempotency_key=kind, now=now()
            )
            for kind in KINDS
        ),
    ]
    for attempt in attempts:
        with pytest.raises(OpsError):
            attempt()
    assert len(recent_jobs(house.store, "sandbox")) == jobs
