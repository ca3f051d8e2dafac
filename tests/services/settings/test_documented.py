"""docs/settings.md and the example file name every key there is, and no other; what they say of each is so."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from services.settings import Oidc, Person, ProbeAccount, ProbeCap, QuickSignIn, Settings, Target, load_settings
from services.settings.variable_names import KNOWN
from tests.repository.conftest import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".streamlit" / "secrets.toml.example").read_text(encoding="utf-8")
PARTS: dict[str, type[BaseModel]] = {
    "people": Person,
    "probe_accounts": ProbeAccount,
    "probe_caps": ProbeCap,
    "quick_sign_in": QuickSignIn,
    "oidc": Oidc,
}
NOT_WRITTEN = {"origins", "targets"}
NOT_IN_THE_EXAMPLE = {"home", "name", "founder", "fault_control_url", "quick_sign_in"}
"""By a variable only, or written by the product and the sandbox for themselves."""


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading: key to its other cells."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:3] == "| `"]
    return {first.strip("`"): rest for first, *rest in cells}


def ours() -> dict[str, FieldInfo]:
    named = {("target" if name == "default_target" else name): field for name, field in Settings.model_fields.items()}
    return {name: field for name, field in named.items() if name not in NOT_WRITTEN}


def parts() -> dict[str, FieldInfo]:
    return {f"{part}.{name}": field for part, model in PARTS.items() for name, field in model.model_fields.items()}


TABLES: list[tuple[str, dict[str, FieldInfo]]] = [
    ("Ours", ours()),
    ("A target", Target.model_fields),
    ("Parts", parts()),
]


@pytest.mark.parametrize(("heading", "fields"), TABLES, ids=[heading for heading, _ in TABLES])
def test_every_key_is_documented_and_no_other(heading: str, fields: dict[str, FieldInfo]) -> None:
    assert set(rows(heading)) == set(fields)


def plain_defaults() -> Iterator[tuple[str, str, object]]:
    for heading, fields in TABLES:
        for name, field in fields.items():
            if isinstance(field.default, str | int | float) and field.default != "":
                yield heading, name, field.default


@pytest.mark.parametrize(("heading", "name", "default"), [*plain_defaults()], ids=str)
def test_the_default_is_the_one_that_holds(heading: str, name: str, default: object) -> None:
    said = rows(heading)[name][1].strip("`")
    shown = (
        str(default).lower() if isinstance(default, bool) else f"{default:g}" if isinstance(default, float) else default
    )
    assert said == str(shown)


def holds_secret(annotation: object) -> bool:
    if annotation is SecretStr:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation is not Oidc and any(holds_secret(one.annotation) for one in annotation.model_fields.values())
    return any(holds_secret(part) for part in getattr(annotation, "__args__", ()))


@pytest.mark.parametrize(("heading", "fields"), TABLES, ids=[heading for heading, _ in TABLES])
def test_what_is_said_to_be_secret_is_kept_as_one(heading: str, fields: dict[str, FieldInfo]) -> None:
    said = {name for name, cells in rows(heading).items() if cells[2] == "yes"}
    # Our store's address is text, since it may be a mere path; what shows it leaves the password out.
    assert said - {"store_url"} == {name for name, field in fields.items() if holds_secret(field.annotation)}


def test_the_variables_that_the_page_names_are_known() -> None:
    named = set(re.findall(r"`(OPS_[A-Z_]+[A-Z])", PAGE))
    assert {one for one in named if "__" not in one and one != "OPS_KEY"} <= set(KNOWN)


def test_the_example_names_every_key() -> None:
    sections = re.findall(r"^(?:# )?\[+(?:ops|targets\.staging)\.(\w+)\]+$", EXAMPLE, re.MULTILINE)
    named = {*sections, *re.findall(r"\b(\w+) = ", EXAMPLE)}
    inside = {key for part, _, key in (name.partition(".") for name in parts()) if part not in NOT_IN_THE_EXAMPLE}
    assert {*ours(), *Target.model_fields, *inside} - NOT_IN_THE_EXAMPLE - named == set()


def test_the_example_names_no_key_that_is_none() -> None:
    known = set(ours()) | set(Target.model_fields) | {name.partition(".")[2] for name in parts()}
    assert set(re.findall(r"^(?:# )?(\w+) = ", EXAMPLE, re.MULTILINE)) <= known


def test_the_example_is_good_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(EXAMPLE)
    target = load_settings({}, tmp_path).target("staging")
    assert target.app_url == tomllib.loads(EXAMPLE)["targets"]["staging"]["app_url"]
    assert not target.production
