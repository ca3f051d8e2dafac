"""What /database shows of a change: help for failures, the way back, waits, approval by a second person, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dashboard import composition
from services.access.permissions import Role
from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.script import Script
from services.jobs.queue import JobState, recent_jobs
from services.releases.approvals import newest_approval
from tests.conftest import SupabaseDatabase
from tests.pages.conftest import OpenPage
from tests.pages.test_work import FAILURE, rehearsed, told
from tests.pages.world import TARGET, World

PLAN = "p" * 64


def careful(world: World) -> None:
    file = world.home / "targets" / f"{TARGET}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "second_approval": True}))
    composition.close()


def press(app: Any, label: str) -> Any:
    return next(button for button in app.button if button.label == label).click().run()


def test_a_failure_comes_with_what_would_help_and_with_all_others(open_page: OpenPage, world: World) -> None:
    world.start()
    first = {**FAILURE, "means": "The result may change.", "suggestion": "CREATE INDEX i ON t (created_at);"}
    further = [
        {**FAILURE, "line": 9, "message": "no such column", "follows_from": None, "suggestion": "SELECT email;"},
        {**FAILURE, "line": 11, "message": "no such table", "follows_from": 7},
    ]
    rehearsed(world, verdict="fail", failure=first, further_failures=further)
    app = open_page("/database")
    assert not app.exception
    shown = told(app)
    assert "What would help" in shown and "CREATE INDEX i ON t (created_at);" in shown
    assert "no such column" in shown and "follows from line 7" in shown
    assert any("1 further failures of their own, and 1 more follow" in one.label for one in app.expander)


def test_what_is_not_the_same_twice_has_a_guarded_form(open_page: OpenPage, world: World) -> None:
    world.start()
    again = {"file": "a.sql", "line": 2, "kind": "rows", "detail": "3 rows more.", "guarded": "INSERT ... ON CONFLICT"}
    rehearsed(world, not_idempotent=[again])
    assert "INSERT ... ON CONFLICT" in told(open_page("/database"))


def test_questions_inspection_and_the_way_back_are_shown(open_page: OpenPage, world: World) -> None:
    world.start()
    rehearsed(
        world,
        probes=[{"object": "public.users", "question": "Are there NULLs?", "verdict": "fail", "rows": 3, "sql": "x"}],
        inspection=[{"kind": "function", "object": "public.f()", "verdict": "fail", "message": "no such column"}],
        inverse={"sql": "DROP TABLE small;", "rehearsed": True, "not_restored": ["the column's old place"]},
    )
    app = open_page("/database")
    assert not app.exception
    shown = told(app)
    assert "Are there NULLs?" in shown and "DROP TABLE small;" in shown and "the column's old place" in shown
    assert any("1 newly broken" in one.label for one in app.expander)


def test_who_waits_is_drawn(open_page: OpenPage, world: World) -> None:
    world.start()
    statement = {
        "file": "a.sql",
        "line": 1,
        "sql": "ALTER",
        "locks": {"public.users": "AccessExclusiveLock"},
        "ms": 200,
    }
    rehearsed(world, statements=[statement])
    shown = told(open_page("/database"))
    assert "Who waits, and how long" in shown and "as on the copy" in shown


def test_a_long_wait_is_accepted_or_the_deploy_refuses(open_page: OpenPage, world: World) -> None:
    world.start()
    rehearsed(world, statements=[{"file": "a.sql", "line": 1, "sql": "ALTER", "stall_ms": 420, "locks": {}, "ms": 1}])
    app = open_page("/database", part="Deploy")
    assert next(one.label for one in app.checkbox) == "Writers may wait for about 420 ms while this is deployed"


def test_a_second_person_approves_and_the_first_cannot(open_page: OpenPage, world: World) -> None:
    careful(world)
    world.start()
    rehearsed(world, plan_hash=PLAN)
    press(open_page("/database", part="Deploy"), "Ask for approval")
    app = open_page("/database", part="Deploy")
    assert "Approval: waiting" in told(app)
    assert next(button for button in app.button if button.label == "Approve").disabled
    assert any(button.label == "Take the question back" for button in app.button)
    other = open_page("/database", Role.ADMIN, part="Deploy")
    press(other, "Approve")
    known = newest_approval(world.store, TARGET, PLAN)
    assert known is not None and known.decision is True
    assert "Approval: approved" in told(open_page("/database", part="Deploy"))


def test_a_viewer_neither_asks_nor_approves(open_page: OpenPage, world: World) -> None:
    careful(world)
    world.start()
    rehearsed(world, plan_hash=PLAN)
    app = open_page("/database", Role.VIEWER, part="Deploy")
    assert next(button for button in app.button if button.label == "Ask for approval").disabled


def test_a_script_is_written_only_from_a_rehearsal_and_the_refusal_stands_there(
    open_page: OpenPage, world: World
) -> None:
    world.start()
    app = press(open_page("/database", part="Deploy"), "Write the script")
    assert not app.exception
    assert "has not passed a rehearsal" in told(app)


def test_a_lock_that_is_waited_for_names_who_holds_it(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    job = world.queued("deploy", run_id=run_id, step_id="during-1")
    place = {"index": 2, "of": 9, "file": "a.sql", "line": 3, "sql": "ALTER TABLE users"}
    world.told(job, "statement", {**place, "state": "running", "ms": None})
    world.told(job, "retry", {"attempt": 3, "of": 30, "pause_s": 0.2})
    blocker = {"pid": 77, "user": "ann", "application": "psql", "age_s": 12.5, "mode": "AccessShareLock"}
    world.told(job, "blocker", {**blocker, "relation": "public.users", "query": "SELECT ?"})
    app = open_page("/database", part="Deploy")
    assert not app.exception
    shown = told(app)
    assert "try 3 of 30" in shown and "process 77: ann, psql, in its transaction for 12.5 s" in shown
    assert [one.state for one in recent_jobs(world.store, TARGET, kind="deploy")] == [JobState.QUEUED]


def test_what_is_kept_is_listed_with_its_end_and_can_be_brought_back(
    open_page: OpenPage, world: World, make_supabase_database: Callable[[], SupabaseDatabase]
) -> None:
    made = make_supabase_database()
    with connect(made.owner) as owner:
        owner.execute("CREATE TABLE public.notes (id int PRIMARY KEY); INSERT INTO public.notes VALUES (1), (2)")
    deploy(made.owner, [Script("a.sql", "DROP TABLE public.notes;")], release_id="small", plan_hash="h", actor="ann")
    file = world.home / "targets" / f"{TARGET}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "database_url": made.read_only}))
    composition.close()
    app = open_page("/rollback")
    box = next(one for one in app.expander if one.label.startswith("What is kept"))
    assert not app.exception and box is not None
    app.session_state["kept"] = True
    app.run()
    assert not app.exception
    assert "2 rows of small" in told(app) and "parked: public.notes" in told(app)
    assert next(button for button in app.button if button.key == "open-purge").disabled
