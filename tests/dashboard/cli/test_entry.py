"""The frame of the command line: what it lists, how it refuses, and that no defect becomes a traceback."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.cli import seeing
from dashboard.cli.entry import app
from services.errors import Refused, Unavailable
from tests.dashboard.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = [
    "run",
    "doctor",
    "look",
    "connect",
    "check",
    "score",
    "diagnose",
    "lint",
    "rehearse",
    "deploy",
    "verify",
    "rollback",
    "restore",
    "record",
    "drill",
    "sandbox",
]
SANDBOX = ["start", "stop", "reset", "break", "repair", "faults", "status"]


def test_every_command_of_the_contract_is_listed(run: Run) -> None:
    listed = run("--help").out
    assert [name for name in COMMANDS if f"\n  {name} " not in listed] == []
    assert [name for name in SANDBOX if f"\n  {name} " not in run("sandbox", "--help").out] == []


@pytest.mark.parametrize("command", [[name] for name in COMMANDS[:-1]] + [["sandbox", name] for name in SANDBOX])
def test_every_command_takes_a_target_and_json(run: Run, command: list[str]) -> None:
    said = run(*command, "--help")
    assert said.code == 0
    assert "--target" in said.out
    assert "--json" in said.out


def test_help_comes_at_once() -> None:
    """It must not import what only some command needs; its work is measured, since the machine is shared."""
    times = []
    for _ in range(3):
        began = worked()
        subprocess.run([sys.executable, "-m", "dashboard", "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        times.append(worked() - began)
    assert min(times) < 0.5


def worked() -> float:
    """Processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_imports_nothing_heavy() -> None:
    heavy = ["sqlalchemy", "pydantic", "psycopg", "httpx", "streamlit", "pandas", "supabase", "openai", "rich"]
    script = (
        "import sys; from dashboard.cli.entry import main; main(['--help']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["check", "--nonsense"],
        ["lint"],
        ["run", "--port", "many"],
        ["rehearse", "x.sql", "--rows", "some"],
        ["sandbox"],
        ["sandbox", "break"],
        ["record", "run-1", "--format", "docx"],
        ["rollback", "beta-optimization"],
        ["rollback", "beta-optimization", "--preview", "--confirm", "x"],
    ],
)
def test_arguments_that_cannot_be_understood_end_with_64(run: Run, arguments: list[str]) -> None:
    plain = run(*arguments)
    assert plain.code == 64
    assert plain.out == ""
    assert plain.err.strip()
    told = run(*arguments, "--json") if arguments else run("--json")
    assert told.code == 64
    assert set(told.error) == {"what", "means", "do", "place"}
    assert told.err == ""


@pytest.mark.parametrize(("error", "code"), [(Refused("No."), 1), (Unavailable("Gone."), 2)])
def test_an_error_is_one_document_with_json_and_sentences_without(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    monkeypatch.setattr("dashboard.cli.examination.examine", lambda target: (_ for _ in ()).throw(error))
    assert run("doctor", "--json").error["what"] == str(error)
    plain = run("doctor")
    assert (plain.code, plain.out, plain.err.strip()) == (code, "", str(error))


def test_a_defect_is_a_sentence_with_a_reference_and_its_log_holds_no_value(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(target: str | None) -> None:
        raise ValueError("postgresql://owner:hunter2@db/app")

    monkeypatch.setattr("dashboard.cli.examination.examine", fail)
    said = run("doctor", "--json")
    assert said.code == 2
    assert "Traceback" not in said.err + said.out
    assert "hunter2" not in said.err + said.out
    reference = str(said.error["what"]).rpartition("reference ")[2].rstrip(".")
    log = (Path(os.environ["OPS_HOME"]) / "logs" / "command-line.log").read_text()
    assert reference in log
    assert "ValueError" in log
    assert "hunter2" not in log


def test_what_a_library_prints_does_not_spoil_the_document(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def chatter(target: str | None) -> list[object]:
        sys.stdout.write("by the way\n")
        return []

    monkeypatch.setattr("dashboard.cli.examination.examine", chatter)
    said = run("doctor", "--json")
    assert said.document == {"problems": []}
    assert "by the way" in said.err


def test_a_reader_who_leaves_early_gets_no_traceback() -> None:
    done = subprocess.run(
        f"'{sys.executable}' -m dashboard lint beta-optimization --json | true",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_commands_are_registered_once() -> None:
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    assert len(names) == len(set(names))
    assert seeing.doctor.__doc__


def test_json_goes_anywhere_after_the_command(run: Run) -> None:
    assert json.loads(run("sandbox", "status", "--json").out)["error"]
