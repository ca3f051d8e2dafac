"""Knows how rows without a key are merged on the server: equal ones are counted, as `merge_count` does."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.snapshots.after_images import common_columns, hash_text
from services.database.snapshots.casts import NO_VALUE, cast_of
from services.database.snapshots.keyed_rows import Standing
from services.database.snapshots.merge import Conflict, Merge, Why
from services.database.snapshots.snapshot import Part, into, kept_types

_DECIDE = """
CREATE TEMP TABLE ops_merge ON COMMIT DROP AS
SELECT d.hash, d.undone, COALESCE(t.n, 0) AS is_now, COALESCE(b.n, 0) AS was
FROM ({driver}) d
LEFT JOIN (SELECT {t_hash} AS hash, pg_catalog.count(*) AS n FROM ONLY {table} t GROUP BY 1) t ON t.hash = d.hash
LEFT JOIN (SELECT {b_hash} AS hash, pg_catalog.count(*) AS n FROM {copy} b GROUP BY 1) b ON b.hash = d.hash
"""

_ALTERED = """
SELECT a."ops key"[1] AS hash, CASE a."ops what" WHEN 'fewer' THEN a."ops n" ELSE -a."ops n" END AS undone
FROM {image} a
"""

_ALL_GONE = "SELECT {b_hash} AS hash, pg_catalog.count(*) AS undone FROM {copy} b GROUP BY 1"

# Done a second time, the rows that came back are there: only what is missing of before is added then.
_WANTED = "CASE WHEN {again} THEN LEAST(m.undone, m.was - m.is_now) ELSE m.undone END"

_ADD = """
INSERT INTO {table} {names} OVERRIDING SYSTEM VALUE SELECT {values}
FROM (SELECT {b_hash} AS "ops hash", pg_catalog.row_number() OVER (PARTITION BY {b_hash}) AS "ops nth", b.*
      FROM ONLY {copy} b) b
JOIN pg_temp.ops_merge m ON m.hash = b."ops hash" WHERE b."ops nth" <= {wanted}
"""

_TAKE = """
DELETE FROM ONLY {table} WHERE ctid IN (
  SELECT t.place FROM (SELECT {t_hash} AS hash, pg_catalog.row_number() OVER (PARTITION BY {t_hash}) AS nth,
                              t.ctid AS place FROM ONLY {table} t) t
  JOIN pg_temp.ops_merge m ON m.hash = t.hash WHERE t.nth <= -m.undone)
"""


def merge_counted(conn: psycopg.Connection[Any], part: Part, now: Standing, *, added_goes: bool, again: bool) -> Merge:
    """Merge a part whose rows have no key. again: this snapshot was restored before.

    Inside a transaction, with triggers and foreign keys out of the way.
    """
    after = part.after_columns if part.after_name else part.columns
    common = [name for name in common_columns(part, after) if name in now.types]
    kept = dict(zip(part.columns, kept_types(conn, part.column_types), strict=True))
    names = [name for name in part.columns if name in now.types]
    empty = sql.SQL("(SELECT WHERE false)")
    pieces: dict[str, sql.Composable] = {
        "table": now.table,
        "copy": part.copy if part.copy_name else empty,
        "t_hash": hash_text("t", common),
        "b_hash": hash_text("b", common) if part.copy_name else sql.SQL("''"),
        "names": into(names),
        "values": sql.SQL(", ").join(
            cast_of(conn, sql.SQL("b.{}").format(sql.Identifier(name)), kept[name], now.types[name]) for name in names
        ),
    }
    image = sql.Identifier("ops", part.after_name) if part.after_name else empty
    driver = sql.SQL(_ALTERED if part.after_name else _ALL_GONE).format(image=image, **pieces)
    conn.execute(sql.SQL(_DECIDE).format(driver=driver, **pieces))
    done = Merge()
    lost = [name for name in names if part.copy_name and part.after_name and name not in part.after_columns]
    if part.rows.count and not now.filled and not again:
        # Of which row each value was is not known any more: all stay where they are kept.
        done.conflicts += [Conflict(f"{part.name}.{name}", str(Why.NOT_TOLD), part.rows.count) for name in lost]
    if added_goes and not again:
        done.taken_out = conn.execute(sql.SQL(_TAKE).format(**pieces)).rowcount
        short = _sum(conn, "GREATEST(-m.undone - m.is_now, 0)")
        if short:
            done.conflicts.append(Conflict(part.name, str(Why.NOT_TOLD), short))
    if part.copy_name:
        wanted = sql.SQL(_WANTED).format(again=sql.Literal(again))
        conn.execute("SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT ops_rows")
        try:
            done.put_back = conn.execute(sql.SQL(_ADD).format(wanted=wanted, **pieces)).rowcount
        except (errors.IntegrityError, *NO_VALUE):
            conn.execute("ROLLBACK TO SAVEPOINT ops_rows")
            done.conflicts.append(Conflict(part.name, str(Why.NOT_TAKEN), _sum(conn, "GREATEST(m.undone, 0)")))
        conn.execute("RELEASE SAVEPOINT ops_rows")
    conn.execute("DROP TABLE pg_temp.ops_merge")
    return done


def _sum(conn: psycopg.Connection[Any], expression: str) -> int:
    query = sql.SQL("SELECT COALESCE(pg_catalog.sum({}), 0)::bigint FROM pg_temp.ops_merge m")
    row = conn.execute(query.format(sql.SQL(expression))).fetchone()
    return int(row[0]) if row else 0
