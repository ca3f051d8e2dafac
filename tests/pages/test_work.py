"""The pages of work: rehearsal, deploy, verification, back-out, war room, history, settings."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from services.access.permissions import Role
from services.errors import Unavailable
from services.jobs.queue import JobState, recent_jobs
from services.releases.ledger import list_runs, pin
from services.verdict import Verdict
from tests.pages.conftest import OpenPage, texts
from tests.pages.world import TARGET, World, small_release

FAILURE = {
    "file": "deploy/010_table.sql",
    "line": 7,
    "sqlstate": "42P17",
    "message": "functions in index expression must be marked IMMUTABLE",
    "class": "not-immutable",
}


def told(app: Any) -> str:
    return texts(app).replace("\\", "")


def rehearsed(world: World, **result: Any) -> None:
    document = {
        "verdict": "pass",
        "failure": None,
        "second_run": None,
        "unknown_because": [],
        "statements": [
            {"file": "deploy/010_table.sql", "line": 1, "sql": "CREATE TABLE small ()", "lock": None, "rows_scanned": 0}
        ],
        "dangers": [],
        "security": [],
        "took_ms": 900,
        "content_hash": small_release().content_hash,
        **result,
    }
    state = {"pass": JobState.PASSED, "fail": JobState.FAILED}.get(document["verdict"], JobState.UNKNOWN)
    world.ended("rehearse", state, "It was rehearsed.", document)


def test_a_rehearsal_that_failed_names_file_line_and_class(open_page: OpenPage, world: World) -> None:
    world.start()
    rehearsed(world, verdict="fail", failure=FAILURE)
    shown = told(open_page("/database"))
    assert "deploy/010_table.sql:7, SQLSTATE 42P17 (not-immutable)" in shown
    assert FAILURE["message"] in shown


def test_dangers_and_reasons_of_doubt_are_shown(open_page: OpenPage, world: World) -> None:
    world.start()
    danger = {"class": "loss", "object": "public.users", "detail": "drops a column", "line": 4}
    rehearsed(world, verdict="unknown", dangers=[danger], unknown_because=["The rows were not copied."])
    shown = told(open_page("/database"))
    assert "loss] **public.users** drops a column" in shown
    assert "The rows were not copied." in shown


def test_a_rehearsal_of_other_content_does_not_count(open_page: OpenPage, world: World) -> None:
    world.start()
    rehearsed(world, content_hash="other")
    assert "The last rehearsal was of other content." in told(open_page("/database"))


def test_a_viewer_cannot_rehearse(open_page: OpenPage, world: World) -> None:
    world.start()
    app = open_page("/database", Role.VIEWER)
    assert next(button for button in app.button if button.label == "Rehearse the deploy").disabled


def test_the_deploy_is_closed_until_its_steps_are_settled_and_says_which(open_page: OpenPage, world: World) -> None:
    world.start()
    app = open_page("/database", part="Deploy")
    assert app.button(key="open-deploy").disabled
    assert "Not settled yet: before-1, before-2, before-3" in told(app)


def test_a_deploy_that_runs_shows_its_statement_and_what_the_database_says(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    job = world.queued("deploy", run_id=run_id, step_id="during-1")
    event = {"index": 2, "of": 9, "file": "deploy/010.sql", "line": 3, "sql": "SELECT 1", "state": "done", "ms": 1}
    world.told(job, "statement", event)
    world.told(job, "notice", {"message": "<b>column</b> added", "severity": "NOTICE"})
    app = open_page("/database", part="Deploy")
    assert "Statement 2 of 9" in told(app)
    assert any(code.value == "NOTICE: <b>column</b> added" for code in app.code)


def test_an_interrupted_job_can_be_resumed_once(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    world.ended("deploy", JobState.INTERRUPTED, "The worker died before COMMIT.", run_id=run_id, step_id="during-1")
    app = open_page("/database", part="Deploy")
    assert "The worker died before COMMIT." in told(app)
    next(button for button in app.button if button.label == "Resume").click().run()
    assert [job.state for job in recent_jobs(world.store, TARGET, kind="deploy")] == [JobState.QUEUED]


def test_verification_opens_to_what_is_wrong(open_page: OpenPage, world: World) -> None:
    world.start()
    queries = [
        {
            "id": "010_exists",
            "verdict": "fail",
            "rows": 3,
            "columns": ["id"],
            "sample": [["1"]],
            "proves": "It is. Yes.",
        },
        {"id": "020_rights", "verdict": "pass", "rows": 0, "columns": [], "sample": [], "proves": "Closed."},
    ]
    world.ended("verify", JobState.FAILED, "1 of 2.", {"verdict": "fail", "queries": queries})
    labels = [row.label for row in open_page("/verification").expander]
    assert len(labels) == 2
    assert "red-badge" in labels[0]
    assert "3 rows" in labels[0]
    only = [row.label for row in open_page("/verification", only_bad="true").expander]
    assert len(only) == 1


def test_without_a_pin_there_is_nothing_to_bring_back(open_page: OpenPage, world: World) -> None:
    world.start()
    assert "No build is pinned" in told(open_page("/rollback"))


def test_the_back_out_is_asked_for_once(open_page: OpenPage, world: World) -> None:
    run_id = world.start()
    serving = {"commit": "0123456789abcdef", "build": "old", "deployment_id": "d1", "paths": ["/"]}
    pin(world.store, run_id=run_id, actor=world.actor(), serving=serving, now=world.now, job_id="job-1")
    first, second = open_page("/rollback"), open_page("/rollback")
    for app in (first, second):
        next(button for button in app.button if button.label == "Bring the app back to 0123456789").click().run()
    assert len(recent_jobs(world.store, TARGET, kind="back_out_app")) == 1


def test_a_database_that_cannot_be_read_leaves_the_rest_of_the_page(
    open_page: OpenPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start()

    def down(*_: object) -> object:
        raise Unavailable("The database does not answer.", "What would go is not known.", "Look at it.")

    monkeypatch.setattr("dashboard.panels.backout.rollback_preview_now", down)
    app = open_page("/rollback", losses="true")
    assert not app.exception
    assert "1 · Bring the app back" in told(app)
    assert "The database does not answer." in told(app)
    assert any(one.label.startswith("What is kept") for one in app.expander)
    assert "Backups" in told(app)


def test_a_tile_is_green_only_for_what_was_seen_just_now(open_page: OpenPage, world: World) -> None:
    world.start()
    for check in ("supabase-project", "auth-answers", "backup-fresh"):
        world.evidence(check, Verdict.PASS, "It was seen.")
    tiles = [line for line in told(open_page("/war-room")).splitlines() if "badge[" in line]
    assert sum("green-badge" in tile for tile in tiles) == 1
    world.evidence("backup-fresh", Verdict.PASS, "The backup is fresh.", age=timedelta(minutes=4))
    tiles = [line for line in told(open_page("/war-room")).splitlines() if "badge[" in line]
    assert not any("green-badge" in tile for tile in tiles)


def test_a_diagnosis_shows_its_causes_with_what_speaks_for_and_against(open_page: OpenPage, world: World) -> None:
    cause = {
        "id": "openai-no-quota",
        "title": "No quota",
        "confidence": "likely",
        "for": ["openai-key: 429"],
        "against": ["openai-model: fine"],
        "next_check": "openai-key",
        "playbook": None,
    }
    document = {
        "state": "explained",
        "symptoms": ["ai-quality: canned"],
        "causes": [cause],
        "ruled_out": ["api-timeout"],
        "ruled_out_because": {"api-timeout": "the app answers"},
        "not_explained": ["admin-numbers: zero"],
    }
    world.ended("diagnose", JobState.FAILED, "No quota (likely).", document)
    app = open_page("/war-room")
    shown = told(app)
    assert "For:] openai-key: 429" in shown
    assert "Against:] openai-model: fine" in shown
    assert "- **api-timeout** the app answers" in shown
    assert "- admin-numbers: zero" in shown.split("Not explained by these causes:")[1]


def test_only_a_disposable_target_can_be_broken(open_page: OpenPage) -> None:
    assert not any("Break something" in row.label for row in open_page("/war-room").expander)


def test_an_incident_is_opened_once_and_is_in_the_address(open_page: OpenPage, world: World) -> None:
    app = open_page("/war-room")
    app.text_input(key="draft-incident-title").input("AI is canned").run()
    app.button(key="open-incident").click().run()
    assert "AI is canned" in told(app)
    assert str(app.query_params["incident"]).startswith("inc-")


def test_a_job_in_the_address_opens_its_story(open_page: OpenPage, world: World) -> None:
    job = world.ended("score", JobState.PASSED, "10 of 10.", {"passed": 10, "of": 10})
    app = open_page("/history", job=job.id)
    assert not app.exception
    assert "10 of 10." in told(app)


def test_the_audit_says_whether_its_chain_holds(open_page: OpenPage, world: World) -> None:
    world.start()
    assert "Every entry follows from the one before" in told(open_page("/history", part="Audit"))


def test_settings_show_that_a_secret_is_set_and_never_what_it_is(
    tmp_path: Any, open_page: OpenPage, world: World
) -> None:
    secret = "sb-secret-value-0123456789"
    path = world.home / "targets" / f"{TARGET}.json"
    path.write_text(path.read_text(encoding="utf-8").replace("{", f'{{"supabase_service_key": "{secret}", ', 1))
    app = open_page("/settings")
    states = dict(zip(app.dataframe[0].value["Setting"], app.dataframe[0].value["State"], strict=True))
    assert states["supabase_service_key"] == f"set, {len(secret)} characters"
    assert states["openai_key"] == "not set"
    assert secret not in str(app)


def test_an_unexpected_error_gives_a_reference_and_neither_message_nor_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.components import problem

    shown: list[str] = []
    monkeypatch.setattr(problem.st, "error", lambda text, **_: shown.append(text))
    with caplog.at_level(logging.ERROR, logger="dashboard"):
        assert problem.show_script_error(RuntimeError("postgresql://u:hunter2@db/x"))
    reference = shown[0].split("`")[1]
    assert reference in caplog.text
    assert "hunter2" not in shown[0] + caplog.text


def test_starting_a_release_twice_from_the_same_screen_starts_one_run(open_page: OpenPage, world: World) -> None:
    first, second = open_page("/"), open_page("/")
    for app in (first, second):
        app.button(key="start-beta-optimization").click().run()
    assert len(list_runs(world.store, TARGET)) == 1
    assert first.query_params["run"] == second.query_params["run"]
