"""An operator takes PulseCheck from 7 of 10 to 10 of 10 and back, by clicking; a viewer can do none of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from services.database.fingerprint import catalog_fingerprint, row_hashes
from services.errors import OpsError
from services.jobs.kinds import KINDS
from services.jobs.queue import enqueue, recent_jobs
from services.releases.actions import act, back_out_app, roll_back
from services.releases.ledger import latest_run, run_view, sign_off, start_run
from tests.campaign import only_in_full
from tests.house import House, now
from tests.journey.conftest import SignedIn

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

BEFORE = (
    "Have a backup to go back to",
    "See that names and packages are in place",
    "See that the API answers now",
    "See that the AI account works",
    "See that the database can be reached",
    "Rehearse the scripts on a copy",
)
AFTER = (
    "See that no statement failed",
    "See that app and schema fit",
    "Run the verification queries",
    "Start the new build",
    "See that the new build answers",
    "Run the production test",
)


def press(button: Locator, seen: Callable[[float], None]) -> None:
    """Press it, and once more where nothing came of it: about one click in five hundred falls into a refresh and is
    lost, and whoever sees the same button again presses it again. seen: asserts what comes of it, within so many ms."""
    button.click()
    try:
        seen(15_000)
    except AssertionError:
        button.click()
        seen(30_000)


def do_next(page: Page, title: str) -> None:
    """Press the one button of the overview for the step of this title, and wait until it is settled."""
    panel = page.locator(".st-key-next-panel")
    expect(panel).to_contain_text(f"Next: {title}")
    expect(panel.get_by_role("button")).to_have_count(1)
    press(panel.get_by_role("button"), lambda within: expect(panel).not_to_contain_text(title, timeout=2 * within))


def confirm(page: Page, phrase: str, effect: str) -> None:
    """A nearly right phrase is refused in a sentence; the exact one is taken. Pressed twice it is the same action."""
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("SANDBOX")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    effected = dialog.get_by_role("button", name=effect)
    dialog.get_by_label("Confirmation phrase").fill(phrase.upper())
    refusal = "The typed confirmation is not the phrase asked for."
    press(effected, lambda within: expect(dialog).to_contain_text(refusal, timeout=within))
    dialog.get_by_label("Confirmation phrase").fill(phrase)
    press(effected, lambda within: expect(dialog).to_be_hidden(timeout=within))


def facts_of(house: House) -> tuple[str, dict[str, str]]:
    with house.database() as connection:
        return catalog_fingerprint(connection).digest, {k: str(v) for k, v in row_hashes(connection).items()}


def test_a_release_by_hand(house: House, signed_in: SignedIn) -> None:
    before = facts_of(house)
    page = signed_in("operator")
    page.get_by_role("button", name="Start the release on sandbox").click()
    for title in BEFORE:
        do_next(page, title)
    page.goto("/database?part=Deploy")
    page.get_by_role("button", name="Deploy to sandbox …").click()
    confirm(page, "deploy beta-optimization to sandbox", "Deploy to sandbox")
    expect(page.get_by_text("BEGIN to COMMIT took")).to_be_visible()
    assert len(recent_jobs(house.store, "sandbox", kind="deploy")) == 1
    page.goto("/")
    for title in AFTER:
        do_next(page, title)
    expect(page.get_by_text("10 of 10 features passed.").first).to_be_visible()

    page.goto("/rollback?losses=true")
    page.get_by_role("button", name="Bring the app back to").click()
    expect(page.get_by_text("its route list is the one pinned at GO").first).to_be_visible()
    page.get_by_role("button", name="Roll back the database of sandbox …").click()
    confirm(page, "rollback beta-optimization on sandbox", "Roll back on sandbox")
    expect(page.get_by_text("The catalog is exactly as before the deploy").first).to_be_visible()
    assert facts_of(house) == before
    page.goto("/database?part=Deploy")
    expect(page.get_by_text("It was rolled back")).to_be_visible()
    expect(page.get_by_text("is in the target.")).to_have_count(0)
    expect(page.get_by_role("button", name="Deploy to sandbox …")).to_be_visible()


@pytest.mark.campaign
@only_in_full
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
