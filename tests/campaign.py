"""How much of a long campaign runs: all of it with OPS_CAMPAIGN=full, else a sample that is the same each time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from random import Random
from typing import TypeVar

import pytest

T = TypeVar("T")
FULL = os.environ.get("OPS_CAMPAIGN") == "full"
_REASON = "runs in the full campaign (make campaign)"
only_in_full = pytest.mark.skipif(not FULL, reason=_REASON)


def is_campaign(item: pytest.Item) -> bool:
    """Whether `make campaign` has to run it: marked so, skipped without it, or of a module that asks how much runs."""
    if item.get_closest_marker("campaign"):
        return True
    if any(mark.kwargs.get("reason") == _REASON for mark in item.iter_markers("skipif")):
        return True
    module = getattr(item, "module", None)
    return module is not None and not {"FULL", "sample"}.isdisjoint(vars(module))


def sample(items: Iterable[T], count: int, *, seed: int) -> list[T]:
    """`count` of the items in their order, drawn by the seed; all of them in the full campaign."""
    every = list(items)
    if FULL or count >= len(every):
        return every
    drawn = sorted(Random(seed).sample(range(len(every)), count))
    return [every[place] for place in drawn]
