"""Findings as annotations: GitHub's commands are escaped as GitHub reads them, SARIF has the shape it must have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dashboard.cli.annotations import Annotation, ReportFormat, annotated, github_commands, of_lint, of_rehearsal, sarif
from dashboard.cli.answer import Answer
from tests.dashboard.cli.conftest import Run

FAILURE = {
    "file": "deploy/010.sql", "line": 7, "sqlstate": "42P01", "message": 'relation "a" does not exist',
    "class": "missing-relation", "fix": "Create it first.", "suggestion": None,
}  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "failure": FAILURE,
    "second_run": {**FAILURE, "line": 9, "class": "exists-already"},
    "further_failures": [{**FAILURE, "line": None}],
    "dangers": [
        {"class": "loss", "object": "public.users", "detail": "40 rows.", "file": "deploy/010.sql", "line": 3},
        {"class": "security", "object": "app_reader", "detail": "LOGIN.", "file": None, "line": None},
    ],
    "not_idempotent": [
        {"file": "deploy/010.sql", "line": 4, "kind": "rows", "detail": "2 rows again", "guarded": "UPDATE ... WHERE"},
        {"file": "deploy/010.sql", "line": 9, "kind": "fails", "detail": "x", "guarded": None},
        {"file": "deploy/010.sql", "line": 11, "kind": "fails", "detail": "y", "guarded": "CREATE ... IF NOT EXISTS"},
    ],
    "security": [
        {"rule": "login-role", "object": "app_reader", "message": "LOGIN."},
        {"rule": "rls-missing", "object": "public.users", "message": "Anyone reads it."},
    ],
    "history": [
        {"kind": "changed", "version": "1", "message": "1_a.sql says something else.", "file": "1_a.sql"},
        {"kind": "file-missing", "version": "2", "message": "There is no file for 2.", "file": None},
    ],
    "inspection": [
        {"kind": "function", "object": "f()", "verdict": "fail", "message": "no column", "line": 5},
        {"kind": "function", "object": "g()", "verdict": "pass", "message": "", "line": 6},
    ],
    "statements": [{"file": "deploy/010.sql"}],
    "unknown_because": ["deploy/010.sql:2: it depends on rows of users", "the shadow is older"],
}
# What the standard demands of the parts that we write; not a copy of its schema.
SARIF_SHAPE = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["tool", "results"], "additionalProperties": False, "properties": {
                "invocations": {"type": "array", "items": {
                    "type": "object", "required": ["executionSuccessful"], "additionalProperties": False,
                    "properties": {"executionSuccessful": {"type": "boolean"}, "exitCode": {"type": "integer"}}}},
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "tool": {"type": "object", "required": ["driver"], "additionalProperties": False, "properties": {
                    "driver": {"type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string"},
                        "rules": {"type": "array", "uniqueItems": True, "items": {
                            "type": "object", "required": ["id"], "properties": {
                                "id": {"type": "string", "minLength": 1},
                                "shortDescription": {"type": "object", "required": ["text"]}}}}}}}},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["message"], "additionalProperties": False, "properties": {
                        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0},
                        "level": {"enum": ["none", "note", "warning", "error"]},
                        "message": {"type": "object", "required": ["text"]},
                        "locations": {"type": "array", "items": {"type": "object", "properties": {
                            "physicalLocation": {"type": "object", "required": ["artifactLocation"], "properties": {
                                "artifactLocation": {"type": "object", "required": ["uri"], "properties": {
                                    "uri": {"type": "string", "pattern": "^[^\\\\ :]+$"}}},
                                "region": {"type": "object", "properties": {
                                    "startLine": {"type": "integer", "minimum": 1}}}}}}}}}}}}}},
    },
}  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a release two folders down."""
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "db" / "tiny"
    (folder / "deploy").mkdir(parents=True)
    return folder


def test_commands_are_escaped_as_github_reads_them() -> None:
    odd = Annotation("error", "a:b,c%.sql", 3, "r", "One: two, 100%", "first\r\nsecond: 50%, done")
    assert github_commands([odd], {}) == [
        "::error file=a%3Ab%2Cc%25.sql,line=3,title=One%3A two%2C 100%25::first%0D%0Asecond: 50%25, done"
    ]


def test_what_has_no_place_is_told_without_one() -> None:
    assert github_commands([Annotation("notice", None, None, "r", "Not known", "why")], {}) == [
        "::notice title=Not known::why"
    ]


def test_a_rehearsal_is_told_by_how_bad_it_is() -> None:
    found = [(one.severity, one.line, one.rule) for one in of_rehearsal(DOCUMENT)]
    assert found == [
        ("error", 7, "fails-missing-relation"),
        ("error", 9, "second-run-exists-already"),
        ("error", None, "fails-missing-relation"),
        ("warning", 4, "again-rows"),
        ("error", 11, "again-fails"),
        ("warning", 3, "danger-loss"),
        ("warning", None, "danger-security"),
        ("warning", None, "rls-missing"),
        ("warning", None, "history-changed"),
        ("warning", None, "history-file-missing"),
        ("error", 5, "after-function"),
        ("notice", 2, "not-known"),
        ("notice", None, "not-known"),
    ]


def test_what_a_second_run_refuses_has_its_guarded_form_and_a_diverging_migration_its_file() -> None:
    found = {one.rule: one for one in of_rehearsal(DOCUMENT)}
    assert found["again-fails"].message == "y\nCREATE ... IF NOT EXISTS"
    assert found["history-changed"].file == "1_a.sql"
    assert found["rls-missing"].message == "public.users: Anyone reads it."


