"""Knows which calls the server can no longer tell apart, because several functions of one name fit them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from services.database.inspection.catalog import Catalog, Routine
from services.database.inspection.finding import InspectionFinding, broken, unclear
from services.database.inspection.made_values import null_of
from services.database.inspection.probing import Prober

_AMBIGUOUS = "42725"


def check_overloads(catalog: Catalog, prober: Prober, names: Iterable[str]) -> list[InspectionFinding]:
    """A finding for each name ("public.f") of which a call, in its own types or in plain literals, is ambiguous."""
    wanted = set(names)
    routines = sorted((one for one in catalog.routines.values() if one.call in wanted and one.kind == "f"),
                      key=lambda one: one.call)  # fmt: skip
    found = []
    for name, group in groupby(routines, key=lambda one: one.call):
        several = list(group)
        if len(several) > 1 and (finding := _tried(catalog, prober, name, several)):
            found.append(finding)
    return found


def _tried(catalog: Catalog, prober: Prober, name: str, routines: list[Routine]) -> InspectionFinding | None:
    calls: dict[str, str] = {}
    for one in routines:
        for count in range(len(one.arguments) - one.defaults, len(one.arguments) + 1):
            typed = [null_of(oid, catalog.types) for oid in one.arguments[:count]]
            types = ", ".join(text.partition("::")[2] for text in typed)
            calls.setdefault(f"{name}({', '.join(typed)})", f"{name}({types})")
            plain = ", ".join(["NULL"] * count)
            calls.setdefault(f"{name}({plain})", f"{name} with {count} plain literal{'s' if count != 1 else ''}")
    ambiguous = []
    for call, told in calls.items():
        # Preparing reads the call and finds its function without running anything.
        answer = prober.attempt(f"PREPARE ops_call AS SELECT {call}; DEALLOCATE ops_call")
        if answer.says_nothing:
            return unclear("overload", name, "Its calls were not tried in time.", answer.sqlstate or "")
        if answer.sqlstate == _AMBIGUOUS:
            ambiguous.append(told)
    if not ambiguous:
        return None
    fits = ", ".join(one.name for one in routines)
    return broken("overload", name, f"Ambiguous: a call of {'; '.join(ambiguous)}. What fits: {fits}.", _AMBIGUOUS)
