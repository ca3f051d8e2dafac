"""Our own store: doctor writes to it what it holds, and tells one that does not open, take or fit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dashboard.cli.doctor.own_store import store_problems
from services.store.database import Store, open_store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    opened(tmp_path / "store.sqlite3").close()
    return tmp_path / "store.sqlite3"


def opened(path: Path) -> Store:
    return open_store(f"sqlite:///{path}")


def test_a_store_that_opens_and_takes_what_we_write(place: Path) -> None:
    assert list(store_problems(lambda: opened(place))) == []


def test_one_that_does_not_open(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").mkdir()
    (problem,) = store_problems(lambda: opened(tmp_path / "store.sqlite3"))
    assert "cannot be opened" in problem.what


def test_one_of_a_newer_version(place: Path) -> None:
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    (problem,) = store_problems(lambda: opened(place))
    assert "newer version" in problem.what


def test_one_that_takes_nothing(place: Path) -> None:
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TRIGGER no BEFORE UPDATE ON alembic_version BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.close()
    (problem,) = store_problems(lambda: opened(place))
    assert "takes nothing" in problem.what
