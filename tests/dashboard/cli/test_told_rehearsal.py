"""A rehearsal told in lines holds all that was found, each with its place, and ends with the verdict and why."""

from __future__ import annotations

from typing import Any

from dashboard.cli.told_rehearsal import rehearsal

STATEMENT = {"file": "a.sql", "line": 1, "lock": "AccessExclusiveLock", "rows_written": 3, "ms": 1.5}
FAILURE = {
    "file": "a.sql",
    "line": 1,
    "sqlstate": "42703",
    "message": 'column "totl" does not exist',
    "means": "That column is not there.",
    "fix": "Write its name as it is.",
    "suggestion": "ALTER TABLE orders\n  DROP COLUMN total",
}


def document(**found: Any) -> dict[str, Any]:
    bare = {"verdict": "pass", "failure": None, "second_run": None, "unknown_because": [], "statements": [STATEMENT]}
    return {**bare, "dangers": [], "security": [], **found}


def lines(**found: Any) -> list[str]:
    return list(rehearsal(document(**found)).lines)


def test_a_good_one_says_what_was_seen() -> None:
    told = rehearsal(document())
    assert told.exit_code == 0
    assert told.lines == (
        "Statements",
        "  a.sql:1  AccessExclusiveLock  3 rows  1.5 ms",
        "pass: 1 statement ran twice on a copy without an error.",
    )


def test_a_failure_has_its_place_its_meaning_and_what_would_help() -> None:
    further = [{**FAILURE, "line": 5, "suggestion": None, "follows_from": None}, {**FAILURE, "follows_from": 1}]
    told = lines(verdict="fail", failure=FAILURE, further_failures=further)
    assert told[2:] == [
        "Fails",
        '  a.sql:1  42703  column "totl" does not exist',
        "  That column is not there.",
        "  Write its name as it is.",
        "  > ALTER TABLE orders",
        "  >   DROP COLUMN total",
        "Fails too",
        '  a.sql:5  42703  column "totl" does not exist',
        "  1 more follow from an earlier one",
        "fail: it fails at a.sql:1. Nothing was changed.",
    ]


def test_what_is_not_the_same_twice_has_its_guarded_form() -> None:
    again = [{"file": "a.sql", "line": 1, "kind": "rows", "detail": "3 rows more", "guarded": "SELECT 1"}]
    told = lines(not_idempotent=again)
    assert told[2:5] == [
        "Not the same when run twice",
        "  a.sql:1  changes rows once more: 3 rows more",
        "  > SELECT 1",
    ]


def test_what_works_no_longer_is_told_apart_from_what_is_meant() -> None:
    broken = {"kind": "view", "object": "totals", "verdict": "fail", "message": "It cannot be read.", "meant": False}
    told = lines(verdict="fail", inspection=[broken, {**broken, "object": "sums", "meant": True}])
    assert told[2:-1] == [
        "Works no longer",
        "  view  totals  It cannot be read.",
        "Works no longer, as the script says",
        "  view  sums  It cannot be read.",
    ]
    assert told[-1].startswith("fail: It runs, but totals no longer works as before.")


def test_dangers_stand_by_class_and_place() -> None:
    dangers = [
        {"class": "security", "object": "t", "detail": "open", "file": "a.sql", "line": 9},
        {"class": "loss", "object": "u", "detail": "gone", "file": "b.sql", "line": 1},
        {"class": "loss", "object": "t", "detail": "gone", "file": "a.sql", "line": 7},
    ]
    told = lines(dangers=dangers, security=[{"rule": "rls-off", "object": "t", "message": "open"}])
    assert [line.split()[1] for line in told[3:6]] == ["a.sql:7", "b.sql:1", "a.sql:9"]
    assert told[-1] == "pass: 1 statement ran twice on a copy without an error, with 3 dangers to look at."


def test_what_is_not_known_is_said() -> None:
    told = lines(verdict="unknown", unknown_because=["It reads the clock."], not_predicted="No time: no rows.")
    assert told[2:5] == ["On the target's real size", "  No time: no rows.", "Not known"]
    assert rehearsal(document(verdict="unknown")).exit_code == 2


def test_a_copy_that_was_not_made_by_pg_dump_is_told() -> None:
    shadow = {
        "copied_by": "definitions",
        "runs_as": "postgres",
        "stands_in": True,
        "sentence": "Made from definitions.",
    }
    assert lines(shadow=shadow)[:2] == ["The copy", "  Made from definitions."]
    assert lines(shadow={**shadow, "copied_by": "pg_dump", "stands_in": False})[0] == "Statements"
