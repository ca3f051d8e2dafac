"""`deploy --as-script`, `deploy --look` and `approve`, as a person types them."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.dashboard.cli.conftest import Run


def test_a_script_is_written_run_by_hand_and_seen(run: Run, database: str, change: Path, tmp_path: Path) -> None:
    bare = (str(change), "--database", "env:DB", "--json")
    assert run("deploy", *bare, "--look").code == 1
    wrote = run("deploy", *bare, "--as-script", "--out", str(tmp_path / "out"))
    assert wrote.code == 0
    (file,) = wrote.document["files"]
    assert file["at_most_ms"] is not None and wrote.document["way_back"].startswith("Way back: `rollback`")
    assert Path(file["path"]).stat().st_mode & 0o777 == 0o600
    with psycopg.connect(database, autocommit=True) as editor:
        editor.execute(Path(file["path"]).read_bytes())
    seen = run("deploy", *bare, "--look")
    assert (seen.code, seen.document["verdict"]) == (0, "pass")


def test_what_fails_or_destroys_is_not_written(run: Run, database: str, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("SELECT nothing FROM people;\n")
    refused = run("deploy", str(tmp_path / "bad.sql"), "--database", "env:DB", "--as-script", "--json")
    assert refused.code == 1 and "did not pass" in str(refused.error["what"])


def test_a_phrase_has_no_place_where_nothing_is_changed(run: Run, database: str, change: Path) -> None:
    said = run("deploy", str(change), "--database", "env:DB", "--as-script", "--confirm", "deploy x", "--json")
    assert (said.code, said.error["place"]) == (64, "--confirm")


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("--as-script", "--rehearsal", "no.json"), "--rehearsal"),
        (("--look", "--rehearsal", "no.json"), "--rehearsal"),
        (("--look", "--accept-stall", "5"), "--accept-stall"),
        (("--look", "--as-script"), "--look"),
        (("--look", "--out", "here"), "--out"),
        (("--accept-loss", "--confirm", "deploy x"), "--accept-loss"),
        (("--out", "here", "--confirm", "deploy x"), "--out"),
    ],
)
def test_an_option_that_would_not_be_heeded_is_refused(
    run: Run, database: str, change: Path, options: tuple[str, ...], place: str
) -> None:
    said = run("deploy", str(change), "--database", "env:DB", *options, "--json")
    assert (said.code, said.error["place"]) == (64, place)


def test_a_wait_is_accepted_for_a_script_too(run: Run, database: str, change: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    bare = ("deploy", str(change), "--database", "env:DB", "--as-script", "--out", out, "--json")
    assert run(*bare, "--accept-stall", "500").code == 0


def test_there_is_nothing_to_approve_before_a_rehearsal(run: Run) -> None:
    said = run("approve", "beta-optimization", "--target", "sandbox", "--json")
    assert said.code in (1, 64) and "error" in said.document
    both = run("approve", "beta-optimization", "--ask", "--refuse", "no", "--target", "sandbox", "--json")
    assert (both.code, both.error["place"]) == (64, "--ask, --refuse")


def test_a_question_and_its_answer_tell_what_a_yes_accepts(
    run: Run, change: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPS_TARGETS__STAGING__READ_ONLY_URL", "postgresql://nobody@127.0.0.1:1/x")
    monkeypatch.setenv("OPS_TARGETS__STAGING__SECOND_APPROVAL", "true")
    monkeypatch.setenv("OPS_CLI_ROLE__STAGING", "admin")
    found = {
        "verdict": "pass",
        "plan_hash": "p" * 64,
        "content_hash": "c" * 64,
        "dangers": [{"class": "loss", "object": "public.people"}],
        "statements": [{"stall_ms": 420.0}],
    }
    monkeypatch.setattr("services.jobs.checking.last_rehearsal", lambda *_: found)
    named = ("approve", str(change), "--target", "staging")
    assert "Nobody has asked" in str(run(*named, "--json").error["what"])
    asked = run(*named, "--ask")
    assert (asked.code, "destroys what stands in public.people and that writers wait" in asked.out) == (0, True)
    assert "the same account" in str(run(*named, "--json").error["what"])
    no = run(*named, "--refuse", "too late", "--json")
    assert (no.code, no.document["state"]) == (1, "refused")
    assert no.document["accepts"] == {"loss": ["public.people"], "stall_ms": 420.0}
