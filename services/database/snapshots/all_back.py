"""Knows, before COMMIT, whether taking a change back lost a row: whether kept or of now, each stands or is told.

It looks only at what lies in the tables, and knows nothing of how the rows were merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from services.database.snapshots.after_images import hash_text, key_text
from services.database.snapshots.casts import NO_VALUE, bare_text, cast_of
from services.database.snapshots.effects import Place
from services.database.snapshots.keyed_rows import Standing
from services.database.snapshots.merge import Conflict, Merge
from services.database.snapshots.snapshot import Part, every_row_seen, kept_types
from services.errors import Refused

_EXAMPLES = 5

_STANDING = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY(%s::oid[]) AND c.relkind = 'r'
ORDER BY c.oid
"""

_LOST = """
SELECT l.key FROM (
  SELECT {b_key} AS key FROM ONLY {copy} b
  LEFT JOIN ONLY {table} t ON {t_key} = {b_key} LEFT JOIN {image} a ON a."ops key" = {b_key}
  WHERE CASE WHEN t.ctid IS NULL THEN {must_stand} ELSE {differs} END
) l WHERE NOT EXISTS (
  SELECT FROM ops.conflicts c WHERE c.snapshot_id = {snapshot} AND c.table_name = {name} AND c.key = l.key
    AND c.found_at >= pg_catalog.now())
"""

_FEWER = """
SELECT COALESCE(pg_catalog.sum(GREATEST(b.n - COALESCE(t.n, 0), 0)), 0)::bigint
FROM (SELECT {b_hash} AS hash, pg_catalog.count(*) AS n FROM ONLY {copy} b GROUP BY 1) b
LEFT JOIN (SELECT {t_hash} AS hash, pg_catalog.count(*) AS n FROM ONLY {table} t GROUP BY 1) t ON t.hash = b.hash
"""


class NotAllBack(Refused):
    """Taking a change back would have lost rows without a word: a fault of ours, found before COMMIT."""


@dataclass(slots=True)
class Came:
    """How rows came into one table. anew: made by the way back, with no row of now; filled: from where it lay aside;
    merge: what was said to have come of it; told: rows that conflicts name by their number only."""

    anew: bool = False
    filled: sql.Identifier | None = None
    merge: Merge = field(default_factory=Merge)
    told: int = 0


def rows_of_now(conn: psycopg.Connection[Any], oids: Iterable[int]) -> dict[int, int]:
    """How many rows each of these plain tables holds, by its oid; writers of them wait from here on."""
    found = {}
    for oid, *place in conn.execute(_STANDING, (sorted({*oids}),)).fetchall():
        table = sql.Identifier(*place)
        conn.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE ROW EXCLUSIVE MODE").format(table))
        with every_row_seen(conn, (place[0], place[1])):
            found[oid] = count_of(conn, table)
    return found


def require_all_back(
    conn: psycopg.Connection[Any],
    snapshot_id: str,
    part: Part,
    now: Standing,
    came: Came,
    *,
    keyed: bool,
    again: bool,
) -> None:
    """Raise NotAllBack where a kept row of the part neither stands in its table nor was told as a conflict.

    keyed: its rows were told by their key; again: the snapshot was restored before, and rows may have gone since.
    A row that a later write deleted may be missing: it was not there when the way back began either.
    """
    with every_row_seen(conn, (part.schema, part.table)):
        keys = _lost_by_key(conn, snapshot_id, part, now, came) if keyed else []
        lost = len(keys) if keyed else _lost_by_count(conn, part, now, came, again=again)
    if lost > came.told:
        examples = "; ".join(", ".join(key) for key in sorted(keys)[:_EXAMPLES])
        raise _fault(f"{lost} kept row{'s' if lost > 1 else ''} of {part.name}", f" (key {examples})" if keys else "")


def require_none_lost(conn: psycopg.Connection[Any], place: Place, came: Came, before: int) -> None:
    """Raise NotAllBack where rows went from a table of which nobody said so. before: how many it held."""
    with every_row_seen(conn, place):
        there = count_of(conn, sql.Identifier(*place))
    short = before + came.merge.put_back - came.merge.taken_out - came.told - there
    if short > 0:
        raise _fault(f"{short} row{'s' if short > 1 else ''} of now of {'.'.join(place)}", "")


def told_rows(name: str, conflicts: Sequence[Conflict]) -> int:
    """How many rows of this table conflicts name."""
    return sum(one.rows for one in conflicts if one.table == name or one.table.startswith(f"{name}."))


def count_of(conn: psycopg.Connection[Any], table: sql.Identifier) -> int:
    """How many rows lie in the table itself."""
    row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM ONLY {}").format(table)).fetchone()
    return int(row[0]) if row else 0


