"""The faults as a list to read and to draw from: the table of the documentation, and seeded combinations."""

from __future__ import annotations

import random
from collections.abc import Iterable

from services.errors import NotUnderstood
from services.sandbox.fault import Fault

HEAD = """# Faults of the sandbox

`python -m dashboard sandbox break FAULT...` breaks the embedded world, `sandbox repair [FAULT]` mends it again; both
return when the effect can be seen. `sandbox break --seed N --count K` breaks K of them, the same ones for the same N.
The cause that `diagnose` names first bears the fault's id.

This page is written by `python -m dashboard sandbox faults --markdown`.
"""


def markdown(faults: Iterable[Fault]) -> str:
    """The page docs/faults.md: a table of ids and sentences for each group, in the order of the faults."""
    groups: dict[str, list[Fault]] = {}
    for fault in faults:
        groups.setdefault(fault.group, []).append(fault)
    parts = [HEAD]
    for group, members in groups.items():
        rows = [f"| `{one.id}` | {one.what} |" for one in members]
        parts.append("\n".join([f"## {group}", "", "| id | what is broken |", "| --- | --- |", *rows, ""]))
    return "\n".join(parts)


def drawn(ids: Iterable[str], *, seed: int, count: int) -> list[str]:
    """So many of the ids, the same for the same seed. Raises NotUnderstood where there are not as many."""
    known = sorted(ids)
    if not 1 <= count <= len(known):
        raise NotUnderstood(
            f"{count} faults cannot be drawn from {len(known)}.",
            "Nothing was broken.",
            f"Give a number from 1 to {len(known)}.",
            place="--count",
        )
    return random.Random(seed).sample(known, count)
