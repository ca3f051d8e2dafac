"""The linter names file, line and rule; a linter that cannot answer is not a clean script."""

from __future__ import annotations

from pathlib import Path

import pytest

import services.database.dangers.lint as room
from services.database.dangers.lint import LintFinding, lint, merged
from services.database.script import Script
from services.errors import Unavailable


def test_a_finding_has_its_file_and_the_line_people_count() -> None:
    found = lint(
        [Script("deploy/010.sql", "SELECT 1;\n\nDROP TABLE users;\n"), Script("deploy/020.sql", "SELECT 1;\n")]
    )
    dropped = next(finding for finding in found if finding.rule == "ban-drop-table")
    assert (dropped.file, dropped.line) == ("deploy/010.sql", 3)


def test_harmless_scripts_have_no_finding() -> None:
    assert lint([Script("a b.sql", "SELECT 1;\n")]) == []
    assert lint([]) == []


@pytest.mark.parametrize(
    "program",
    ["#!/bin/sh\nexit 2\n", "#!/bin/sh\necho '<html>'\n", "#!/bin/sh\nsleep 9\n", None],
    ids=["fails", "talks nonsense", "hangs", "is not there"],
)
def test_a_linter_that_gives_no_answer_is_unknown(
    program: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = tmp_path / "python"
    if program is not None:
        (tmp_path / "squawk").write_text(program)
        (tmp_path / "squawk").chmod(0o755)
    monkeypatch.setattr(room.sys, "executable", str(interpreter))
    monkeypatch.setattr(room, "DEADLINE_S", 0.5)
    monkeypatch.setenv("PATH", "/bin" if program else "")
    with pytest.raises(Unavailable, match="could not be linted"):
        lint([Script("a.sql", "SELECT 1;\n")])


def finding(rule: str, line: int, fix: str = "", file: str = "a.sql") -> LintFinding:
    return LintFinding(file, line, rule, f"{rule} is wrong", fix)


def test_one_matter_of_one_statement_is_told_once() -> None:
    """squawk points into the statement, we at its beginning."""
    scripts = [
        Script("a.sql", "SELECT 1;\nALTER TABLE users\n  RENAME COLUMN a\n  TO b;\nALTER TABLE users RENAME TO c;\n")
    ]
    found = merged(
        [finding("renaming-column", 3)], [finding("rename-in-use", 2, "Add it."), finding("rename-in-use", 5)], scripts
    )
    assert [(one.rule, one.line, one.fix) for one in found] == [
        ("renaming-column", 3, "Add it."),
        ("rename-in-use", 5, ""),
    ]


def test_different_matters_of_one_statement_are_all_told() -> None:
    scripts = [Script("a.sql", "DROP TABLE a CASCADE;\n")]
    assert {one.rule for one in lint(scripts)} >= {"ban-drop-table", "drop-cascade"}


def test_findings_stand_in_the_order_of_the_files() -> None:
    scripts = [Script("2.sql", "DELETE FROM a;\n"), Script("1.sql", "SELECT 1;\nDROP TABLE a;\nUPDATE b SET c = 1;\n")]
    found = [(one.file, one.line) for one in lint(scripts)]
    assert found == sorted(found, key=lambda place: (place[0] == "1.sql", place[1]))
    assert {("2.sql", 1), ("1.sql", 2), ("1.sql", 3)} <= set(found)


def test_every_finding_says_what_to_write_instead_where_we_know_it() -> None:
    found = lint([Script("a.sql", "ALTER TABLE users RENAME TO people;\n")])
    assert [one.rule for one in found if "renam" in one.rule] == ["renaming-table"]
    assert all(one.fix for one in found if one.rule == "renaming-table")
