"""Findings as a reviewer's tools want them: GitHub's workflow commands at file and line, and SARIF 2.1.0."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import quote

from dashboard.cli.answer import Answer, error_answer
from services.errors import OpsError

Document = Mapping[str, Any]
Severity = Literal["error", "warning", "notice"]

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_SARIF_LEVEL: Mapping[Severity, str] = {"error": "error", "warning": "warning", "notice": "note"}
_ERROR_PLACE = re.compile(r"(?P<file>.+\.(?:sql|yaml)):(?P<line>\d+)")
_PLACE = re.compile(r"(?P<file>[^\n:]+\.sql):(?P<line>\d+): (?P<text>.*)", re.DOTALL)


class ReportFormat(StrEnum):
    """How findings are written: for a person, as the JSON document, for GitHub's log, or for code scanning."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One finding for a reviewer. file: as the release names it, None for the change as a whole; line from 1."""

    severity: Severity
    file: str | None
    line: int | None
    rule: str
    title: str
    message: str


def of_lint(document: Document) -> list[Annotation]:
    """The findings of `lint`: warnings; what makes the release not understood is an error."""
    severity: Severity = "error" if "error" in document else "warning"
    return [
        Annotation(
            severity if not str(one["file"]).endswith(".sql") else "warning",
            str(one["file"]),
            int(one["line"]),
            str(one["rule"]),
            str(one["rule"]),
            f"{one['message']} {one['fix']}".strip(),
        )
        for one in document["findings"]
    ]


def of_rehearsal(document: Document) -> list[Annotation]:
    """A rehearsal's document: what fails is an error, a danger a warning, what is not known a notice."""
    found = [_failed(document[key], rule, title) for key, rule, title in _FAILURES if document.get(key)]
    for one in document.get("further_failures") or ():
        found.append(_failed(one, "fails", "It would fail as well"))
    found += [_again(one) for one in document.get("not_idempotent") or () if not _is_second_run(one, document)]
    for one in document.get("dangers") or ():
        title = f"Danger: {one['class']}"
        message = f"{one['object']}: {one['detail']}"
        found.append(Annotation("warning", one.get("file"), one["line"], f"danger-{one['class']}", title, message))
    found += _openings(document)
    for one in document.get("history") or ():
        title = "Folder and target disagree"
        found.append(Annotation("warning", one["file"], None, f"history-{one['kind']}", title, one["message"]))
    for one in document.get("inspection") or ():
        if one["verdict"] == "fail":
            message = f"{one['object']}: {one['message']}"
            file = one.get("file") or _only_file(document)
            severity: Severity = "notice" if one.get("meant") else "error"
            title = "Broken as the script says" if one.get("meant") else "It works no longer"
            found.append(Annotation(severity, file, one.get("line"), f"after-{one['kind']}", title, message))
    return found + [_not_known(str(reason)) for reason in document.get("unknown_because") or ()]


_FAILURES = (
    ("failure", "fails", "It fails"),
    ("second_run", "second-run", "It cannot run twice"),
)


def _failed(failure: Document, rule: str, title: str) -> Annotation:
    parts = [f"{failure['sqlstate']}: {failure['message']}", failure.get("fix"), failure.get("suggestion")]
    message = "\n".join(str(part) for part in parts if part)
    return Annotation("error", failure["file"], failure["line"], f"{rule}-{failure['class']}", title, message)


def _is_second_run(again: Document, document: Document) -> bool:
    """True for the failure that is told as the second run's own."""
    first = document.get("second_run")
    return bool(first and again["kind"] == "fails" and (first["file"], first["line"]) == (again["file"], again["line"]))


def _again(one: Document) -> Annotation:
    """What a second run refuses, which is an error, or does once more."""
    message = "\n".join(str(part) for part in (one["detail"], one["guarded"]) if part)
    fails = one["kind"] == "fails"
    title = "It cannot run twice" if fails else "A second run changes it again"
    return Annotation("error" if fails else "warning", one["file"], one["line"], f"again-{one['kind']}", title, message)


def _openings(document: Document) -> list[Annotation]:
    """Findings of security that no danger tells: a rule over the catalog knows no line."""
    told = {one["object"] for one in document.get("dangers") or () if one["class"] == "security"}
    return [
        Annotation("warning", None, None, one["rule"], "Danger: security", f"{one['object']}: {one['message']}")
        for one in document.get("security") or ()
        if one["object"] not in told
    ]


