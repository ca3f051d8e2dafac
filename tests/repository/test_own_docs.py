"""What the docs show of one's own app and one's own check is run as it stands there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from services.app_definition import load_app
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.registry import CheckSpec
from services.checks.runner import run_checks
from services.incidents.causes import causes_of
from services.incidents.playbooks import playbooks_of
from services.settings import Target
from services.verdict import Verdict
from tests.conftest import MakeDatabase
from tests.repository.conftest import ROOT
from tests.tiny_app.served import FOLDER, GuestBook, served

OWN_CHECKS = (ROOT / "docs" / "own-checks.md").read_text(encoding="utf-8")
OWN_APP = (ROOT / "docs" / "own-app.md").read_text(encoding="utf-8")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def named_files() -> dict[str, str]:
    """The YAML blocks of own-app.md by the file that their first line names."""
    cut = [block.partition("\n") for block in blocks(OWN_APP, "yaml")]
    return {first.removeprefix("# ").removeprefix("tiny/"): rest for first, _, rest in cut}


@pytest.fixture
def book(make_database: MakeDatabase) -> Iterator[GuestBook]:
    with served(make_database()) as found:
        yield found


def context_of(book: GuestBook, app_name: str) -> CheckContext:
    target = Target.model_validate(
        {"name": "t", "app": app_name, "levels": ["look", "observe"], "app_url": book.address}
        | {"database_url": book.database_url}
    )
    return CheckContext.create(target, load_app(app_name), NOW)


def test_the_example_of_an_own_check_runs_and_finds_what_it_is_for(
    book: GuestBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = blocks(OWN_CHECKS, "python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 25
    folder = tmp_path / "shown_in_docs"
    folder.mkdir()
    (folder / "app.yaml").write_text(named_files()["app.yaml"])
    (folder / "checks.py").write_text(example)
    monkeypatch.setenv("OPS_APPS", str(tmp_path))
    context = context_of(book, "shown_in_docs")
    catalogue = catalogue_of(context.app)
    with psycopg.connect(book.database_url, autocommit=True) as conn:
        conn.execute("insert into guests (name) values ('Ann'), ('Ben')")
    (seen,) = run_checks(catalogue, ["all-guests-shown"], context, NOW)
    assert seen.verdict is Verdict.PASS
    book.shy = True
    (seen,) = run_checks(catalogue, ["all-guests-shown"], context, NOW)
    assert (seen.verdict, seen.summary) == (Verdict.FAIL, "The guest book: guests says 1, we count 2.")


@pytest.mark.parametrize("name", ["app.yaml", "causes.yaml", "playbooks/look-into-the-table.yaml"])
def test_what_the_docs_show_of_the_tiny_app_is_what_it_is(name: str) -> None:
    assert named_files()[name].strip() in (FOLDER / "tiny" / name).read_text(encoding="utf-8")


def test_the_app_of_the_docs_loads_as_it_stands_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in named_files().items():
        path = tmp_path / "as_in_docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("OPS_APPS", str(tmp_path))
    app = load_app("as_in_docs")
    assert [feature.id for feature in app.features] == ["answers", "stored"]
    assert [cause.playbook for cause in causes_of(app).causes] == list(playbooks_of(app))
    assert "supabase-project" in [spec.id for spec in catalogue_of(app).not_used]


def test_the_target_of_the_docs_is_one() -> None:
    (shown,) = blocks(OWN_APP, "toml")
    values = tomllib.loads(shown)["targets"]["guests"]
    assert Target.model_validate({"name": "guests", **values}).app == "tiny"


def test_every_field_of_a_check_that_the_docs_explain_is_there() -> None:
    table = OWN_CHECKS.partition("## What the entry declares")[2]
    named = {word for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)}
    assert named == set(CheckSpec.__slots__) - {"run", "version"}
