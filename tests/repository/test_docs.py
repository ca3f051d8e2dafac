"""The docs tell of what exists: commands, make targets, settings, files, and no more than that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboard.cli import sandbox
from dashboard.cli.entry import app
from tests.repository.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


def commands() -> list[str]:
    """Every command that --help lists."""

    def named(typer_app: object) -> list[str]:
        found = []
        for command in typer_app.registered_commands:  # type: ignore[attr-defined]
            if not command.hidden:
                found.append(command.name or command.callback.__name__)
        return found

    return [*named(app), *(f"sandbox {name}" for name in named(sandbox.app))]


def test_every_command_is_documented() -> None:
    rows = [line for line in COMMAND_LINE.splitlines() if line.startswith("| `")]
    documented = set(re.findall(r"`((?:sandbox )?[a-z]+(?:-[a-z]+)*)", " ".join(row.split("|")[1] for row in rows)))
    assert documented == set(commands())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"python -m dashboard ((?:sandbox )?[a-z]+(?:-[a-z]+)*)", page.read_text(encoding="utf-8"))
    assert set(named) <= {*commands(), "sandbox"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?= *[`#\n,;)])", page.read_text(encoding="utf-8"))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_setting_of_ours_is_in_the_readme(texts: dict[Path, str]) -> None:
    code = [text for path, text in texts.items() if path.suffix == ".py" and "tests" not in path.parts]
    used = {name for text in code for name in re.findall(r"[\"'](OPS_[A-Z_]+?)(?:__)?[\"']", text)}
    documented = set(re.findall(r"OPS_[A-Z]+(?:_[A-Z]+)*", README))
    assert used - {"OPS_CHROMIUM"} <= documented | {"OPS_TARGETS", "OPS_CLI_ROLE"}


def test_the_settings_in_the_readme_are_read_somewhere(texts: dict[Path, str]) -> None:
    code = " ".join(text for path, text in texts.items() if path.suffix == ".py" and "tests" not in path.parts)
    documented = set(re.findall(r"`(OPS_[A-Z_]+?)(?:__[A-Z_]+)?`", README))
    assert [name for name in documented if name not in code] == []


def test_the_phrases_in_the_readme_are_the_ones_asked_for() -> None:
    from services.releases.actions import deploy_phrase, rollback_phrase

    assert f"`{deploy_phrase('beta-optimization', 'sandbox')}`" in README
    assert f"`{rollback_phrase('beta-optimization', 'sandbox')}`" in README