def _not_known(reason: str) -> Annotation:
    place = _PLACE.fullmatch(reason)
    file, line = (place["file"], int(place["line"])) if place else (None, None)
    return Annotation("notice", file, line, "not-known", "Not known", place["text"] if place else reason)


def _only_file(document: Document) -> str | None:
    files = {str(one["file"]) for one in document.get("statements") or ()}
    return files.pop() if len(files) == 1 else None


def of_error(error: Document) -> list[Annotation]:
    """What kept a command from an answer, as `OpsError.to_json` tells it; at its line where it has one."""
    place = _ERROR_PLACE.fullmatch(str(error["place"] or ""))
    where = f"Where: {error['place']}" if error["place"] and not place else ""
    message = "\n".join(part for part in (error["what"], error["means"], error["do"], where) if part)
    file, line = (place["file"], int(place["line"])) if place else (None, None)
    return [Annotation("error", file, line, "no-answer", "There is no answer", message)]


def github_commands(found: Iterable[Annotation], where: Mapping[str, str]) -> list[str]:
    """Workflow commands, one a line. where: paths from the repository's root, by the release's file names."""
    lines = []
    for one in found:
        places = {"file": where.get(one.file, one.file) if one.file else None, "line": one.line, "title": one.title}
        told = ",".join(f"{key}={_property(str(value))}" for key, value in places.items() if value is not None)
        lines.append(f"::{one.severity} {told}::{_data(one.message)}")
    return lines


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(found: Sequence[Annotation], where: Mapping[str, str], exit_code: int = 0) -> dict[str, Any]:
    """One SARIF 2.1.0 log with one run; paths are relative to the repository's root, %SRCROOT%.

    A run that came to no answer says so, lest a log without other results be read as a clean one.
    """
    answered = not any(one.rule == "no-answer" for one in found)
    rules = list(dict.fromkeys(one.rule for one in found))
    titles = {one.rule: one.title for one in found}
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "release-cockpit",
                        "rules": [{"id": rule, "shortDescription": {"text": titles[rule]}} for rule in rules],
                    }
                },
                "invocations": [{"executionSuccessful": answered, "exitCode": exit_code}],
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, rules, where) for one in found],
            }
        ],
    }


def _result(one: Annotation, rules: Sequence[str], where: Mapping[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": rules.index(one.rule),
        "level": _SARIF_LEVEL[one.severity],
        "message": {"text": one.message},
    }
    if one.file is not None:
        location: dict[str, Any] = {
            "artifactLocation": {"uri": quote(where.get(one.file, one.file)), "uriBaseId": "%SRCROOT%"}
        }
        if one.line is not None:
            location["region"] = {"startLine": one.line}
        result["locations"] = [{"physicalLocation": location}]
    return result


def paths_of(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Where a release's files stand in the repository. folder: where their names begin."""
    root = _repository_root(folder.resolve())
    found = {}
    for file in files:
        path = (folder / file).resolve()
        inside = root is not None and path.is_relative_to(root)
        found[file] = PurePosixPath(path.relative_to(root) if inside and root else path).as_posix()
    return found


def _repository_root(place: Path) -> Path | None:
    return next((folder for folder in (place, *place.parents) if (folder / ".git").exists()), None)


def annotated(answer: Answer, found: Sequence[Annotation], form: ReportFormat, folder: Path) -> Answer:
    """The same answer, written in another form: same document, same exit code. folder: see `paths_of`."""
    if form is ReportFormat.TEXT:
        return answer
    where = paths_of(folder, {one.file for one in found if one.file})
    if form is ReportFormat.GITHUB:
        lines = github_commands(found, where)
    else:
        document = answer.document if form is ReportFormat.JSON else sarif(found, where, answer.exit_code)
        lines = json.dumps(document, indent=2, default=str).splitlines()
    # What stands under "error" is told by the lines as well; they belong on standard output all the same.
    kept = {key: value for key, value in answer.document.items() if key != "error"}
    return Answer.of(kept, lines, answer.exit_code)


def answered(work: Callable[[], Answer], form: ReportFormat, folder: Callable[[], Path]) -> Answer:
    """What `work` answers; an error of its too in the form asked for, on standard output. folder: see `paths_of`."""
    try:
        return work()
    except OpsError as error:
        if form is ReportFormat.TEXT:
            raise
        try:
            begin = folder()
        except OpsError:
            begin = Path()
        return error_annotated(error_answer(error), form, begin)


def error_annotated(answer: Answer, form: ReportFormat, folder: Path) -> Answer:
    """The answer of an error in another form."""
    return annotated(answer, of_error(answer.document["error"]), form, folder)
