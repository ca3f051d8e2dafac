"""The checklist: states, evidence with its age, decisions, the gate, and text that comes from outside."""

from __future__ import annotations

from datetime import timedelta

from services.access.permissions import Role
from services.jobs.queue import recent_jobs
from services.releases.ledger import run_view
from services.verdict import Verdict
from tests.app_test import AppTest
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import TARGET, World


def rows(app: AppTest) -> list[str]:
    return [expander.label for expander in app.expander]


def press(app: AppTest, key: str) -> AppTest:
    button = next(button for button in app.button if button.key and button.key.startswith(key))
    return button.click().run()


def test_each_state_has_its_word(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    world.evidence("api-answers", Verdict.UNKNOWN, "No answer in time.", run_id=run_id, step_id="before-1")
    labels = rows(open_page("/checklist"))
    assert "Unknown" in labels[0]
    assert "yellow-badge" in labels[0]
    assert "To do" in labels[1]


def test_a_pass_that_is_too_old_is_expired_and_not_green(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    world.evidence(
        "api-answers", Verdict.PASS, "It answered.", run_id=run_id, step_id="before-1", age=timedelta(hours=2)
    )
    app = open_page("/checklist", step="before-1")
    assert "Expired" in rows(app)[0]
    assert "green-badge" not in texts(app)


def test_only_the_step_in_the_address_is_drawn_in_full(open_page: OpenPage, world: World) -> None:
    world.start()
    app = open_page("/checklist", step="before-2")
    told = texts(app)
    assert "minutes of the meeting" in told
    assert "its text proves nothing" not in told


def test_signing_off_writes_one_decision_with_its_note(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    app = open_page("/checklist", step="before-2")
    app.text_area(key="draft-note-before-2").input("Read them.").run()
    press(app, "signing-before-2")
    step = run_view(world.store, run_id, world.now).step("before-2")
    assert step.state.value == "passed"
    assert step.decision is not None
    assert step.decision.payload["note"] == "Read them."


def test_a_sign_off_from_an_old_screen_does_not_make_a_second_decision(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    first = open_page("/checklist", step="before-2")
    second = open_page("/checklist", step="before-2")
    press(first, "signing-before-2")
    press(second, "signing-before-2")
    assert run_view(world.store, run_id, world.now).step("before-2").decisions == 1


def test_running_a_check_queues_one_job(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    press(open_page("/checklist", step="before-1"), "check-before-1")
    queued = recent_jobs(world.store, TARGET, run_id=run_id)
    assert [(job.kind, job.step_id, dict(job.payload)) for job in queued] == [
        ("check", "before-1", {"checks": ["api-answers"]})
    ]


def test_a_closed_phase_names_what_keeps_it_closed_and_cannot_be_acted_on(open_page: OpenPage, world: World) -> None:
    world.start()
    app = open_page("/checklist", phase="after", step="after-1")
    told = texts(app).replace("\\", "")
    assert "This phase is closed." in told
    assert "before-1 The app answers" in told
    press(app, "act-after-1")
    assert recent_jobs(world.store, TARGET) == []


def test_a_viewer_can_do_none_of_it(open_page: OpenPage, world: World) -> None:
    world.start()
    for step in ("before-1", "before-2"):
        app = open_page("/checklist", Role.VIEWER, step=step)
        offered = [b for b in app.button if b.key and b.key.startswith(("act-", "check-")) and not b.disabled]
        assert offered == []
        assert "You are viewer\\: signing and waiving" in texts(app)


def test_a_waiver_needs_a_reason_and_says_so(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    app = press(open_page("/checklist", step="before-2"), "waiving-before-2")
    assert "A waiver needs a reason and an owner" in texts(app)
    app.text_area(key="draft-reason-before-2").input("They are on leave.").run()
    press(app, "waiving-before-2")
    assert run_view(world.store, run_id, world.now).step("before-2").state.value == "waived"


def test_text_from_outside_is_shown_as_text(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    hostile = (
        "![x](https://elsewhere.example/beacon.png) # Big [click](javascript:alert(1)) <img src=x> :red[ALL GREEN]"
    )
    world.evidence("api-answers", Verdict.FAIL, hostile, run_id=run_id, step_id="before-1")
    shown = [line for line in texts(open_page("/checklist", step="before-1")).splitlines() if "beacon" in line]
    assert shown
    for line in shown:
        assert "\\!\\[x\\]\\(https\\:" in line
        assert "\\<img" in line
        assert "\\:red\\[" in line


def test_a_contradiction_is_shown_as_one(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    world.evidence("api-answers", Verdict.FAIL, "It is down.", run_id=run_id, step_id="before-1")
    app = open_page("/checklist", step="before-1")
    assert "Failed" in rows(app)[0]
    assert "It is down" in texts(app)
