"""What is wrong with a release before it touches anything: its structure, its SQL; and how findings are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboard.cli.annotations import ReportFormat, annotated, answered, of_lint, of_rehearsal
from dashboard.cli.answer import BAD, GOOD, NOT_UNDERSTOOD, Answer, columns
from dashboard.cli.person import SANDBOX
from services.app_definition import load_app
from services.checks.of_app import catalogue_of
from services.database.dangers.lint import lint
from services.errors import NotUnderstood, OpsError
from services.incidents.playbooks import playbooks_of
from services.jobs.kinds import KINDS
from services.releases.bundle import Problem, folder_of_files, load_release, validate

DEFAULT_APP = "pulsecheck"


def lint_release(reference: str, named: str | None, form: ReportFormat = ReportFormat.TEXT) -> Answer:
    """Findings of both; structure that cannot be understood ends with 64, other findings with 1."""
    return answered(lambda: _linted(reference, named, form), form, lambda: _folder_of(reference, named))


def _linted(reference: str, named: str | None, form: ReportFormat) -> Answer:
    app = load_app(_app_of(named))
    root = app.folder / "releases"
    path = _place_of(reference, root)
    refused: OpsError | None = None
    problems: list[Problem] = []
    findings: list[dict[str, Any]] = []
    if path.is_dir():
        problems = validate(
            path,
            catalogue_of(app).ids,
            tuple(KINDS),
            known_playbooks=tuple(playbooks_of(app)),
            known_links=tuple(app.links),
        )
    try:
        release = load_release(str(path) if path.exists() else reference, root=root)
        findings = [finding.to_json() for finding in lint(release.deploy)]
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
    answer = Answer.of(document, lines or ["Nothing was found."], exit_code)
    return annotated(answer, of_lint(document), form, folder_of_files(path))


def rehearsal_as(work: Callable[[], Answer], reference: str, named: str | None, form: ReportFormat) -> Answer:
    """A rehearsal's answer in the form that was asked for. work: rehearses."""

    def rehearsed() -> Answer:
        answer = work()
        if form is ReportFormat.TEXT:
            return answer
        return annotated(answer, of_rehearsal(answer.document), form, _folder_of(reference, named))

    return answered(rehearsed, form, lambda: _folder_of(reference, named))


def _folder_of(reference: str, named: str | None) -> Path:
    """Where the names of the release's files begin."""
    return folder_of_files(_place_of(reference, load_app(_app_of(named)).folder / "releases"))


def _place_of(reference: str, root: Path) -> Path:
    """Where the release stands: an app's own by its id, else the folder or file that was named."""
    inside = root / reference
    return inside if "/" not in reference and inside.is_dir() else Path(reference)


def _app_of(named: str | None) -> str:
    if named is None or named == SANDBOX:
        return DEFAULT_APP
    from dashboard.cli.targets import target_of

    return target_of(named).app
