"""Knows what can be said of scripts without running them: squawk's rules and ours, as one list."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from services.database.dangers.lint_finding import LintFinding
from services.database.dangers.rules import rule_findings
from services.database.dangers.written import Catalog
from services.database.script import Script, Statement, split
from services.errors import Unavailable

__all__ = ["LintFinding", "lint"]

DEADLINE_S = 30
SET_BY_US = ("--exclude", "require-lock-timeout", "--exclude", "require-statement-timeout")
"""A deploy sets both itself, so a script need not."""


SAME_MEANING: Mapping[str, str] = {
    "adding-required-field": "required-without-default",
    "adding-not-nullable-field": "required-without-default",
    "renaming-column": "rename-in-use",
    "renaming-table": "rename-in-use",
    "renaming-object": "rename-in-use",
    "adding-field-with-default": "volatile-default",
    "transaction-nesting": "transaction-inside",
    "ban-uncommitted-transaction": "transaction-inside",
    "ban-truncate-cascade": "truncate",
    "adding-foreign-key-constraint": "constraint-not-checked-apart",
    "constraint-missing-not-valid": "constraint-not-checked-apart",
}
"""Which rules say the same of a statement; the first of them speaks for all."""


def lint(scripts: Sequence[Script], catalog: Catalog | None = None) -> list[LintFinding]:
    """squawk's findings and ours as one list in the order of the files, each matter once for a statement.

    Raises Unavailable where squawk is not there, hangs, or answers something else: that is not "nothing found".
    """
    return merged(squawk_findings(scripts), rule_findings(scripts, catalog), scripts)


def merged(theirs: Sequence[LintFinding], ours: Sequence[LintFinding], scripts: Sequence[Script]) -> list[LintFinding]:
    """Both lists as one. Of findings that mean the same of a statement the first stays, with whatever fix there is."""
    files = {script.file: place for place, script in enumerate(scripts)}
    statements = [statement for script in scripts for statement in split(script)]
    kept: dict[tuple[str, int, str], LintFinding] = {}
    for finding in (*theirs, *ours):
        key = (finding.file, _statement_start(statements, finding), SAME_MEANING.get(finding.rule, finding.rule))
        first = kept.setdefault(key, finding)
        if first is not finding and not first.fix:
            kept[key] = replace(first, fix=finding.fix)
    return sorted(kept.values(), key=lambda one: (files.get(one.file, len(files)), one.line))


def _statement_start(statements: Sequence[Statement], finding: LintFinding) -> int:
    around = (one for one in statements if one.file == finding.file and one.start_line <= finding.line <= one.line)
    return next((one.start_line for one in around), finding.line)


def squawk_findings(scripts: Sequence[Script]) -> list[LintFinding]:
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
