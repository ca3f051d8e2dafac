"""A deploy by URL that is bound to what `rehearse --json` printed: its catalog, its content, its predicted stalls."""

from __future__ import annotations

import json
import math
from pathlib import Path

import psycopg
import pytest

from dashboard.cli.rehearsal_file import rehearsal_in
from services.errors import NotUnderstood
from services.releases.bundle import load_release
from tests.dashboard.cli.conftest import Run, Said

CONFIRMED = ("--database", "env:DB", "--confirm", "deploy change to database", "--json")


def rehearse(run: Run, change: Path, folder: Path) -> Path:
    said = run("rehearse", str(change), "--database", "env:DB", "--json")
    assert said.code == 0
    file = folder / "rehearsal.json"
    file.write_text(said.out)
    return file


def deploy(run: Run, change: Path, rehearsal: Path, *more: str) -> Said:
    return run("deploy", str(change), "--rehearsal", str(rehearsal), *more, *CONFIRMED)


def test_drift_stops_it_and_is_named_and_what_was_rehearsed_goes_through(
    run: Run, database: str, change: Path, tmp_path: Path
) -> None:
    rehearsal = rehearse(run, change, tmp_path)
    with psycopg.connect(database) as conn:
        conn.execute("ALTER TABLE people ADD COLUMN sneaked_in int")
    refused = deploy(run, change, rehearsal)
    assert refused.code == 1
    assert "column public.people.sneaked_in" in str(refused.error["what"])
    with psycopg.connect(database) as conn:
        conn.execute("ALTER TABLE people DROP COLUMN sneaked_in")
    went = deploy(run, change, rehearsal)
    assert (went.code, went.document["state"]) == (0, "done")


def test_another_content_and_a_longer_stall_are_refused(run: Run, database: str, change: Path, tmp_path: Path) -> None:
    stall = {"stall_ms": 900.0, "locks": {"public.people": "AccessExclusiveLock"}}
    rehearsal = rehearse(run, change, tmp_path)
    told = json.loads(rehearsal.read_text())
    told["statements"][0] |= stall
    rehearsal.write_text(json.dumps(told))
    stalled = deploy(run, change, rehearsal)
    assert stalled.code == 1
    assert "public.people" in str(stalled.error["what"])
    assert "--accept-stall 900" in str(stalled.error["do"])
    change.write_text(change.read_text() + "SELECT 1;\n")
    assert "another content" in str(deploy(run, change, rehearsal).error["what"])
    change.write_text(change.read_text().removesuffix("SELECT 1;\n"))
    assert deploy(run, change, rehearsal, "--accept-stall", "900").code == 0


def test_a_file_that_is_no_rehearsal_cannot_be_understood(run: Run, database: str, change: Path) -> None:
    assert deploy(run, change, change).code == 64


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"statements": [{}]}, "statements[0].file is no text"),
        ({"statements": ["x"]}, "statements[0] is no object"),
        ({"statements": None}, "statements is no list"),
        ({"statements": [{"file": "a", "line": 1, "sql": "x", "locks": [1]}]}, "statements[0].locks is no object"),
        ({"statements": [{"file": "a", "line": 1, "sql": "x", "stall_ms": math.nan}]}, "statements[0].stall_ms is"),
        ({"target_fingerprint": None}, "target_fingerprint is not 64 hexadecimal digits"),
        ({"plan_hash": "short"}, "plan_hash is not 64 hexadecimal digits"),
        ({"order": "01"}, "order is neither null nor a list"),
        ({"verdict": True}, "verdict is none of"),
        ({"content_hash": 7}, "content_hash is not 64"),
    ],
)
def test_the_file_of_a_rehearsal_is_read_with_the_place_of_its_fault(
    change: Path, tmp_path: Path, fault: dict[str, object], said: str
) -> None:
    release = load_release(change)
    good = {
        "verdict": "pass",
        "content_hash": release.content_hash,
        "target_fingerprint": "a" * 64,
        "plan_hash": "b" * 64,
        "order": [0],
        "statements": [{"file": "change.sql", "line": 1, "sql": "SELECT 1", "locks": {}, "stall_ms": None}],
    }
    file = tmp_path / "rehearsal.json"
    file.write_text(json.dumps(good))
    assert rehearsal_in(file, release) == good
    file.write_text(json.dumps({**good, **fault}))
    with pytest.raises(NotUnderstood) as refused:
        rehearsal_in(file, release)
    assert said in refused.value.what


@pytest.mark.parametrize(
    ("held", "said"),
    [(b"[]", "it is no object"), (b"\xff\xfe", "byte 0 is no UTF-8"), (b'{"a":\n x}', "line 2, column 2 is no JSON")],
)
def test_what_is_no_document_is_told_by_its_place(change: Path, tmp_path: Path, held: bytes, said: str) -> None:
    file = tmp_path / "rehearsal.json"
    file.write_bytes(held)
    with pytest.raises(NotUnderstood, match=said):
        rehearsal_in(file, load_release(change))
    with pytest.raises(NotUnderstood, match="cannot be read"):
        rehearsal_in(tmp_path / "nowhere.json", load_release(change))


def test_what_the_target_lists_no_longer_as_had_does_not_run_unrehearsed(
    run: Run, database: str, tmp_path: Path
) -> None:
    folder = tmp_path / "journal" / "migrations"
    folder.mkdir(parents=True)
    (folder / "20260101000000_one.sql").write_text("INSERT INTO people SELECT 5;\n")
    (folder / "20260102000000_two.sql").write_text("ALTER TABLE people ADD COLUMN IF NOT EXISTS beta boolean;\n")
    with psycopg.connect(database) as conn:
        conn.execute("CREATE SCHEMA supabase_migrations")
        conn.execute("CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY)")
        conn.execute("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260101000000')")
    rehearsal = rehearse(run, folder, tmp_path)
    with psycopg.connect(database) as conn:
        conn.execute("DELETE FROM supabase_migrations.schema_migrations")
    confirmed = (*CONFIRMED[:3], "deploy journal to database", "--json")
    said = run("deploy", str(folder), "--rehearsal", str(rehearsal), *confirmed)
    assert said.code == 1
    assert "list of applied migrations has changed since the rehearsal: 20260101000000_one.sql would run as well" in (
        str(said.error["what"])
    )
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT count(*) FROM people").fetchone() == (0,)


def test_the_bare_address_of_a_target_is_no_way_past_its_second_person(
    run: Run, database: str, change: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {"READ_ONLY_URL": database, "PRODUCTION": "false", "SECOND_APPROVAL": "true"}.items():
        monkeypatch.setenv(f"OPS_TARGETS__STAGING__{key}", value)
    monkeypatch.setenv("DB", database.replace("127.0.0.1", "localhost"))
    said = run("deploy", str(change), *CONFIRMED)
    assert (said.code, said.error["place"]) == (1, "--database")
    assert "the database of staging, where a second person has to approve" in str(said.error["what"])
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT to_regclass('ops.deploy_receipts')").fetchone() == (None,)
    monkeypatch.setenv("OPS_TARGETS__STAGING__SECOND_APPROVAL", "false")
    assert run("deploy", str(change), *CONFIRMED).code == 0
