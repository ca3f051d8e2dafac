"""Knows which sequences a script set back, so that numbers given out before would be given out once more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from services.database.dangers.danger import Danger
from services.database.dangers.trail import Trail
from services.database.fingerprint import bare_search_path

_SEQUENCES = """
SELECT c.oid::bigint, pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_sequence_last_value(c.oid),
       s.seqincrement, s.seqstart, d.refobjid::bigint, d.refobjsubid, t.nspname::text, r.relname::text, a.attname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
  AND d.refclassid = d.classid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_catalog.pg_class r ON r.oid = d.refobjid LEFT JOIN pg_catalog.pg_namespace t ON t.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'ops'
"""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """A sequence: the last number it gave (None: none yet), and the column that takes its numbers, if one owns it."""

    oid: int
    name: str
    last: int | None
    step: int
    start: int
    table_oid: int | None
    column_number: int | None
    column: tuple[str, str, str] | None

    @property
    def next(self) -> int:
        return self.start if self.last is None else self.last + self.step


def set_back(before: psycopg.Connection[Any], after: psycopg.Connection[Any], trail: Trail) -> list[Danger]:
    """Sequences that will give numbers again which a row has, or that went while what they number stayed."""
    old, new = _sequences(before), _sequences(after)
    columns = _columns(after)
    found = []
    for was in old:
        if was.last is None or was.step < 0:
            continue
        now = next((one for one in new if one.oid == was.oid or one.name == was.name), None) or next(
            (one for one in new if was.column is not None and _same_column(one, was)), None
        )
        if now is None and was.column is not None:  # another table may have taken the place of its own
            now = next((one for one in new if one.column == was.column), None)
        owner_stays = was.table_oid is None or (was.table_oid, was.column_number) in columns
        if (now is None and owner_stays) or (now is not None and _collides(after, was, now)):
            detail = _words(was, now)
            statement = trail.last_to_change(frozenset({("position", was.name)}))
            place = (statement.file, statement.line) if statement else (None, None)
            found.append(Danger("loss", was.name, detail, *place))
    return found


def _words(was: _Sequence, now: _Sequence | None) -> str:
    if now is None:
        return f"The sequence goes; it had come to {was.last}."
    return f"The sequence goes back from {was.last}: its next number is {now.next}, which was given out before."


def _same_column(one: _Sequence, other: _Sequence) -> bool:
    return (one.table_oid, one.column_number) == (other.table_oid, other.column_number)


def _collides(after: psycopg.Connection[Any], was: _Sequence, now: _Sequence) -> bool:
    if was.last is None or now.next > was.last:
        return False
    if now.column is None:
        return True
    schema, table, column = now.column
    query = sql.SQL("SELECT pg_catalog.max({}) FROM {}").format(sql.Identifier(column), sql.Identifier(schema, table))
    row = after.execute(query).fetchone()
    return row is not None and row[0] is not None and int(row[0]) >= now.next


def _sequences(conn: psycopg.Connection[Any]) -> list[_Sequence]:
    with bare_search_path(conn):
        rows = conn.execute(_SEQUENCES).fetchall()
    return [
        _Sequence(oid, name, last, step, start, table_oid, number, (schema, table, column) if column else None)
        for oid, name, last, step, start, table_oid, number, schema, table, column in rows
    ]


def _columns(conn: psycopg.Connection[Any]) -> set[tuple[int, int]]:
    rows = conn.execute(
        "SELECT attrelid::bigint, attnum::int FROM pg_catalog.pg_attribute WHERE attnum > 0 AND NOT attisdropped"
    )
    return {(int(table), int(number)) for table, number in rows.fetchall()}
