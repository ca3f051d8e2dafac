"""How much of a long campaign runs: all of it with OPS_CAMPAIGN=full, else a sample that is the same each time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from random import Random
from typing import TypeVar

import pytest

T = TypeVar("T")
FULL = os.environ.get("OPS_CAMPAIGN") == "full"
only_in_full = pytest.mark.skipif(not FULL, reason="runs in the full campaign (make campaign)")


def sample(items: Iterable[T], count: int, *, seed: int) -> list[T]:
    """`count` of the items in their order, drawn by the seed; all of them in the full campaign."""
    every = list(items)
    if FULL or count >= len(every):
        return every
    drawn = sorted(Random(seed).sample(range(len(every)), count))
    return [every[place] for place in drawn]
