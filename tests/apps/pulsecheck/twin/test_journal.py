"""What both builds do alike: the journal over HTTP, its validation, its numbers, and the words that prove nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.pulsecheck.twin.contract import ApiError
from apps.pulsecheck.twin.journal import statistics, validated
from tests.services.sandbox.twin_world import HAPPY, JOURNAL, TIRED, TwinWorld

ENTRIES = f"{JOURNAL}/entries"


def test_health_says_the_same_in_every_build(old: TwinWorld, beta: TwinWorld) -> None:
    said = old.app.get("/health").json()
    assert said == beta.app.get("/health").json()
    assert (said["status"], said["config_loaded"]) == ("healthy", True)


def test_an_entry_is_written_to_the_database_and_reads_back(either: TwinWorld) -> None:
    answer = either.app.post(ENTRIES, json={**TIRED, "sleep_hours": 6.5, "tags": ["work"]})
    entry = answer.json()
    assert answer.status_code == 200
    assert (entry["user_id"], entry["sleep_hours"], entry["tags"]) == ("user_123", 6.5, ["work"])
    assert {"id", "created_at", "updated_at", "ai_insights", "ai_generated_at"} <= set(entry)
    assert either.sql("select mood_level from journal_entries where id = %s", entry["id"]) == [(3,)]
    assert either.app.get(f"{ENTRIES}/{entry['id']}").json() == entry


@pytest.mark.parametrize("entry_id", ["11111111-1111-4111-8111-111111111111", "no-uuid"])
def test_an_entry_there_is_not_is_404(either: TwinWorld, entry_id: str) -> None:
    for path in ("", "/pulse", "/analysis"):
        assert either.app.get(f"{ENTRIES}/{entry_id}{path}").status_code == 404


def test_entries_of_others_are_404(either: TwinWorld) -> None:
    ((other,),) = either.sql("select id::text from journal_entries where user_id <> 'user_123' limit 1")
    assert either.app.get(f"{ENTRIES}/{other}").status_code == 404


def test_the_list_is_paged_newest_first(either: TwinWorld) -> None:
    newest = either.entry(HAPPY)
    first = either.app.get(ENTRIES, params={"page": 1, "per_page": 3}).json()
    second = either.app.get(ENTRIES, params={"page": 2, "per_page": 3}).json()
    assert first["entries"][0]["id"] == newest["id"]
    assert (len(first["entries"]), first["page"], first["has_next"], first["has_prev"]) == (3, 1, True, False)
    assert second["has_prev"]
    assert not {one["id"] for one in first["entries"]} & {one["id"] for one in second["entries"]}
    assert [(first["total"],)] == either.sql("select count(*) from journal_entries where user_id = 'user_123'")


def test_the_statistics_equal_the_rows(either: TwinWorld) -> None:
    said = either.app.get(f"{JOURNAL}/stats").json()
    ((count, mood, stress),) = either.sql(
        "select count(*), round(avg(mood_level), 2)::float, round(avg(stress_level), 2)::float"
        " from journal_entries where user_id = 'user_123'"
    )
    assert said["total_entries"] == count
    assert said["average_mood"] == pytest.approx(mood, abs=0.011)
    assert said["average_stress"] == pytest.approx(stress, abs=0.011)


def test_check_ins_are_written_listed_and_summed_up(either: TwinWorld) -> None:
    made = either.app.post("/api/v1/checkins", json={"mood_level": 7, "energy_level": 6}).json()
    assert either.app.get("/api/v1/checkins").json()[0]["id"] == made["id"]
    assert either.app.get(f"/api/v1/checkins/{made['id']}").json() == made
    assert either.app.get("/api/v1/checkins/summary").json()["total"] >= 1
    assert either.app.post("/api/v1/checkins", json={"mood_level": 11}).status_code == 422


def test_the_other_reads_answer(either: TwinWorld) -> None:
    assert either.app.get("/api/v1/users/me").json()["email"] == "user_123@example.com"
    analyses = either.app.get("/api/v1/analyses").json()
    assert all(one["burnout_risk_level"] in {"low", "moderate", "high"} for one in analyses)
    assert either.app.get(f"{JOURNAL}/tags").json()["tags"]
    assert len(either.app.get(f"{JOURNAL}/moods", params={"days": 3}).json()["moods"]) <= 3


def test_every_path_of_the_document_is_served(either: TwinWorld) -> None:
    entry = either.entry()
    document = either.app.get("/openapi.json").json()
    assert either.app.get("/docs").status_code == 200
    for path, methods in document["paths"].items():
        if "get" in methods and "{row_id}" not in path:
            assert either.app.get(path.replace("{entry_id}", entry["id"])).status_code == 200, path


def test_an_unknown_path_is_404(either: TwinWorld) -> None:
    answer = either.app.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("changes", "field", "kind"),
    [
        ({"content": "too short"}, "content", "string_too_short"),
        ({"content": "x" * 2001}, "content", "string_too_long"),
        ({"content": 7}, "content", "string_type"),
        ({"mood_level": 0}, "mood_level", "greater_than_equal"),
        ({"energy_level": 11}, "energy_level", "less_than_equal"),
        ({"stress_level": "many"}, "stress_level", "int_type"),
        ({"stress_level": 5.5}, "stress_level", "int_type"),
        ({"sleep_hours": 25}, "sleep_hours", "less_than_equal"),
        ({"work_hours": "all"}, "work_hours", "float_type"),
        ({"tags": "work"}, "tags", "list_type"),
    ],
)
def test_a_wrong_field_is_422_and_named(changes: dict[str, Any], field: str, kind: str) -> None:
    with pytest.raises(ApiError) as caught:
        validated({**TIRED, **changes})
    (problem,) = caught.value.detail
    assert (caught.value.status, problem["loc"], problem["type"]) == (422, ["body", field], kind)


def test_a_missing_field_and_a_body_that_is_no_object_are_422(either: TwinWorld) -> None:
    missing = either.app.post(ENTRIES, json={"content": "long enough to be read"})
    assert (missing.status_code, missing.json()["detail"][0]["loc"]) == (422, ["body", "mood_level"])
    assert either.app.post(ENTRIES, json=[1]).status_code == 422
    assert either.app.post(ENTRIES, content=b"{").status_code == 422
    assert either.app.get(ENTRIES, params={"page": "x"}).status_code == 422
    assert either.app.get(ENTRIES, params={"per_page": 101}).status_code == 422


def entry_of(day: int, mood: int) -> dict[str, Any]:
    moment = datetime(2026, 3, 31, 9, tzinfo=UTC) - timedelta(days=day)
    return {"created_at": moment.isoformat(), "mood_level": mood, "energy_level": 5, "stress_level": 5}


def test_streaks_count_days_in_a_row() -> None:
    found = statistics([entry_of(day, 5) for day in (0, 0, 1, 4, 5, 6, 9)])
    assert (found["current_streak"], found["longest_streak"]) == (2, 3)


@pytest.mark.parametrize(("newer", "older", "trend"), [(8, 4, "improving"), (3, 6, "declining"), (5, 5, "stable")])
def test_the_trend_compares_seven_with_seven(newer: int, older: int, trend: str) -> None:
    moods = [newer] * 7 + [older] * 7
    assert statistics([entry_of(0, mood) for mood in moods])["mood_trend"] == trend


def test_of_no_entries_the_statistics_are_empty() -> None:
    found = statistics([])
    assert (found["current_streak"], found["average_mood"], found["last_entry_date"]) == (0, 0.0, None)
