"""What is wrong with a release before it touches anything: its structure by our rules, its SQL by squawk's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboard.cli.answer import BAD, GOOD, NOT_UNDERSTOOD, Answer, columns
from dashboard.cli.person import SANDBOX
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.errors import NotUnderstood, OpsError
from services.jobs.kinds import KINDS
from services.releases.bundle import Problem, load_release, validate

DEFAULT_APP = "pulsecheck"
DEADLINE_S = 30
SET_BY_US = ("--exclude", "require-lock-timeout", "--exclude", "require-statement-timeout")
"""A deploy sets both itself, so a script need not."""


def lint_release(reference: str, named: str | None) -> Answer:
    """Findings of both; structure that cannot be understood ends with 64, other findings with 1."""
    app = load_app(_app_of(named))
    root = app.folder / "releases"
    inside = root / reference
    path = inside if "/" not in reference and inside.is_dir() else Path(reference)
    refused: OpsError | None = None
    problems: list[Problem] = []
    findings: list[dict[str, Any]] = []
    if path.is_dir():
        problems = validate(path, catalogue_of(app).ids, tuple(KINDS), known_links=tuple(app.links))
    try:
        release = load_release(str(path) if path.exists() else reference, root=root)
        findings = _squawk({script.file: script.sql for script in release.deploy})
    except NotUnderstood as error:
        if not problems:
            raise
        refused = error
    found = [problem.to_json() for problem in problems] + findings
    document: dict[str, Any] = {"findings": found}
    if problems:
        refused = refused or NotUnderstood(
            problems[0].message, "Nothing was done.", problems[0].fix, place=problems[0].place
        )
        document["error"] = refused.to_json()
    lines = columns([(f"{f['file']}:{f['line']}", f["rule"], f"{f['message']} {f['fix']}".strip()) for f in found])
    exit_code = NOT_UNDERSTOOD if problems else BAD if found else GOOD
    return Answer.of(document, lines or ["Nothing was found."], exit_code)


def _app_of(named: str | None) -> str:
    if named is None or named == SANDBOX:
        return DEFAULT_APP
    from dashboard.cli.targets import target_of

    return target_of(named).app


def _squawk(scripts: Mapping[str, str]) -> list[dict[str, Any]]:
    """squawk's findings on the scripts, told as running in one transaction; none where it is not installed."""
    beside = Path(sys.executable).parent / "squawk"
    program = str(beside) if beside.exists() else shutil.which("squawk")
    if program is None:
        return []
    with tempfile.TemporaryDirectory(prefix="ops-lint-") as folder:
        names: dict[str, str] = {}
        for index, (name, sql) in enumerate(scripts.items()):
            copy = Path(folder) / f"{index:04}.sql"
            copy.write_text(sql, encoding="utf-8")
            names[str(copy)] = name
        ran = subprocess.run(
            [program, "--reporter", "json", "--assume-in-transaction", *SET_BY_US, *names],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            cwd=folder,
            check=False,
        )
    try:
        reported = json.loads(ran.stdout or "[]")
    except ValueError:
        return []
    return [
        {
            "file": names.get(one["file"], one["file"]),
            "line": int(one["line"]) + 1,  # squawk counts from 0
            "rule": one["rule_name"],
            "message": one["message"],
            "fix": one.get("help") or "",
        }
        for one in reported
    ]
