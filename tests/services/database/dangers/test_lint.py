"""The linter names file, line and rule; a linter that cannot answer is not a clean script."""

from __future__ import annotations

from pathlib import Path

import pytest

import services.database.dangers.lint as room
from services.database.dangers.lint import lint
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
