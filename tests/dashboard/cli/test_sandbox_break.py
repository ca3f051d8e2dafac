"""`sandbox break` takes several faults, or draws them by a seed; `sandbox faults` lists them by what they break."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.cli import sandbox
from tests.dashboard.cli.conftest import Run

KNOWN = [
    {"id": "moon-gone", "what": "There is no moon.", "group": "Sky", "active": False},
    {"id": "sea-dry", "what": "The sea is dry.", "group": "Water", "active": True},
    {"id": "sun-gone", "what": "There is no sun.", "group": "Sky", "active": False},
]


class Client:
    def __init__(self) -> None:
        self.broken: list[str] = []

    def faults(self) -> list[dict[str, Any]]:
        return KNOWN

    def break_fault(self, fault: str) -> None:
        self.broken.append(fault)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    one = Client()
    monkeypatch.setattr(sandbox, "_client", lambda _target: one)
    return one


def test_several_are_broken_in_their_order(run: Run, client: Client) -> None:
    said = run("sandbox", "break", "sun-gone", "moon-gone", "--json")
    assert (said.code, said.document) == (0, {"broken": ["sun-gone", "moon-gone"]})
    assert client.broken == ["sun-gone", "moon-gone"]


def test_one_unknown_name_breaks_none(run: Run, client: Client) -> None:
    assert run("sandbox", "break", "sun-gone", "volcano", "--json").code == 64
    assert client.broken == []


def test_a_seed_breaks_the_same_ones_again(run: Run, client: Client) -> None:
    first, second = (run("sandbox", "break", "--seed", "3", "--count", "2", "--json").document for _ in range(2))
    assert first == second
    assert len(set(first["broken"])) == 2
    assert client.broken == [*first["broken"], *second["broken"]]


@pytest.mark.parametrize(
    "arguments", [["--seed", "1", "sun-gone"], ["--seed", "1", "--count", "4"], ["--seed", "1", "--count", "0"], []]
)
def test_what_cannot_be_drawn_is_not_understood(run: Run, client: Client, arguments: list[str]) -> None:
    assert run("sandbox", "break", *arguments, "--json").code == 64
    assert client.broken == []


def test_faults_stand_below_what_they_break(run: Run, client: Client) -> None:
    lines = [line.split("  ")[0].strip() for line in run("sandbox", "faults").out.splitlines()]
    assert lines == ["Sky", "moon-gone", "sun-gone", "", "Water", "sea-dry"]


def test_the_page_of_the_documentation_needs_no_sandbox(run: Run) -> None:
    said = run("sandbox", "faults", "--markdown")
    assert said.code == 0
    assert "| `openai-no-quota` |" in said.out
