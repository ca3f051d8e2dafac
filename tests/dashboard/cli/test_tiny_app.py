"""A second, tiny app with a Postgres and an address: checked, scored and diagnosed like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import MakeDatabase
from tests.dashboard.cli.conftest import Run
from tests.tiny_app.served import FOLDER, GuestBook, served

NEVER_USED = {"Supabase", "Railway", "OpenAI", "status pages"}


@pytest.fixture
def book(make_database: MakeDatabase) -> Iterator[GuestBook]:
    with served(make_database()) as found:
        yield found


@pytest.fixture
def run_tiny(run: Run, book: GuestBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line on a target whose app is the guest book, found in a folder of its own."""
    monkeypatch.setenv("OPS_APPS", str(FOLDER))
    targets = tmp_path / "home" / "targets"
    targets.mkdir(parents=True)
    values = {"app": "tiny", "production": False, "levels": ["look", "observe", "probe"], "app_url": book.address}
    (targets / "sandbox.json").write_text(json.dumps({**values, "database_url": book.database_url}))
    return run


def test_its_checks_run_and_what_it_does_not_use_is_not_used(run_tiny: Run) -> None:
    document = run_tiny("check", "--json").document
    verdicts = {one["id"]: one["verdict"] for one in document["checks"]}
    assert verdicts["guests-answer"] == verdicts["guest-stored"] == verdicts["database-direct"] == "pass"
    left_out = {one["id"] for one in document["not_used"]}
    assert {"supabase-project", "deployment-state", "openai-key"} <= left_out
    assert left_out.isdisjoint(verdicts)
    assert all(one["why"].startswith("Not used: this app does not use") for one in document["not_used"])


def test_no_check_of_it_is_unknown_for_want_of_what_it_does_not_use(run_tiny: Run) -> None:
    for one in run_tiny("check", "--json").document["checks"]:
        assert one["verdict"] != "unknown" or not any(word in one["summary"] for word in NEVER_USED), one["summary"]


def test_not_used_is_told_in_words(run_tiny: Run) -> None:
    said = run_tiny("check", "openai-key")
    assert said.out == "not used  openai-key  Not used: this app does not use OpenAI.\n"
    assert said.code == 2


def test_its_score_counts_its_own_features(run_tiny: Run) -> None:
    said = run_tiny("score", "--json")
    assert (said.document["passed"], said.document["of"], said.code) == (2, 2, 0)
    assert said.document["old"] is None
    assert "openai-key" in {one["id"] for one in said.document["not_used"]}


def test_a_guest_who_is_thanked_for_and_not_stored_lowers_its_score(run_tiny: Run, book: GuestBook) -> None:
    book.forgetful = True
    said = run_tiny("score", "--json")
    assert (said.document["passed"], said.document["of"], said.code) == (1, 2, 1)


def test_its_check_leaves_nothing_behind(run_tiny: Run, book: GuestBook) -> None:
    run_tiny("check", "guest-stored", "--json")
    with psycopg.connect(book.database_url) as conn:
        assert conn.execute("select count(*) from guests").fetchone() == (0,)


def test_it_is_diagnosed_by_its_own_causes(run_tiny: Run, book: GuestBook) -> None:
    assert run_tiny("diagnose", "--json").document["state"] == "healthy"
    book.forgetful = True
    found = run_tiny("diagnose", "--json").document
    assert (found["state"], found["causes"][0]["id"]) == ("explained", "guests-not-stored")


def test_it_is_looked_at_from_outside(run_tiny: Run, book: GuestBook) -> None:
    checks = run_tiny("look", book.address, "--target", "sandbox", "--json").document["checks"]
    assert ("guests-answer", "pass") in [(one["id"], one["verdict"]) for one in checks]
