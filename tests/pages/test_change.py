"""What /database shows of a change: help for failures, the way back, waits, approval by a second person, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from dashboard import composition
from services.access.permissions import Role
from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.rollback.roll_back import RolledBackAlready
from services.database.script import Script
from services.errors import NotUnderstood
from services.jobs.queue import JobState, recent_jobs
from services.releases.actions import undo_change, undo_phrase
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
    assert any("1 further failure of its own, and 1 more follow" in one.label for one in app.expander)


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
        inverse={"sql": "DROP TABLE small;", "rehearsed": "pass", "not_restored": ["the column's old place"]},
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


def test_a_wait_that_an_earlier_rehearsal_predicted_says_how_old_it_is(open_page: OpenPage, world: World) -> None:
    world.start()
    slow = {"file": "a.sql", "line": 1, "sql": "ALTER", "stall_ms": 420, "locks": {}, "ms": 1}
    whole = {"transaction_ms": 500, "stall_ms": 420, "error": 2}
    rehearsed(world, plan_hash=PLAN, statements=[slow], predicted=whole)
    world.now += timedelta(seconds=1)
    rehearsed(world, plan_hash=PLAN, statements=[{**slow, "stall_ms": None}])
    label = open_page("/database", part="Deploy").checkbox(key="accept-stall").label
    assert label.startswith("Writers may wait for about 420 ms while this is deployed (predicted ")


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
    other = open_page("/database", Role.ADMIN, part="Deploy")
    other.text_input(key="approval-reason").input("not today")
    press(other, "Take the yes back")
    app = open_page("/database", part="Deploy")
    assert "Approval: withdrawn" in told(app) and "not today" in told(app)
    assert any(button.label == "Ask again" for button in app.button)


def test_who_approves_is_shown_what_the_yes_accepts(open_page: OpenPage, world: World) -> None:
    careful(world)
    world.start()
    rehearsed(world, plan_hash=PLAN, dangers=[{"class": "loss", "object": "public.users", "detail": "x", "line": 1}])
    accepts = "A yes accepts that it destroys what stands in public.users."
    app = open_page("/database", part="Deploy")
    assert accepts in told(app)
    press(app, "Ask for approval")
    assert accepts in told(open_page("/database", Role.ADMIN, part="Deploy"))


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


def test_predicted_times_are_asked_for_by_a_checkbox(open_page: OpenPage, world: World) -> None:
    world.start()
    app = open_page("/database")
    app.checkbox(key="rehearse-predict").check().run()
    press(app, "Rehearse the deploy")
    assert [job.payload.get("predict") for job in recent_jobs(world.store, TARGET, kind="rehearse")] == [True]


def test_predicted_times_stand_with_their_error(open_page: OpenPage, world: World) -> None:
    world.start()
    statement = {"file": "a.sql", "line": 1, "sql": "ALTER", "locks": {"public.users": "AccessExclusiveLock"}, "ms": 2}
    there = {"predicted_ms": {"ms": 400, "low": 267, "high": 600}, "stall_ms": 400}
    predicted = {"transaction_ms": 400, "stall_ms": 400, "error": 1.5}
    rehearsed(world, statements=[{**statement, **there}], predicted=predicted)
    app = open_page("/database")
    assert not app.exception
    shown = told(app)
    assert "about 400 ms from BEGIN to COMMIT, writers wait 400 ms at most" in shown
    assert "right within a factor of 1.5: 267 ms to 600 ms" in shown
    assert app.dataframe[-1].value["Between, ms"].tolist() == ["267 to 600"]


def test_why_no_time_could_be_predicted_is_said(open_page: OpenPage, world: World) -> None:
    world.start()
    rehearsed(world, not_predicted="The time could not be predicted: a.sql:1 fails on made rows.")
    assert "fails on made rows" in told(open_page("/database"))


def test_advice_is_folded_and_apart_from_what_blocks(open_page: OpenPage, world: World) -> None:
    world.start()
    advice = {"rule": "unindexed-key", "object": "public.n", "message": "no index", "level": "info", "remedy": "Index."}
    doubled = {**advice, "rule": "rls-off", "message": "open to all"}
    security = [{"rule": "rls-off", "object": "public.n", "message": "open to all"}]
    rehearsed(world, advice=[advice, doubled], security=security, like_this_before="2 views were like this before.")
    app = open_page("/database")
    assert not app.exception
    assert any(one.label == "Advice, which blocks nothing (1)" for one in app.expander)
    assert "2 views were like this before." in told(app)


def test_what_is_broken_on_purpose_is_not_counted_as_broken(open_page: OpenPage, world: World) -> None:
    world.start()
    broken = {"kind": "view", "object": "public.totals", "verdict": "fail", "message": "gone", "meant": True}
    rehearsed(world, inspection=[broken])
    app = open_page("/database")
    assert any("0 newly broken, 1 broken on purpose" in one.label for one in app.expander)


def test_a_way_back_that_failed_on_the_copy_is_not_told_as_tried_well(open_page: OpenPage, world: World) -> None:
    world.start()
    rehearsed(world, inverse={"sql": "DROP TABLE small;", "rehearsed": "fail", "why": "It is not the same."})
    app = open_page("/database")
    assert any("tried on the copy, and it fails" in one.label for one in app.expander)
    assert "It is not the same." in told(app)


def test_the_deploy_stays_closed_until_its_plan_is_approved_and_its_wait_accepted(
    open_page: OpenPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.panels.deploys.why_blocked", lambda *_: None)
    careful(world)
    world.start()
    slow = {"file": "a.sql", "line": 1, "sql": "ALTER", "stall_ms": 420, "locks": {}, "ms": 1}
    rehearsed(world, plan_hash=PLAN, statements=[slow])
    press(open_page("/database", part="Deploy"), "Ask for approval")
    app = open_page("/database", Role.ADMIN, part="Deploy")
    assert app.button(key="open-deploy").disabled and "This plan is not approved." in told(app)
    app = press(app, "Approve")
    app = open_page("/database", part="Deploy")
    assert app.button(key="open-deploy").disabled and "accept that first" in told(app)
    app.checkbox(key="accept-stall").check().run()
    assert not app.button(key="open-deploy").disabled


def test_a_refusal_is_still_there_when_the_page_has_refreshed(open_page: OpenPage, world: World) -> None:
    careful(world)
    world.start()
    rehearsed(world, plan_hash=PLAN)
    press(open_page("/database", part="Deploy"), "Ask for approval")
    app = press(open_page("/database", Role.ADMIN, part="Deploy"), "Refuse")
    assert "A no needs its reason." in told(app.run())
    press(app, "Approve")
    assert "A no needs its reason." not in told(app)


def test_what_is_tried_again_is_said_once_and_the_wait_names_its_statement(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    job = world.queued("deploy", run_id=run_id, step_id="during-1")
    first = {"index": 1, "of": 2, "file": "a.sql", "line": 1, "sql": "DO", "state": "done", "ms": 1}
    for attempt in (1, 2):
        world.told(job, "notice", {"message": "found", "severity": "NOTICE"})
        world.told(job, "statement", first)
        blocker = {"pid": 77, "user": "ann", "application": "psql", "relation": "public.users"}
        world.told(job, "blocker", {**blocker, "file": "a.sql", "line": 9})
        world.told(job, "retry", {"attempt": attempt, "of": 30, "pause_s": 0.2, "file": "a.sql", "line": 9})
    world.told(job, "statement", first)
    app = open_page("/database", part="Deploy")
    assert any(code.value == "NOTICE: found (2 times)" for code in app.code)
    shown = told(app)
    assert "a.sql:9, try 2 of 30" in shown and "process 77" in shown
    world.told(job, "statement", {**first, "index": 2, "line": 9})
    assert "It waits for a lock" not in told(open_page("/database", part="Deploy"))


def test_a_deploy_that_was_rolled_back_says_so(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    world.ended("deploy", JobState.PASSED, "Applied.", {"applied": True}, run_id=run_id, step_id="during-1")
    assert "It was rolled back" not in told(open_page("/database", part="Deploy"))
    world.ended("rollback", JobState.PASSED, "Rolled back.", {"fingerprint_restored": True}, run_id=run_id)
    assert "It was rolled back" in told(open_page("/database", part="Deploy"))


def test_a_restore_tells_what_it_left_and_its_conflicts(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    gone = {"fingerprint_restored": True, "rows_lost": 0, "snapshot_id": "s1"}
    world.ended("rollback", JobState.PASSED, "Rolled back.", gone, run_id=run_id)
    conflict = {"table": "public.users", "why": "both altered it", "rows": 3, "keys": ["1", "2"]}
    came = {"rows_restored": 5, "rows_taken_out": 2, "conflicts": [conflict], "not_restored": ["a column's place"]}
    came["recreated"] = ["public.logs", "public.users.uses"]
    world.ended("restore", JobState.FAILED, "5 rows are back.", came, payload={"snapshot_id": "s1", "undo": True})
    app = open_page("/rollback")
    assert not app.exception
    shown = told(app)
    assert "5 put back, 2 of the change taken out" in shown
    assert "Stands again: public.logs, public.users.uses" in shown
    assert "were brought back since" in shown
    assert "Conflicts in 3 rows" in shown and "a column's place" in shown


def test_what_is_applied_and_not_well_is_not_offered_to_be_run_again(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    conflict = {"table": "public.users", "why": "both altered it", "rows": 1, "keys": ["1"]}
    came = {"applied": True, "fingerprint_restored": True, "rows_lost": 0, "conflicts": [conflict]}
    world.ended("rollback", JobState.FAILED, "Rolled back. 1 conflict.", came, run_id=run_id)
    app = open_page("/rollback")
    assert "Failed · but applied" in told(app) and "Conflicts in 1 row" in told(app)
    assert "Run it again" not in {button.label for button in app.button}


@pytest.mark.parametrize(("applied", "offered"), [(True, "Look again"), (False, "Run it again")])
def test_a_deploy_that_is_in_is_looked_at_again_and_another_is_run(
    open_page: OpenPage, world: World, applied: bool, offered: str
) -> None:
    run_id = world.start()
    came = {"applied": applied, "verdict": "fail"}
    world.ended("deploy", JobState.FAILED, "A query finds rows.", came, run_id=run_id, step_id="during-1")
    app = open_page("/database", part="Deploy")
    assert ("Failed · but applied" in told(app)) is applied
    assert {"Look again", "Run it again"} & {button.label for button in app.button} == {offered}


def test_an_undo_is_asked_for_by_its_phrase_and_not_by_a_viewer(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    gone = {"fingerprint_restored": True, "rows_lost": 0, "snapshot_id": "s1"}
    world.ended("rollback", JobState.PASSED, "Rolled back.", gone, run_id=run_id)
    viewer = open_page("/rollback", Role.VIEWER)
    assert viewer.button(key="went-undo-s1").disabled
    target = world.settings.target(TARGET)
    asked: dict[str, Any] = {
        "actor": world.actor(Role.ADMIN),
        "target": target,
        "snapshot_id": "s1",
        "seen": 0,
        "now": world.now,
    }
    with pytest.raises(NotUnderstood):
        undo_change(world.store, phrase="undo s1", **asked)
    undo_change(world.store, phrase=undo_phrase("s1", TARGET), **asked)
    undo_change(world.store, phrase=undo_phrase("s1", TARGET), **asked)
    found = recent_jobs(world.store, TARGET, kind="restore")
    assert [job.payload for job in found] == [{"snapshot_id": "s1", "undo": True}]


def test_how_the_copy_was_made_is_said_where_it_was_not_the_usual_way(open_page: OpenPage, world: World) -> None:
    world.start()
    rehearsed(world, shadow={"copied_by": "definitions", "stands_in": False, "sentence": "Made from the catalog."})
    assert "Made from the catalog." in told(open_page("/database"))
    rehearsed(world, shadow={"copied_by": "pg_dump", "stands_in": False, "sentence": "Made by pg_dump."})
    assert "Made by pg_dump." not in told(open_page("/database"))


def test_while_a_rollback_runs_what_would_go_is_not_read(
    open_page: OpenPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.panels.backout.rollback_preview_now", lambda *_: pytest.fail("it was read"))
    run_id = world.start()
    world.queued("rollback", run_id=run_id)
    app = open_page("/rollback", losses="true")
    assert not app.exception
    assert "A rollback is running" in told(app)


def test_what_a_rollback_may_take_unseen_is_named_and_not_only_counted(
    open_page: OpenPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = {"kind": "statement", "object": "010.sql:7: a DO block", "effect": "unknown", "rows": None, "bytes": None}
    seen = {"sentence": "No row goes; of 1 thing it is not known.", "as_of": world.now, "losses": [loss]}
    preview = {**seen, "not_restored": (), "derived": ""}
    monkeypatch.setattr("dashboard.panels.backout.rollback_preview_now", lambda *_: preview)
    world.start()
    app = open_page("/rollback", losses="true")
    assert not app.exception
    assert "Not known what it takes: 010.sql:7: a DO block" in told(app)


def test_a_statement_of_nobody_knows_how_many_says_its_number_only(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    job = world.queued("rollback", run_id=run_id)
    event = {"index": 3, "of": None, "file": "inverse.sql", "line": 17, "sql": "DROP TABLE t", "state": "running"}
    world.told(job, "statement", event)
    shown = told(open_page("/rollback"))
    assert "Statement 3 · inverse.sql:17" in shown and "None" not in shown


def test_after_a_rollback_nothing_is_left_to_take_back(
    open_page: OpenPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def already(*_: object) -> NoReturn:
        raise RolledBackAlready(world.now, world.actor(Role.ADMIN).id)

    monkeypatch.setattr("dashboard.panels.backout.rollback_preview_now", already)
    run_id = world.start()
    world.ended("rollback", JobState.PASSED, "Rolled back.", {"fingerprint_restored": True}, run_id=run_id)
    app = open_page("/rollback", losses="true")
    assert "Nothing of the release is there to take back." in told(app)
    assert not app.error
    assert not [button for button in app.button if button.key == "open-rollback"]
