"""Knows how rows written since get numbers for a column that comes back with its sequence: none given before."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definition, Definitions
from services.database.snapshots.effects import Place
from services.database.snapshots.kept_definitions import position_of

_NEXT = re.compile(r"^nextval\('((?:[^']|'')+)'::(?:pg_catalog\.)?regclass\)$")

_HAND_OVER = """
SELECT pg_catalog.setval(pg_catalog.to_regclass(%(real)s), n.last_value, true) FROM pg_temp.{lent} n
WHERE pg_catalog.to_regclass(%(real)s) IS NOT NULL AND n.is_called AND n.last_value <> %(began)s
"""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A sequence of ours that goes on where the column's own stood: that one is only made, and set, when rows are in.

    real: the column's own, as SQL names it; began: where it stood, 0 where it gave no number yet.
    """

    lent: str
    real: str
    began: int

    @property
    def next(self) -> str:
        """The SQL that gives the next number."""
        return f"pg_catalog.nextval('pg_temp.{self.lent}'::pg_catalog.regclass)"


def lend_numbers(
    conn: psycopg.Connection[Any], target: Definitions, place: Place, columns: Iterable[str]
) -> dict[str, Numbers]:
    """Numbers for those of the columns that are to have a sequence again, by column."""
    found: dict[str, Numbers] = {}
    table = sql.Identifier(*place).as_string(conn)
    for name in columns:
        quoted = sql.Identifier(name).as_string(conn)
        for column in (f"column {place[0]}.{place[1]}.{name}", f"column {table}.{quoted}"):
            sequence = _sequence_of(target, column)
            if sequence is not None:
                found[name] = _lent(conn, *sequence)
    return found


def _sequence_of(target: Definitions, column: str) -> tuple[str, str, int] | None:
    """Name, options and position of the sequence that fills this column."""
    identity, default = target.by_key.get(f"identity {column}"), target.by_key.get(f"default {column}")
    if identity is not None and identity.facts.get("sequence"):
        return str(identity.facts["sequence"]), str(identity.facts["options"]), _position(target, identity)
    match = _NEXT.match(default.create[0].partition(" SET DEFAULT ")[2]) if default and default.create else None
    sequence = target.by_key.get(f"sequence {match[1]}".replace("''", "'")) if match else None
    if sequence is None:
        return None
    return sequence.identity, str(sequence.facts["options"]), _position(target, sequence)


def _position(target: Definitions, of: Definition) -> int:
    found = target.by_key.get(f"sequence position {of.key}")
    return position_of(found) if found is not None else 0


def _lent(conn: psycopg.Connection[Any], real: str, options: str, began: int) -> Numbers:
    numbers = Numbers(f"ops_numbers_{zlib.crc32(real.encode())}", real, began)
    row = conn.execute("SELECT pg_catalog.to_regclass(%s) IS NULL", (f"pg_temp.{numbers.lent}",)).fetchone()
    if row is not None and row[0]:
        conn.execute(f"CREATE TEMP SEQUENCE {numbers.lent} {options}".encode())
        if began:
            conn.execute(
                "SELECT pg_catalog.setval(%s::pg_catalog.regclass, %s, true)", (f"pg_temp.{numbers.lent}", began)
            )
    return numbers


def hand_over(conn: psycopg.Connection[Any], numbers: Iterable[Numbers]) -> None:
    """Let the columns' own sequences go on behind the numbers that were given; ours go."""
    for one in {*numbers}:
        lent = sql.Identifier(one.lent)
        conn.execute(sql.SQL(_HAND_OVER).format(lent=lent), {"real": one.real, "began": one.began})
        conn.execute(sql.SQL("DROP SEQUENCE pg_temp.{}").format(lent))
