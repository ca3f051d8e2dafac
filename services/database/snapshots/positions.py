"""Knows where sequences have to stand once rows are back: behind no place where one stood, and behind no row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from services.database.definitions.definition import Definition, Definitions
from services.database.snapshots.effects import Place
from services.database.snapshots.kept_definitions import position_of
from services.database.snapshots.park import oid_of
from services.database.snapshots.snapshot import Part, every_row_seen

_STANDING = """
SELECT w.name, s.seqincrement > 0, s.seqmin, s.seqmax, pg_catalog.pg_sequence_last_value(s.seqrelid),
       s.seqrelid::bigint
FROM pg_catalog.unnest(%s::text[]) w(name)
JOIN pg_catalog.pg_sequence s ON s.seqrelid = pg_catalog.to_regclass(w.name)
WHERE pg_catalog.has_sequence_privilege(s.seqrelid, 'UPDATE')
ORDER BY w.name
"""

# The columns that a sequence gives numbers to: those that own it, and those whose default asks it.
_COLUMNS = """
SELECT DISTINCT n.nspname::text, c.relname::text, a.attname::text
FROM (
  SELECT d.refobjid AS relation, d.refobjsubid AS number FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = %(sequence)s AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
  UNION
  SELECT f.adrelid, f.adnum FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
  WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = %(sequence)s
) numbered
JOIN pg_catalog.pg_attribute a ON a.attrelid = numbered.relation AND a.attnum = numbered.number
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype)
  AND n.nspname <> 'ops' AND c.relkind IN ('r', 'p')
ORDER BY 1, 2, 3
"""


def put_positions(
    conn: psycopg.Connection[Any], kept: Definitions, start: Definitions, target: Definitions, parts: Sequence[Part]
) -> list[tuple[str, int]]:
    """Put every sequence that the change, or taking it back, had moved back: to the furthest of where it stood before
    the change, where it stood when taking back began, and the numbers that rows written since have.

    kept: what the snapshot keeps of before; start: as read when taking back began. Called last, as no rollback undoes
    it. Returns (sequence as SQL names it, its position) of those that were put, in order.
    """
    names = {_name(d): d.key for d in target if d.kind in ("sequence", "identity")}
    done: list[tuple[str, int]] = []
    for name, up, least, most, last, oid in conn.execute(_STANDING, (list(names),)).fetchall():
        key = names[name]
        marks = [side.by_key.get(f"sequence position {key}") for side in (kept, start)]
        stood = [position_of(mark) for mark in marks if mark is not None]
        moved_back = any(last is None or _is_further(mark, last, up=up) for mark in stood)
        if not moved_back and marks[0] is None and key in start.by_key:
            continue
        numbers = _numbers(conn, oid, parts, up=up, anew=key not in start.by_key)
        found = [*stood, *([last] if last is not None else []), *numbers]
        furthest = _furthest((one for one in found if least <= one <= most), up=up)
        if furthest is not None and (last is None or _is_further(furthest, last, up=up)):
            conn.execute("SELECT pg_catalog.setval(%s::pg_catalog.regclass, %s, true)", (name, furthest))
            done.append((name, furthest))
    return done


def _name(definition: Definition) -> str:
    return definition.identity if definition.kind == "sequence" else str(definition.facts["sequence"])


def _is_further(one: int, other: int, *, up: bool) -> bool:
    return one > other if up else one < other


def _furthest(numbers: Iterable[int], *, up: bool) -> int | None:
    return max(numbers, default=None) if up else min(numbers, default=None)


def _numbers(
    conn: psycopg.Connection[Any], sequence: int, parts: Sequence[Part], *, up: bool, anew: bool
) -> Iterator[int]:
    """The furthest number in each column of the sequence, of rows that are not those of before.

    anew: the sequence was made again, so that where it stood says nothing of rows that another one has numbered.
    """
    for schema, table, column in conn.execute(_COLUMNS, {"sequence": sequence}).fetchall():
        copy = _copy_of(conn, (schema, table), column, parts)
        if copy is None and not anew:
            continue
        query = sql.SQL("SELECT {} FROM {} n WHERE {}").format(
            sql.SQL("pg_catalog.{}(n.{})").format(sql.SQL("max" if up else "min"), sql.Identifier(column)),
            sql.Identifier(schema, table),
            sql.SQL("NOT EXISTS (SELECT FROM {copy} b WHERE b.{c}::text = n.{c}::text)").format(
                copy=copy, c=sql.Identifier(column)
            )
            if copy is not None
            else sql.SQL("true"),
        )
        with every_row_seen(conn, (schema, table)):
            row = conn.execute(query).fetchone()
        if row is not None and row[0] is not None:
            yield int(row[0])


def _copy_of(conn: psycopg.Connection[Any], place: Place, column: str, parts: Sequence[Part]) -> sql.Identifier | None:
    """Where the numbers of before are kept: those were no hindrance then, however far they are from the sequence."""
    for part in parts:
        if (part.schema, part.table) == place and part.copy_name and column in part.columns:
            return part.copy if oid_of(conn, ("ops", part.copy_name)) else None
    return None
