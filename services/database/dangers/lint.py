"""What squawk says about scripts without running them; the rehearsal covers what no linter sees."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.database.script import Script
from services.errors import Unavailable

DEADLINE_S = 30
SET_BY_US = ("--exclude", "require-lock-timeout", "--exclude", "require-statement-timeout")
"""A deploy sets both itself, so a script need not."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding: where (line from 1), which rule, what is wrong, what to write instead."""

    file: str
    line: int
    rule: str
    message: str
    fix: str

    def to_json(self) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "rule": self.rule, "message": self.message, "fix": self.fix}


def lint(scripts: Sequence[Script]) -> list[LintFinding]:
    """squawk's findings on the scripts, told that they run in one transaction.

    Raises Unavailable where squawk is not there, hangs, or answers something else: that is not "nothing found".
    """
    beside = Path(sys.executable).parent / "squawk"
    program = str(beside) if beside.exists() else shutil.which("squawk")
    if program is None:
        raise _no_answer("squawk is not installed")
    with tempfile.TemporaryDirectory(prefix="ops-lint-") as folder:
        # Copies under plain names: a script's own name may hold anything, and squawk exits 1 for a missing file too.
        copies = {str(Path(folder) / f"{index:04}.sql"): script for index, script in enumerate(scripts)}
        for path, script in copies.items():
            Path(path).write_text(script.sql, encoding="utf-8")
        try:
            ran = subprocess.run(
                [program, "--reporter", "json", "--assume-in-transaction", *SET_BY_US, *copies],
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                cwd=folder,
                check=False,
            )
            reported = json.loads(ran.stdout or "[]") if copies else []
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _no_answer(f"squawk gave no answer ({type(error).__name__})") from None
        except ValueError:
            raise _no_answer("squawk's answer is not understood") from None
    if ran.returncode not in (0, 1):
        raise _no_answer(f"squawk failed (exit {ran.returncode})")
    return [
        LintFinding(
            copies[one["file"]].file if one["file"] in copies else str(one["file"]),
            int(one["line"]) + 1,  # squawk counts from 0
            str(one["rule_name"]),
            str(one["message"]),
            str(one.get("help") or ""),
        )
        for one in reported
    ]


def _no_answer(what: str) -> Unavailable:
    return Unavailable(
        f"The scripts could not be linted: {what}.",
        "What it would have found is not known.",
        "Run `make setup`; the rehearsal tells most of it anyway.",
    )
