"""Knows what a change took along unasked: views, functions, policies, triggers and foreign keys gone by CASCADE."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from services.database.fingerprint import Fingerprint
from services.database.inspection.finding import InspectionFinding, broken

_WORD = re.compile(r"[^\W\d][\w$]*")


def dropped_along(before: Fingerprint, after: Fingerprint, texts: Iterable[str]) -> Iterator[InspectionFinding]:
    """One finding for each object that was there before, is not there after, and that no statement's text names.

    Parts of what is itself gone are left out: a table's own policies, what was in a schema that was dropped.
    """
    together = "\n".join(texts).lower()
    named = set(_WORD.findall(together))
    for fact in sorted(before.facts.keys() - after.facts.keys()):
        kind, _, name = fact.partition(" ")
        bare = _bare(name)
        if kind in ("view", "function"):
            schema = name.partition("(")[0].rpartition(".")[0]
            found = f"schema {schema}" in after.facts and f"relation {name}" not in after.facts
        elif kind in ("policy", "trigger", "constraint"):
            table = name.rpartition(".")[0]
            found = f"relation {table}" in after.facts
            if kind == "constraint":
                # A table's own columns take its constraints with them: only those of other tables go unasked.
                found = found and before.facts[fact].startswith("FOREIGN KEY") and _bare(table) not in named
        else:
            continue
        if found and bare not in named and (_WORD.fullmatch(bare) or bare not in together):
            yield broken(
                "dropped", name, f"The {kind} goes along with what is dropped (CASCADE); no statement names it."
            )


def _bare(name: str) -> str:
    return name.partition("(")[0].rpartition(".")[2].strip('"').lower()
