"""Knows which of many names a wrong one was most likely meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def distance(one: str, other: str) -> int:
    """How many letters must be put in, left out, replaced or swapped with their neighbour to get from one to the
    other (optimal string alignment)."""
    older, above, row = [0], [0], list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        older, above, row = above, row, [i]
        for j, against in enumerate(other, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def nearest(wanted: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names that are near enough to be meant, best first. Case does not count."""
    low = wanted.lower()
    allowed = max(1, len(low) // 3)
    scored = []
    for name in dict.fromkeys(known):
        other = name.lower()
        plain, fits = other.replace("_", ""), low.replace("_", "")
        near = 0 if plain == fits or plain == f"{fits}s" or f"{plain}s" == fits else None
        if near is None and abs(len(other) - len(low)) <= allowed:
            near = distance(low, other)
        if near is None and len(low) >= 4 and (other.endswith(f"_{low}") or other.startswith(f"{low}_")):
            near = allowed  # part of a longer name: entries for journal_entries
        if near is not None and near <= allowed:
            scored.append((near, name))
    return [name for _, name in sorted(scored)][:most]
