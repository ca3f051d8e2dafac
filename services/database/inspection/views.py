"""Knows whether views can still be read and materialized views refreshed, with the rows that are there."""

from __future__ import annotations

from collections.abc import Iterable

from services.database.inspection.catalog import Relation
from services.database.inspection.error_kinds import Kind, kind_of
from services.database.inspection.finding import InspectionFinding, broken, passed, unclear
from services.database.inspection.probing import Prober

_MOST_ROWS = 1000


def check_views(prober: Prober, views: Iterable[Relation]) -> list[InspectionFinding]:
    """One finding for each view: read in full rows, or refreshed."""
    return [_tried(prober, view) for view in views if view.kind in ("v", "m")]


def _tried(prober: Prober, view: Relation) -> InspectionFinding:
    # The whole row is counted, so that no column of it is left out as not needed.
    statement = f"SELECT pg_catalog.count(row) FROM (SELECT * FROM {view.name} LIMIT {_MOST_ROWS}) AS row"
    if view.kind == "m":
        statement = f"REFRESH MATERIALIZED VIEW {view.name}"
    answer = prober.attempt(statement)
    said = f"{answer.message} ({answer.sqlstate})"
    verb = "refreshed" if view.kind == "m" else "read"
    match kind_of(answer, has_arguments=False):
        case Kind.GOOD:
            rows = f", {answer.first} rows of it" if view.kind == "v" else ""
            return passed("view", view.name, f"It was {verb}{rows}.")
        case Kind.BROKEN:
            return broken("view", view.name, f"It cannot be {verb}: {said}.", answer.sqlstate or "")
        case Kind.MADE_UP:
            why = f"With the rows that are there it cannot be {verb}: {said}. They may be masked ones."
            return unclear("view", view.name, why, answer.sqlstate or "")
        case _:
            return unclear("view", view.name, f"Whether it can be {verb} was not told: {said}.", answer.sqlstate or "")