@pytest.mark.parametrize(
    ("reason", "place"),
    [
        ("deploy/010 add a column.sql:2: it depends on rows", ("deploy/010 add a column.sql", 2, "it depends on rows")),
        ("on the shadow a.sql:1 fails with 42P01: no", (None, None, "on the shadow a.sql:1 fails with 42P01: no")),
    ],
)
def test_a_reason_stands_at_its_place_also_in_a_file_with_blanks_in_its_name(
    reason: str, place: tuple[str | None, int | None, str]
) -> None:
    (found,) = of_rehearsal({"unknown_because": [reason]})
    assert (found.file, found.line, found.message) == place


def test_paths_begin_at_the_root_of_the_repository(repository: Path) -> None:
    answer = annotated(Answer.of(DOCUMENT, ["x"], 1), of_rehearsal(DOCUMENT), ReportFormat.GITHUB, repository)
    assert answer.exit_code == 1
    assert answer.lines[0].startswith("::error file=db/tiny/deploy/010.sql,line=7,title=It fails::42P01: ")


def test_a_plain_script_stands_in_its_folder(repository: Path) -> None:
    script = repository / "change one.sql"
    script.write_text("SELECT 1;\n")
    found = [Annotation("error", "change one.sql", 1, "r", "t", "m")]
    lines = annotated(Answer.of({}, []), found, ReportFormat.GITHUB, repository).lines
    assert lines == ("::error file=db/tiny/change one.sql,line=1,title=t::m",)


def test_sarif_has_the_shape_of_its_standard() -> None:
    found = of_rehearsal(DOCUMENT)
    log = sarif(found, {"deploy/010.sql": "db/a release/deploy/010.sql"})
    jsonschema.validate(log, SARIF_SHAPE)
    results = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert len(results) == len(found)
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in results)
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "db/a%20release/deploy/010.sql"
    assert place["region"] == {"startLine": 7}
    assert "locations" not in results[-1]


def test_structure_that_is_not_understood_is_an_error_and_sql_a_warning() -> None:
    finding = {"rule": "r", "message": "m", "fix": "f", "line": 1}
    findings = [{**finding, "file": "release.yaml"}, {**finding, "file": "deploy/010.sql"}]
    told = of_lint({"findings": findings, "error": {}})
    assert [(one.severity, one.message) for one in told] == [("error", "m f"), ("warning", "m f")]


def test_the_command_line_writes_every_form_on_standard_output(run: Run, repository: Path) -> None:
    script = repository / "010.sql"
    script.write_text("\nDELETE FROM people;\n")
    said = run("lint", str(script), "--format", "github")
    line = "::warning file=db/tiny/010.sql,line=2,title=delete-without-where::"
    assert (said.code, said.out.startswith(line)) == (1, True)
    jsonschema.validate(json.loads(run("lint", str(script), "--format", "sarif").out), SARIF_SHAPE)
    assert json.loads(run("lint", str(script), "--format", "json").out) == run("lint", str(script), "--json").document
    assert run("lint", str(script), "--format", "xml", "--json").code == 64


@pytest.mark.parametrize("below", ["supabase/migrations", "migrations", ""])
def test_a_projects_migrations_are_named_where_they_lie(run: Run, repository: Path, below: str) -> None:
    folder = repository.parent / "project" / below
    folder.mkdir(parents=True)
    (folder / "20240102000000_two.sql").write_text("\nDELETE FROM people;\n")
    said = run("lint", str(repository.parent / "project"), "--format", "github")
    file = "/".join(part for part in ("db/project", below, "20240102000000_two.sql") if part)
    assert said.out.startswith(f"::warning file={file},line=2,"), said.out


ERRORS = [
    (["lint", "nowhere.sql"], 64, None),
    (["lint", "latin.sql"], 64, "db/tiny/latin.sql"),
    (["rehearse", "latin.sql", "--database", "postgresql://127.0.0.1:1/x"], 64, "db/tiny/latin.sql"),
    (["rehearse", "good.sql", "--database", "postgresql://127.0.0.1:1/x"], 2, None),
    (["rehearse", "good.sql", "--target", "nowhere"], 64, None),
    (["rehearse", "good.sql", "--rows", "some"], 64, None),
]


@pytest.mark.parametrize(("words", "code", "file"), ERRORS, ids=lambda value: str(value)[:40])
def test_an_error_stands_on_standard_output_in_the_form_asked_for(
    run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, file: str | None
) -> None:
    (repository / "latin.sql").write_bytes("SELECT 1;\nSELECT 'ä';\n".encode("latin-1"))
    (repository / "good.sql").write_text("SELECT 1;\n")
    monkeypatch.chdir(repository)
    wanted = run(*words, "--json").document
    told = run(*words, "--format", "json")
    assert (told.code, told.document) == (code, wanted)
    github = run(*words, "--format=github")
    place = f"file={file},line=2," if file else ""
    assert github.out.startswith(f"::error {place}title=There is no answer::"), github.out
    log = run(*words, "--format", "sarif").document
    jsonschema.validate(log, SARIF_SHAPE)
    one = log["runs"][0]
    assert (one["invocations"], len(one["results"])) == ([{"executionSuccessful": False, "exitCode": code}], 1)
    assert run(*words).out == ""
