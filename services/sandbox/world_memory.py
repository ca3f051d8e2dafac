"""What of a world survives its restart: which kind it is, its deployments, what is broken, what faults have to know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from services.sandbox.keys import write_json

if TYPE_CHECKING:
    from services.sandbox.hosting import Hosting

Kind = Literal["before", "after"]

_FILE = "state.json"


def read_memory(home: Path, app: str) -> dict[str, Any] | None:
    """What was written of a world of this app; None where there is nothing, or nothing that can be understood."""
    try:
        memory = json.loads((home / _FILE).read_bytes())
    except (OSError, ValueError):
        return None
    good = isinstance(memory, dict) and memory.get("app") == app and "hosting" in memory
    return memory if good and memory.get("world") in ("before", "after") else None


def write_memory(
    home: Path, app: str, kind: Kind, hosting: Hosting, *, broken: Iterable[str], kept: Mapping[str, Any]
) -> None:
    """broken: ids of faults; kept: what they have to know to be undone."""
    from services.sandbox.hosting_memory import remember

    memory = {"app": app, "world": kind, "broken": sorted(broken), "kept": kept, "hosting": remember(hosting)}
    write_json(home / _FILE, memory)


def forget(home: Path) -> None:
    (home / _FILE).unlink(missing_ok=True)


async def recalled(hosting: Hosting, memory: Mapping[str, Any]) -> bool:
    """Bring the deployments back; False where the memory does not fit these builds any more."""
    from services.sandbox.hosting_memory import recall

    try:
        await recall(hosting, memory)
    except (KeyError, TypeError, ValueError):
        await hosting.close()
        hosting.deployments.clear()
        return False
    return True
