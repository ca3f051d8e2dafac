"""The sandbox's PulseCheck. `TWIN` is read when asked for, so that the serving processes start without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.pulsecheck.twin.definition import TWIN

__all__ = ["TWIN"]


def __getattr__(name: str) -> object:
    if name == "TWIN":
        from apps.pulsecheck.twin.definition import TWIN

        return TWIN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
