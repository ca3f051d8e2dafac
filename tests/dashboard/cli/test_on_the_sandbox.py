"""Every command against a real sandbox, with no worker alive: each does its work itself, and says what it saw."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboard import composition
from dashboard.cli.person import person
from services.app_definition import load_app
from services.releases.bundle import load_release
from services.releases.ledger import start_run
from tests.dashboard.cli.conftest import Run
from tests.dashboard.processes.conftest import ROOT, processes_of, wait_for

DEPLOY = ("--confirm", "deploy beta-optimization to sandbox")
ROLLBACK = ("--confirm", "rollback beta-optimization on sandbox")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with a running sandbox in it."""
    folder = Path(tempfile.mkdtemp(prefix="ops-test-"))
    folder.chmod(0o711)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OPS_")}
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "sandbox", "start"],
            cwd=ROOT,
            env={**kept, "OPS_HOME": str(folder)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: "Sandbox: http" in (folder / "out").read_text() or process.poll() is not None, 40)
        assert process.poll() is None, (folder / "out").read_text()
        yield folder
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert processes_of(folder) == []
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_HOME", str(home))


def test_status_is_good_while_every_part_answers(run: Run) -> None:
    said = run("sandbox", "status", "--json")
    assert said.code == 0
    assert set(said.document) >= {"database", "pulsecheck", "railway", "openai", "supabase", "faults"}


def test_faults_are_listed_with_what_they_do(run: Run) -> None:
    listed = {fault["id"]: fault["what"] for fault in run("sandbox", "faults", "--json").document["faults"]}
    assert set(listed) >= {
        "openai-no-quota", "openai-bad-key", "openai-model-retired", "missing-dependency", "rls-blocks-backend",
        "api-timeout", "database-down",
    }  # fmt: skip
    assert all(listed.values())


def test_an_unknown_fault_is_not_understood(run: Run) -> None:
    assert run("sandbox", "break", "nonsense", "--json").code == 64


def test_doctor_finds_nothing_wrong(run: Run) -> None:
    said = run("doctor", "--json")
    assert (said.code, said.document) == (0, {"problems": []})


def test_connect_proves_each_level(run: Run) -> None:
    said = run("connect", "--json")
    verdicts = {level["level"]: level["verdict"] for level in said.document["levels"]}
    assert said.code == 0
    assert verdicts == {"look": "pass", "observe": "pass", "platform": "pass", "probe": "unknown", "deploy": "pass"}


def test_check_by_id_and_by_phase(run: Run) -> None:
    one = run("check", "api-answers", "--json")
    assert (one.code, one.document["verdict"]) == (0, "pass")
    assert set(one.document["checks"][0]) == {"id", "verdict", "summary", "evidence", "took_ms"}
    some = run("check", "--phase", "before", "--json")
    assert {check["id"] for check in some.document["checks"]} >= {"backup-fresh", "env-names", "openai-key"}
    assert run("check", "nonsense", "--json").code == 64
    assert run("check", "--phase", "nonsense", "--json").code == 64


def test_look_needs_only_an_address(run: Run) -> None:
    url = run("sandbox", "status", "--json").document["pulsecheck"]["url"]
    said = run("look", url, "--json")
    assert {check["id"]: check["verdict"] for check in said.document["checks"]}["api-answers"] == "pass"
    assert run("look", "not an address", "--json").code == 64
    gone = run("look", "http://127.0.0.1:1", "--json")
    assert (gone.code, gone.document["verdict"]) == (2, "unknown")


def test_the_score_before_the_release_is_7_of_10_and_bad(run: Run) -> None:
    said = run("score", "--json")
    assert said.code == 1
    assert (said.document["passed"], said.document["of"], len(said.document["features"])) == (7, 10, 10)
    assert set(said.document) >= {"passed", "of", "percent", "features", "findings"}


def test_diagnose_explains_that_the_release_is_not_deployed(run: Run) -> None:
    said = run("diagnose", "--json")
    assert said.code == 1
    assert said.document["state"] == "explained"
    assert said.document["causes"][0]["id"] == "release-not-deployed"


def test_a_deploy_rehearses_first_then_goes_in_is_verified_and_comes_out(run: Run) -> None:
    deployed = run("deploy", "beta-optimization", *DEPLOY, "--json")
    assert (deployed.code, deployed.document["verdict"]) == (0, "pass")
    assert "rehearsing it first" in deployed.err
    assert run("verify", "beta-optimization", "--json").code == 0
    seen = run("rollback", "beta-optimization", "--preview", "--json")
    assert any(loss["object"] == "public.ai_usage_logs" for loss in seen.document["blast_radius"])
    back = run("rollback", "beta-optimization", *ROLLBACK, "--json")
    assert (back.code, back.document["fingerprint_restored"], back.document["rows_lost"]) == (0, True, 0)
    assert run("verify", "beta-optimization", "--json").code == 1


def test_rehearse_prints_the_contracts_document(run: Run) -> None:
    said = run("rehearse", "beta-optimization", "--json")
    assert (said.code, said.document["verdict"], said.document["failure"]) == (0, "pass", None)
    assert said.document["statements"][0]["file"] == "deploy/010_guard.sql"


def test_a_run_is_recorded(run: Run) -> None:
    target = composition.settings().target("sandbox")
    release = load_release("beta-optimization", root=load_app("pulsecheck").folder / "releases")
    run_id = start_run(
        composition.store(), actor=person(target), release=release, target="sandbox", now=datetime.now(UTC)
    )
    document = run("record", run_id, "--json").document
    assert document["run"] == run_id
    assert len([step for phase in document["phases"] for step in phase["steps"]]) == 27
    assert run("record", run_id).out.startswith("# ")
    assert run("record", "run-of-nobody", "--json").code == 64
    printed = subprocess.run(
        [sys.executable, "-m", "dashboard", "record", run_id, "--format", "pdf"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert printed.stdout.startswith(b"%PDF-")
    assert printed.stdout.rstrip().endswith(b"%%EOF")


def test_a_restore_of_what_is_not_there_is_refused(run: Run) -> None:
    assert run("restore", "5d2f0a6e-0000-4000-8000-000000000000", "--json").code in (1, 64)


def test_break_and_repair_return_when_the_effect_is_seen(run: Run) -> None:
    assert run("sandbox", "break", "api-timeout", "--json").code == 0
    try:
        assert run("sandbox", "status", "--json").document["faults"] == ["api-timeout"]
        assert run("check", "api-answers", "--json").code in (1, 2)
    finally:
        assert run("sandbox", "repair", "api-timeout", "--json").code == 0
    assert run("check", "api-answers", "--json").code == 0


def test_a_second_sandbox_on_the_same_home_is_refused(run: Run) -> None:
    said = run("sandbox", "start", "--json")
    assert said.code == 1
    assert "already" in str(said.error["what"])


def test_status_is_bad_where_none_runs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_HOME", str(tmp_path / "nowhere"))
    said = run("sandbox", "status", "--json")
    assert (said.code, said.error["what"]) == (1, "The sandbox is not running.")
    assert run("sandbox", "stop", "--json").code == 1
