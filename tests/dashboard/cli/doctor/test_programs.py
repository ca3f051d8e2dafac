"""Versions: Python, the pinned packages, and Postgres's programs against a target's server."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

import pytest

from dashboard.cli.doctor.programs import package_problems, pins, python_problems, server_problems
from services.errors import Refused, Unavailable
from tests.repository.conftest import ROOT


def test_an_old_python_is_told() -> None:
    (problem,) = python_problems((3, 10))
    assert "3.10" in problem.what
    assert list(python_problems((3, 11))) == []


def test_pins_are_read_with_extras_and_without_comments() -> None:
    assert pins("# x==1\na==1.2\nb[c,d]==3  # why\n-r other.txt\n") == {"a": "1.2", "b": "3"}


def test_packages_otherwise_than_pinned_are_told_together() -> None:
    (problem,) = package_problems({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "2.1"})
    assert "b 2.1 (pinned: 2), c is missing (pinned: 3)" in problem.what
    assert problem.place == "requirements.txt"


def test_what_we_lean_on_is_installed_as_pinned() -> None:
    wanted = pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert {"streamlit", "psycopg"} <= set(wanted)
    assert metadata.version("streamlit") == wanted["streamlit"]


def raising(error: Exception) -> Callable[[int], object]:
    def call(major: int) -> object:
        raise error

    return call


def good(major: int) -> object:
    return major


@pytest.mark.parametrize(
    ("rehearse", "dump", "for_backups", "told"),
    [
        (good, good, True, []),
        (raising(Unavailable("No server of 18.")), good, True, ["live runs Postgres 18: No server of 18."]),
        (good, raising(Refused("pg_dump 17 is older.")), True, ["live runs Postgres 18: pg_dump 17 is older."]),
        (good, raising(Refused("pg_dump 17 is older.")), False, []),
    ],
)
def test_our_programs_are_held_against_the_server(
    rehearse: Callable[[int], object], dump: Callable[[int], object], for_backups: bool, told: list[str]
) -> None:
    found = server_problems("live", 18, for_backups=for_backups, rehearse=rehearse, dump=dump)
    assert [problem.what for problem in found] == told
