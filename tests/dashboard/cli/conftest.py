"""Fixtures: the command line called in this process, with a home of its own."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog

from dashboard import composition
from dashboard.cli.entry import main
from tests.conftest import MakeDatabase


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one document on standard output; fails where there is anything else."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str | None]:
        found: dict[str, str | None] = self.document["error"]
        return found


Run = Callable[..., Said]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command sends its logs to the standard error of its time, which a later test must not write to."""
    handlers = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """`run("check", "--json")`; with a fresh home unless OPS_HOME was set to a test's own."""
    for name in [key for key in os.environ if key.startswith("OPS_") and key != "OPS_HOME"]:
        monkeypatch.delenv(name)
    if "ops-test-" not in os.environ.get("OPS_HOME", ""):
        monkeypatch.setenv("OPS_HOME", str(tmp_path / "home"))

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        code = main(list(arguments))
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    yield call
    composition.close()


@pytest.fixture
def database(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> str:
    url = make_database()
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE people (id int PRIMARY KEY)")
    monkeypatch.setenv("DB", url)
    return url


@pytest.fixture
def change(tmp_path: Path) -> Path:
    file = tmp_path / "change.sql"
    file.write_text("ALTER TABLE people ADD COLUMN IF NOT EXISTS name text;\n")
    return file
