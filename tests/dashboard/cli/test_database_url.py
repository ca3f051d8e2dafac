"""A release on a database given by URL: no target, no store; the phrase calls it `database`."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest

from tests.conftest import MakeDatabase
from tests.dashboard.cli.conftest import Run

CHECKLIST = """\
id: tiny
title: A tiny release
risk: low
expected_minutes: 1
phases:
  - id: during
    title: During
    steps:
      - id: during-1
        title: Deploy it
        action: deploy
"""


@pytest.fixture
def database(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with one table of three rows; its address stands in the variable DB."""
    url = make_database()
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (1), (2), (3)")
    monkeypatch.setenv("DB", url)
    return url


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    for name, text in {
        "release.yaml": CHECKLIST,
        "deploy/010.sql": "CREATE TABLE IF NOT EXISTS gifts (id bigint);\nINSERT INTO gifts VALUES (1), (2);\n",
        "verify/010_there.sql": "-- Proves that there are gifts.\nSELECT 1 WHERE NOT EXISTS (SELECT FROM gifts);\n",
        "rollback/010.sql": "DROP TABLE gifts;\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    return {row[0] for row in found} & {"people", "gifts"}


def test_a_release_goes_in_and_out_by_url(run: Run, database: str, tiny: Path) -> None:
    where = ("--database", "env:DB", "--json")
    rehearsed = run("rehearse", str(tiny), *where)
    assert (rehearsed.code, rehearsed.document["verdict"]) == (0, "pass")
    assert set(rehearsed.document) >= {
        "verdict", "failure", "second_run", "unknown_because", "statements", "dangers", "security", "took_ms",
    }  # fmt: skip
    assert tables(database) == {"people"}

    deployed = run("deploy", str(tiny), *where, "--confirm", "deploy tiny to database")
    assert (deployed.code, deployed.document["verdict"]) == (0, "pass")
    assert deployed.document["receipt_id"]
    assert set(deployed.document) >= {"verdict", "statements", "notices", "verification", "receipt_id"}
    assert tables(database) == {"people", "gifts"}

    verified = run("verify", str(tiny), *where)
    assert (verified.code, verified.document["queries"][0]["rows"]) == (0, 0)

    seen = run("rollback", str(tiny), *where, "--preview")
    lost = [loss for loss in seen.document["blast_radius"] if loss["kind"] == "table"]
    assert (seen.code, lost[0]["object"], lost[0]["rows"]) == (0, "public.gifts", 2)
    assert tables(database) == {"people", "gifts"}

    back = run("rollback", str(tiny), *where, "--confirm", "rollback tiny on database")
    assert (back.code, back.document["fingerprint_restored"], back.document["rows_lost"]) == (0, True, 0)
    assert tables(database) == {"people"}

    again = run("restore", back.document["snapshot_id"], *where)
    assert (again.code, again.document["rows_restored"]) == (0, 2)
    assert tables(database) == {"people", "gifts"}


def test_restore_with_undo_takes_the_change_back_when_its_phrase_is_given(
    run: Run, database: str, tmp_path: Path
) -> None:
    where = ("--database", "env:DB", "--json")
    change = tmp_path / "swap.sql"
    change.write_text("CREATE TABLE gifts (id int); DROP TABLE people;")
    run("deploy", str(change), *where, "--confirm", "deploy swap to database")
    snapshot = str(run("kept", *where).document["kept"][0]["id"])
    for asked in ((), ("--confirm", "undo it on database")):
        assert run("restore", snapshot, "--undo", *asked, *where).code == 64
    assert run("restore", snapshot, "--confirm", f"undo {snapshot} on database", *where).code == 64
    assert tables(database) == {"gifts"}
    back = run("restore", snapshot, "--undo", "--confirm", f"undo {snapshot} on database", *where)
    assert (back.code, back.document["verdict"], tables(database)) == (0, "pass", {"people"})


def test_what_an_undo_keeps_is_told_to_be_by_whoever_undid(run: Run, database: str, tmp_path: Path) -> None:
    where = ("--database", "env:DB", "--json")
    change = tmp_path / "swap.sql"
    change.write_text("CREATE TABLE gifts (id int); DROP TABLE people;")
    run("deploy", str(change), *where, "--confirm", "deploy swap to database")
    (taken,) = run("kept", *where).document["kept"]
    with psycopg.connect(database) as conn:
        conn.execute("INSERT INTO gifts VALUES (1)")
    run("restore", taken["id"], "--undo", "--confirm", f"undo {taken['id']} on database", *where)
    newest = run("kept", *where).document["kept"][0]
    assert (newest["parked"], newest["actor"]) == (["public.gifts"], taken["actor"])


@pytest.mark.parametrize(
    "phrase", [None, "deploy tiny to sandbox", "Deploy tiny to database", "deploy tiny to database "]
)
def test_a_phrase_that_is_nearly_right_changes_nothing(run: Run, database: str, tiny: Path, phrase: str | None) -> None:
    confirm = ("--confirm", phrase) if phrase is not None else ()
    said = run("deploy", str(tiny), "--database", "env:DB", *confirm, "--json")
    assert said.code == 64
    assert "deploy tiny to database" in str(said.error["do"])
    assert tables(database) == {"people"}


def test_a_failing_script_is_bad_and_says_where(run: Run, database: str, tmp_path: Path) -> None:
    script = tmp_path / "wrong.sql"
    script.write_text("CREATE TABLE gifts (id int);\nSELECT nothing\n  FROM nowhere;\n")
    rehearsed = run("rehearse", str(script), "--database", "env:DB", "--json")
    assert (rehearsed.code, rehearsed.document["failure"]["line"]) == (1, 3)
    deployed = run("deploy", str(script), "--database", "env:DB", "--confirm", "deploy wrong to database", "--json")
    assert (deployed.code, deployed.document["verdict"]) == (1, "fail")
    assert tables(database) == {"people"}


def test_a_plain_script_has_no_way_back(run: Run, database: str, tmp_path: Path) -> None:
    script = tmp_path / "plain.sql"
    script.write_text("CREATE TABLE gifts (id int);\n")
    said = run("rollback", str(script), "--database", "env:DB", "--preview", "--json")
    assert said.code == 1
    assert "no rollback scripts" in str(said.error["what"])


@pytest.mark.parametrize(
    ("url", "code", "what"),
    [
        ("env:NOT_SET_ANYWHERE", 64, "NOT_SET_ANYWHERE"),
        ("mysql://x", 64, "postgresql://"),
        ("postgresql://me:hunter2@127.0.0.1:1/db", 2, "Nothing listens"),
    ],
)
def test_a_url_that_leads_nowhere_is_one_sentence_without_its_password(
    run: Run, tiny: Path, url: str, code: int, what: str
) -> None:
    said = run("verify", str(tiny), "--database", url, "--json")
    assert said.code == code
    assert what in str(said.error["what"])
    assert "hunter2" not in said.out + said.err


def test_no_store_is_made_for_a_database_by_url(run: Run, database: str, tiny: Path) -> None:
    run("verify", str(tiny), "--database", "env:DB")
    assert not Path(os.environ["OPS_HOME"]).exists()


@pytest.mark.parametrize("reference", ["no-such-release", "/no/such/file.sql"])
def test_an_unknown_release_is_not_understood(run: Run, reference: str) -> None:
    assert run("verify", reference, "--database", "postgresql://x@127.0.0.1:1/y", "--json").code == 64


def test_a_malformed_release_is_not_understood_and_names_the_line(run: Run, tiny: Path) -> None:
    (tiny / "release.yaml").write_text(CHECKLIST.replace("risk: low", "risk: none"))
    said = run("rehearse", str(tiny), "--database", "postgresql://x@127.0.0.1:1/y", "--json")
    assert said.code == 64
    assert said.error["place"] == "release.yaml:3"


def test_lint_names_structure_and_sql(run: Run, tiny: Path) -> None:
    assert run("lint", str(tiny), "--json").document["findings"] == []
    (tiny / "deploy" / "020.sql").write_text("ALTER TABLE people ADD COLUMN name char(9) NOT NULL;\n")
    found = run("lint", str(tiny), "--json")
    assert found.code == 1
    assert {(one["file"], one["line"]) for one in found.document["findings"]} == {("deploy/020.sql", 1)}
    (tiny / "release.yaml").write_text(CHECKLIST.replace("action: deploy", "action: dance"))
    wrong = run("lint", str(tiny), "--json")
    assert wrong.code == 64
    assert any(one["file"] == "release.yaml" for one in wrong.document["findings"])
    assert wrong.document["error"]["place"].startswith("release.yaml:")