def undone_rows(conn: psycopg.Connection[Any], parts: Sequence[Part]) -> Merge:
    """How many rows without a key have to come back and to go, by what was kept of the change."""
    done = Merge()
    for part in parts:
        if part.after_name is not None and part.kind in ("table", "parked"):
            query = sql.SQL(
                'SELECT COALESCE(pg_catalog.sum(a."ops n") FILTER (WHERE a."ops what" = \'fewer\'), 0),'
                ' COALESCE(pg_catalog.sum(a."ops n") FILTER (WHERE a."ops what" = \'more\'), 0) FROM {} a'
            )
            row = conn.execute(query.format(_image(part))).fetchone()
            done.add(Merge(put_back=int(row[0]), taken_out=int(row[1])) if row else Merge())
    return done


def _fault(what: str, which: str) -> NotAllBack:
    return NotAllBack(
        f"{what} would be lost by taking the change back{which}: found by counting before COMMIT.",
        "Nothing was changed; what was kept lies in schema ops as before.",
        "Report it: it is a fault of the cockpit. `kept` names the copies, from which rows can be taken by hand.",
    )


def _lost_by_key(
    conn: psycopg.Connection[Any], snapshot_id: str, part: Part, now: Standing, came: Came
) -> list[list[str]]:
    pieces: dict[str, sql.Composable] = {
        "copy": part.copy,
        "table": now.table,
        "image": _image(part),
        "b_key": key_text("b", part.key_columns),
        "t_key": key_text("t", part.key_columns),
        "must_stand": _must_stand(part, came),
        "snapshot": sql.Literal(snapshot_id),
        "name": sql.Literal(part.name),
    }
    conn.execute("SAVEPOINT ops_all_back")
    try:
        rows = conn.execute(sql.SQL(_LOST).format(differs=_differs(conn, part, now), **pieces)).fetchall()
    except NO_VALUE:
        # A value of before is none of the type of now: that was told when it was merged, here only rows are counted.
        conn.execute("ROLLBACK TO SAVEPOINT ops_all_back")
        rows = conn.execute(sql.SQL(_LOST).format(differs=sql.SQL("false"), **pieces)).fetchall()
    conn.execute("RELEASE SAVEPOINT ops_all_back")
    return [list(row[0]) for row in rows]


def _image(part: Part) -> sql.Composable:
    if part.after_name is not None:
        return sql.Identifier("ops", part.after_name)
    return sql.SQL('(SELECT NULL::text[] AS "ops key", NULL::text AS "ops what" WHERE false)')


def _must_stand(part: Part, came: Came) -> sql.Composable:
    """Whether a kept row that is not in the table has to be: unless it was deleted since, and nothing tells that it
    was there when we began."""
    if came.anew or part.after_name is None:
        return sql.SQL("true")
    deleted = sql.SQL("COALESCE(a.\"ops what\" = 'deleted', false)")
    if came.filled is None:
        return deleted
    return sql.SQL("({} OR EXISTS (SELECT FROM ONLY {} n WHERE {} = {}))").format(
        deleted, came.filled, key_text("n", part.key_columns), key_text("b", part.key_columns)
    )


def _differs(conn: psycopg.Connection[Any], part: Part, now: Standing) -> sql.Composable:
    """Whether a value that the change altered, or took with its column, is not the one of before."""
    if part.after_name is None:
        return sql.SQL("false")
    kept: Mapping[str, str] = dict(zip(part.columns, kept_types(conn, part.column_types), strict=True))
    altered: list[sql.Composable] = [sql.SQL("false")]
    lost: list[sql.Composable] = [sql.SQL("false")]
    for name, kind in kept.items():
        if name not in now.types or name in part.key_columns:
            continue
        a, b, t = (sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(name)) for alias in "abt")
        as_before = cast_of(conn, b, kind, now.types[name])
        differs = _unlike(t, as_before)
        if name in part.after_columns:
            altered.append(sql.SQL("({} AND {})").format(_unlike(a, b), differs))
        else:
            lost.append(differs)
    either = sql.SQL("(a.\"ops what\" = 'changed' AND ({})) OR {}")
    return either.format(sql.SQL(" OR ").join(altered), sql.SQL(" OR ").join(lost))


def _unlike(one: sql.Composable, other: sql.Composable) -> sql.Composable:
    """Whether two values have other texts."""
    return sql.SQL("{} IS DISTINCT FROM {}").format(bare_text(one), bare_text(other))


def _lost_by_count(conn: psycopg.Connection[Any], part: Part, now: Standing, came: Came, *, again: bool) -> int:
    """Of rows without a key: those that have to be back, less those that stand or were put back."""
    if part.after_name is None or came.anew:
        common = [name for name in part.columns if name in now.types]
        pieces = {"b_hash": hash_text("b", common), "t_hash": hash_text("t", common)}
        query = sql.SQL(_FEWER).format(copy=part.copy, table=now.table, **pieces)
    elif again or came.filled is not None:
        return 0
    else:
        query = sql.SQL(
            'SELECT COALESCE(pg_catalog.sum(a."ops n"), 0)::bigint FROM {} a WHERE a."ops what" = \'fewer\''
        ).format(_image(part))
    row = conn.execute(query).fetchone()
    short = int(row[0]) if row else 0
    return short if part.after_name is None or came.anew else max(0, short - came.merge.put_back)
