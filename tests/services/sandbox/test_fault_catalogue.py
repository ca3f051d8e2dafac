"""The faults as a list: the documentation has all of them, and a seed draws the same ones each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pulsecheck.twin.definition import TWIN
from services.errors import NotUnderstood
from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.faults import GENERIC, faults_of
from services.sandbox.faults.catalogue import drawn, markdown

PAGE = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
FAULTS = faults_of(TWIN)


async def nothing(_: FaultyWorld) -> None:
    return None


def test_the_documentation_has_every_fault_with_its_sentence() -> None:
    """`python -m dashboard sandbox faults --markdown > docs/faults.md` writes it anew."""
    assert PAGE.read_text(encoding="utf-8").strip() == markdown(FAULTS.values()).strip()


def test_a_table_for_each_group_in_the_order_of_the_faults() -> None:
    made = [
        Fault(name, f"What {name} does.", nothing, nothing, group)
        for name, group in (("b", "Y"), ("a", "X"), ("c", "Y"))
    ]
    lines = [line for line in markdown(made).splitlines() if line.startswith(("## ", "| `"))]
    assert lines == ["## Y", "| `b` | What b does. |", "| `c` | What c does. |", "## X", "| `a` | What a does. |"]


def test_a_seed_draws_the_same_faults_whatever_their_order() -> None:
    ids = list(FAULTS)
    first = drawn(ids, seed=5, count=3)
    assert drawn(reversed(ids), seed=5, count=3) == first
    assert len(set(first)) == 3
    assert any(drawn(ids, seed=seed, count=3) != first for seed in range(6, 9))


@pytest.mark.parametrize("count", [0, -1, 4])
def test_more_than_there_are_or_none_cannot_be_drawn(count: int) -> None:
    with pytest.raises(NotUnderstood):
        drawn(["a", "b", "c"], seed=1, count=count)


def test_sixty_faults_and_more_each_with_an_id_of_its_own_a_sentence_and_a_group() -> None:
    assert len(FAULTS) >= 60
    assert len({fault.id for fault in GENERIC}) == len(GENERIC)
    assert [fault.id for fault in FAULTS.values() if not fault.group or not fault.what.endswith(".")] == []
