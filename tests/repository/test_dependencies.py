"""What we depend on: pinned exactly, under licences that let it be used, and installed as pinned."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest

from tests.repository.conftest import ROOT

FREE = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|LGPL|Lesser General|PostgreSQL|Unlicense)"
    r"\b",
    re.IGNORECASE,
)
NOT_FREE_ENOUGH = re.compile(r"(?<!L)(?<!Lesser )\b(AGPL|GPL|GNU General Public|GNU Affero)", re.IGNORECASE)


def pins(name: str) -> list[tuple[str, str]]:
    found = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith(("#", "-r ")):
            package, _, version = line.partition("==")
            found.append((package.partition("[")[0], version))
    return found


ALL = [*pins("requirements.txt"), *pins("requirements-dev.txt")]


@pytest.mark.parametrize(("package", "version"), ALL)
def test_every_dependency_is_pinned_exactly_and_installed_so(package: str, version: str) -> None:
    assert re.fullmatch(r"\d[\w.]*", version), f"{package} is not pinned exactly"
    try:
        assert distribution(package).version == version
    except PackageNotFoundError:
        pytest.fail(f"{package} is not installed")


@pytest.mark.parametrize("package", [package for package, _ in ALL])
def test_every_direct_dependency_may_be_used(package: str) -> None:
    metadata = distribution(package).metadata
    told = [metadata.get("License-Expression") or "", (metadata.get("License") or "")[:200]]
    told += [one for one in metadata.get_all("Classifier") or [] if one.startswith("License ::")]
    told += [
        (distribution(package).locate_file(file)).read_text(encoding="utf-8", errors="replace")[:300]  # type: ignore[attr-defined]
        for file in distribution(package).files or []
        if re.match(r"(?:.*/)?(?:LICEN[CS]E|COPYING)", str(file))
        and str(file).endswith((".txt", "LICENSE", "COPYING", ".md"))
    ]
    words = " | ".join(told)
    assert FREE.search(words), f"{package}: {words[:300]}"
    assert not NOT_FREE_ENOUGH.search(" | ".join(told[:1])), f"{package}: {words[:300]}"


def test_no_lock_file_names_a_host() -> None:
    locks = ("uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json", "pdm.lock")
    assert [name for name in locks if (ROOT / name).exists()] == []
