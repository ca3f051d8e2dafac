"""Knows how to find values that satisfy a table's CHECKs: the server is asked which of many candidates do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from services.database.inspection.catalog import Catalog, Column, Relation, Rule
from services.database.inspection.made_values import candidates
from services.database.inspection.probing import Prober
from services.database.names import identifier, literal

_MOST_CANDIDATES = 24
_MOST_COLUMNS = 4
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_TEXTS = ("text", "character varying", "citext", "name")
_SHAPES = ("made@example.com", "https://example.com/made", "USD", "US", "en", "en-US", "made-up", "MADE", "#ffffff",
           "+12025550123", "12:00", "2000-01-01", "1", "A1")  # fmt: skip


def solve_checks(
    catalog: Catalog, prober: Prober, relation: Relation, values: dict[str, str], fixed: frozenset[str]
) -> str:
    """Change the values, but for those fixed, so that all CHECKs on them hold; returns why it cannot, or nothing."""
    columns = {one.name: one for one in catalog.columns(relation)}
    checks = [one for one in catalog.rules(relation) if one.kind == "c" and set(one.columns) & values.keys()]
    for group in _groups(checks):
        involved = sorted({name for one in group for name in one.columns if name in columns})
        if why := _solved(catalog, prober, columns, involved, group, values, fixed):
            return why
    return ""


def _groups(checks: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Checks that share columns have to be solved together."""
    left = list(checks)
    while left:
        group = [left.pop()]
        names = set(group[0].columns)
        while more := [one for one in left if names & set(one.columns)]:
            group += more
            left = [one for one in left if one not in more]
            names |= {name for one in more for name in one.columns}
        yield group


def _solved(
    catalog: Catalog, prober: Prober, columns: dict[str, Column], involved: Sequence[str], group: Sequence[Rule],
    values: dict[str, str], fixed: frozenset[str],
) -> str:  # fmt: skip
    free = [name for name in involved if name in values and name not in fixed]
    named = " and ".join(sorted(one.name for one in group))
    if len(free) > _MOST_COLUMNS:
        return f"too many columns to satisfy {named}"
    sources: list[str] = []
    for name in involved:
        column = columns[name]
        given = [values[name]] if name in values else [f"NULL::{column.written}"]
        more = _candidates(catalog, column, group)[:_MOST_CANDIDATES] if name in free else []
        rows = ", ".join(f"({expression})" for expression in dict.fromkeys([*given, *more]))
        sources.append(f"(VALUES {rows}) AS s_{len(sources)} ({identifier(name)})")
    holds = " AND ".join(f"COALESCE(({one.expression}), true)" for one in group)
    shown = ", ".join(f"{identifier(name)}::text" for name in free) or "'x'"
    query = f"SELECT {shown} FROM {' CROSS JOIN '.join(sources)} WHERE {holds} LIMIT 1"
    told = prober.attempt(query, path="")
    if not told.good:
        return f"{named} could not be asked: {told.message}"
    if not told.rows:
        return f"no value was found that satisfies {named}"
    for name, text in zip(free, told.rows[0], strict=False):
        if text is not None and name in values:
            values[name] = f"{literal(text)}::{columns[name].written}"
    return ""


def _candidates(catalog: Catalog, column: Column, group: Sequence[Rule]) -> list[str]:
    """Values that the checks themselves spell, those beside them, and plain ones of the type."""
    known = catalog.types.get(column.type)
    if known is None:
        return []
    kind = catalog.types[known.base].name if known.kind == "d" and known.base in catalog.types else known.name
    written = " ".join(one.expression for one in group)
    literals = [text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", written)]
    numbers = [float(text) for text in re.findall(r"(?<![\w.'])-?\d+(?:\.\d+)?", written)]
    numbers += [float(text) for text in literals if re.fullmatch(r"-?\d+(?:\.\d+)?", text)]
    found = candidates(column.type, catalog.types, column.written)
    if kind in _NUMBERS:
        whole = kind in _NUMBERS[:3]
        near = [number + step for number in numbers for step in (0, 1, -1)]
        ordered = sorted(set(numbers))
        between = [(one + two) / 2 for one, two in pairwise(ordered)]
        near = [*between, *near, *(number / 2 for number in numbers)]
        return [*found, *(f"({number:.10g})::{known.name}" for number in near if not whole or number == int(number))]
    if kind in _TEXTS:
        lengths = sorted({int(n) for number in numbers for n in (number, number + 1) if 0 < n <= 2000})
        texts = [*literals, *_SHAPES, *("m" * length for length in lengths)]
        return [*found[:1], *(f"{literal(text)}::{known.name}" for text in texts)]
    if kind.startswith(("date", "timestamp")):
        dates = [text for text in literals if re.match(r"\d{4}-\d\d-\d\d", text)]
        return [*found, *(f"{literal(text)}::{known.name}" for text in dates)]
    return found
