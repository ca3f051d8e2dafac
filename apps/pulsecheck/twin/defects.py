"""Which defects are baked into the image that runs: read once, at the start, from a variable that the image sets.

Each is a real mistake in the code of a build, of a kind that PulseCheck's builds had; see `defective`.
"""

from __future__ import annotations

import os
from typing import TypeVar, cast

PRESENT = frozenset(os.environ.get("BUILD_DEFECTS", "").split(",")) - {""}

T = TypeVar("T")


def present(defect: str) -> bool:
    return defect in PRESENT


def of_this_build(good: type[T], **mistakes: type) -> type[T]:
    """The class as it is in this build: with the mistakes (by defect, `_` for `-`) that the image has on top."""
    made = [mistake for defect, mistake in mistakes.items() if present(defect.replace("_", "-"))]
    return cast("type[T]", type(good.__name__, (*made, good), {})) if made else good
