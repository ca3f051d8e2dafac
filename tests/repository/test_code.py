"""How the code stands: every module says what it knows, none is too long, and none betrays where it was made."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.repository.conftest import ROOT

LONGEST_MODULE = 400
LONGEST_PAGE = 80


def modules(texts: dict[Path, str]) -> dict[str, str]:
    return {path.relative_to(ROOT).as_posix(): text for path, text in texts.items() if path.suffix == ".py"}


def test_every_module_says_in_its_first_line_what_it_knows(texts: dict[Path, str]) -> None:
    mute = [
        name
        for name, text in modules(texts).items()
        if not text.startswith('"""') or len(text.splitlines()[0].strip('"').strip()) < 12
    ]
    assert mute == []


def test_no_module_is_longer_than_it_can_be_read(texts: dict[Path, str]) -> None:
    long = {
        name: len(text.splitlines())
        for name, text in modules(texts).items()
        if len(text.splitlines()) > LONGEST_MODULE and not name.startswith("tests/")
    }
    assert long == {}


def test_pages_are_thin(texts: dict[Path, str]) -> None:
    long = {
        name: len(text.splitlines())
        for name, text in modules(texts).items()
        if name.startswith("pages/") and len(text.splitlines()) >= LONGEST_PAGE
    }
    assert long == {}


def test_no_module_has_a_name_that_says_nothing(files: list[Path]) -> None:
    empty = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert [path for path in files if path.suffix == ".py" and path.stem in empty] == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a path of the machine it was written on", r"(?<![\w.])/(?:work|home/\w+|Users/\w+|root)/"),
        ("the live host of the team's guide", "pulsecheck-mobile-app-" + r"production|\.up\.rail" + r"way\.app"),
        ("a Supabase project's reference", r"\b[a-z]{20}\.supabase\.co\b"),
        ("a package registry's host", r"pypi\." + r"org|pythonhosted\." + r"org|registry\." + r"npmjs|proxy\.golang"),
        ("work left undone", r"(?:#|--|<!--)\s*(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b"),
    ],
)
def test_no_file_holds(texts: dict[Path, str], what: str, pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts.items()
        for match in re.finditer(pattern, text)
    ]
    assert found == [], what


def test_no_error_is_swallowed_in_silence(texts: dict[Path, str]) -> None:
    silent = []
    for name, text in modules(texts).items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler) and all(isinstance(one, ast.Pass) for one in node.body):
                silent.append(f"{name}:{node.lineno}")
    assert silent == []


def test_names_in_the_dashboard_hide_no_library(files: list[Path]) -> None:
    libraries = {"streamlit", "plotly", "pandas", "typer", "rich", "uvicorn", "starlette", "metrics", "calendar"}
    tops = {path.stem for path in files if path.parent == ROOT / "dashboard"}
    assert tops & libraries == set()
