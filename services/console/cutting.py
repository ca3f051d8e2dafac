"""Knows how a question becomes one whose values and rows the server cuts, so that none of the rest comes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.database.names import identifier

_TEXT, _VARCHAR, _BYTEA = 25, 1043, 17
_FEWEST = 1_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. kind: its type's number; size: bytes of such a value, negative where that varies."""

    name: str
    kind: int
    size: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A question that ends by itself: sql; characters: the most of a value; one more comes where it is cut."""

    sql: str
    characters: int


def cut(sql: str, columns: Sequence[Column], *, rows: int, value_bytes: int) -> Cut:
    """The same question with at most `rows` rows, and no row of much more than `value_bytes` characters.

    Values are shown as the server writes them, in the order and under the names of the question.
    """
    long = [column for column in columns if column.size < 0]
    characters = max(_FEWEST, value_bytes // max(1, len(long)))
    if not columns:
        return Cut(sql, characters)
    places = [f"c{at}" for at in range(len(columns))]
    shown = ", ".join(
        f"{_cut_value(place, column, characters + 1)} AS {identifier(column.name)}"
        for place, column in zip(places, columns, strict=True)
    )
    # OFFSET 0 keeps the two apart: each value is reckoned once, though it is named twice.
    inner = f"SELECT * FROM ({sql}) AS asked({', '.join(places)}) OFFSET 0"
    return Cut(f"SELECT {shown} FROM ({inner}) AS whole LIMIT {rows}", characters)


def _cut_value(place: str, column: Column, characters: int) -> str:
    if column.size >= 0:
        return place
    if column.kind in (_TEXT, _VARCHAR):
        return f"pg_catalog.left({place}, {characters})"
    # Written by the type's own function, as in an answer: a cast writes some types in another way.
    value = f"pg_catalog.substr({place}, 1, {characters})" if column.kind == _BYTEA else place
    written = f"pg_catalog.left(pg_catalog.format('%s', {value}), {characters})"
    # IS NULL is true of a row of nothing but NULLs, which is a value.
    return f"CASE WHEN pg_catalog.num_nulls({place}) = 0 THEN {written} END"
