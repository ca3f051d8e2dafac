"""Knows how to put a snapshot's rows back where their tables stand again, choosing nothing silently."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.connect import connect, inspect_connection, refuse_transaction_pooler
from services.database.deployment.guarded import ConnectionLost, Limits, StatementFailed, Watch, begin, with_retries
from services.database.deployment.receipts import application_name, receipts_exist, require_lock
from services.database.execution import Cancelled, Emit, never, silent
from services.database.snapshots.snapshot import Part, parts_of, text_hash
from services.errors import NotUnderstood, Refused, Unavailable
from services.verdict import Verdict

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rows that were left as they are, and why. `keys`: the first few, as text."""

    table: str
    why: str
    rows: int
    keys: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"table": self.table, "why": self.why, "rows": self.rows, "keys": list(self.keys)}


@dataclass(slots=True)
class Restoration:
    """What came of a restore. rows_in_place: rows that were there already, just as kept."""

    snapshot_id: str
    rows_restored: int = 0
    rows_in_place: int = 0
    recreated: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        return Verdict.FAIL if self.conflicts else Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "snapshot_id": self.snapshot_id,
            "rows_restored": self.rows_restored,
            "rows_in_place": self.rows_in_place,
            "recreated": list(self.recreated),
            "conflicts": [conflict.to_json() for conflict in self.conflicts],
        }


def restore(
    url: str,
    snapshot_id: str,
    *,
    emit: Emit = silent,
    cancelled: Cancelled = never,
    limits: Limits | None = None,
) -> Restoration:
    """Put back, in one transaction, every row of the snapshot that is not there; a missing table is made again.

    Rows that differ now, and columns that hold something else than their default, stay as they are and are listed.
    Restoring twice changes nothing the second time. Triggers of the tables do not fire.
    Raises NotUnderstood (no such snapshot), Refused (nothing was changed), Unavailable, Stopped.
    """
    watch = Watch(emit, cancelled, limits or Limits())
    with connect(url, application_name=application_name(f"restore {snapshot_id}")) as conn:
        refuse_transaction_pooler(inspect_connection(conn, url))
        require_lock(conn)
        try:
            return with_retries(conn, watch, snapshot_id, lambda _retries: _transaction(conn, snapshot_id, watch))
        except StatementFailed as failed:
            message = failed.error.diag.message_primary
            raise Refused(f"The restore failed: {message}.", "Nothing was changed.", "Mend that first.") from failed
        except ConnectionLost as error:
            raise Unavailable(
                "The connection was lost during the restore.",
                "It is done wholly or not at all, and doing it again does no harm.",
                "Start it again.",
            ) from error


def _transaction(conn: psycopg.Connection[Any], snapshot_id: str, watch: Watch) -> Restoration:
    begin(conn, watch.limits)
    waiting = _known_parts(conn, snapshot_id)
    done = Restoration(snapshot_id)
    while waiting:
        postponed: list[Part] = []
        for part in waiting:
            watch.stop_if_cancelled()
            if not _try(conn, part, done):
                postponed.append(part)
                continue
            watch.emit("restore", {"object": part.name, "rows": done.rows_restored})
        if len(postponed) == len(waiting):
            # Their parents are neither in place nor in this snapshot.
            done.conflicts += [
                Conflict(p.name, "its rows refer to rows that are not there", p.rows.count) for p in waiting
            ]
            break
        waiting = postponed
    conn.execute("UPDATE ops.snapshots SET restored_at = pg_catalog.clock_timestamp() WHERE id = %s", (snapshot_id,))
    conn.execute("COMMIT")
    return done


def _known_parts(conn: psycopg.Connection[Any], snapshot_id: str) -> list[Part]:
    try:
        uuid.UUID(snapshot_id)
    except ValueError as error:
        raise NotUnderstood(
            "A snapshot's id is a UUID.", "Nothing was changed.", "Copy it from the rollback."
        ) from error
    parts = parts_of(conn, snapshot_id) if receipts_exist(conn) else []
    if not parts:
        raise NotUnderstood(f"There is no snapshot {snapshot_id} here.", "Nothing was changed.", "Check id and target.")
    for part in parts:
        if text_hash(conn, sql.Identifier("ops", part.copy_name), part.columns) != part.rows:
            raise Refused(
                f"The kept copy of {part.name} is not what was kept: somebody changed it.",
                "Nothing was changed.",
                f"Compare ops.{part.copy_name} with a backup.",
            )
    return parts


def _try(conn: psycopg.Connection[Any], part: Part, done: Restoration) -> bool:
    """Restore one part; False where its rows refer to others that are not there yet."""
    conn.execute("SAVEPOINT part")
    marks = (done.rows_restored, done.rows_in_place, len(done.recreated), len(done.conflicts))
    try:
        with _triggers_off(conn, part):
            (_restore_table if part.kind == "table" else _restore_columns)(conn, part, done)
    except errors.ForeignKeyViolation:
        conn.execute("ROLLBACK TO SAVEPOINT part")
        done.rows_restored, done.rows_in_place = marks[:2]
        del done.recreated[marks[2] :], done.conflicts[marks[3] :]
        return False
    conn.execute("RELEASE SAVEPOINT part")
    return True


@contextmanager
def _triggers_off(conn: psycopg.Connection[Any], part: Part) -> Iterator[None]:
    """Within: the table's ordinary triggers do not fire. They have fired when the rows were first written."""
    names = [
        row[0]
        for row in conn.execute(
            "SELECT tgname::text FROM pg_catalog.pg_trigger"
            " WHERE tgrelid = pg_catalog.to_regclass(%s) AND NOT tgisinternal AND tgenabled = 'O'",
            (_table(part).as_string(conn),),
        ).fetchall()
    ]
    for name in names:
        conn.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(_table(part), sql.Identifier(name)))
    yield
    for name in names:
        conn.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER {}").format(_table(part), sql.Identifier(name)))


def _restore_table(conn: psycopg.Connection[Any], part: Part, done: Restoration) -> None:
    present = _present_columns(conn, part)
    if not present:
        _make_table(conn, part)
        done.recreated.append(part.name)
        present = list(part.columns)
    if missing := [name for name in part.columns if name not in present]:
        why = f"the table has no column {', '.join(missing)} any more"
        done.conflicts.append(Conflict(part.name, why, part.rows.count))
        return
    restored = _insert_missing(conn, part)
    done.rows_restored += restored
    same = _count_same(conn, part)
    done.rows_in_place += max(0, same - restored)
    if (differing := part.rows.count - same) > 0:
        why = "rows with this key differ now, or another row has taken their place"
        done.conflicts.append(Conflict(part.name, why, differing, _differing_keys(conn, part)))
    _advance_sequences(conn, part)


def _make_table(conn: psycopg.Connection[Any], part: Part) -> None:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in zip(part.columns, part.column_types, strict=True)
    ]
    if part.key_columns:
        columns.append(sql.SQL("PRIMARY KEY ({})").format(_names(part.key_columns)))
    conn.execute(sql.SQL("CREATE TABLE {} ({})").format(_table(part), sql.SQL(", ").join(columns)))


def _insert_missing(conn: psycopg.Connection[Any], part: Part) -> int:
    """Insert rows whose key is not there; without a key, as many as are missing of each equal row."""
    values = sql.SQL(", ").join(
        sql.SQL("s.{}::{}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in zip(part.columns, part.column_types, strict=True)
    )
    if part.key_columns:
        absent = sql.SQL("NOT EXISTS (SELECT FROM {} t WHERE {})").format(_table(part), _same(part.key_columns))
    else:
        absent = sql.SQL("s.nth > COALESCE((SELECT h.n FROM have h WHERE h.hash = {}), 0)").format(
            _hash("s", part.columns)
        )
    query = sql.SQL(
        "WITH have AS MATERIALIZED (SELECT {t_hash} AS hash, pg_catalog.count(*) AS n FROM {table} t GROUP BY 1)"
        " INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE SELECT {values}"
        " FROM (SELECT c.*, pg_catalog.row_number() OVER (PARTITION BY {c_hash}) AS nth FROM {copy} c) s"
        " WHERE {absent} ON CONFLICT DO NOTHING"
    ).format(
        table=_table(part),
        names=_names(part.columns),
        values=values,
        t_hash=_hash("t", part.columns),
        c_hash=_hash("c", part.columns),
        copy=_copy(part),
        absent=absent,
    )
    return max(0, conn.execute(query).rowcount)


def _count_same(conn: psycopg.Connection[Any], part: Part) -> int:
    """How many kept rows stand in the table just as they were."""
    query = sql.SQL(
        "SELECT pg_catalog.count(*) FROM (SELECT {} FROM {} s INTERSECT ALL SELECT {} FROM {} t) same"
    ).format(_hash("s", part.columns), _copy(part), _hash("t", part.columns), _table(part))
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0


def _differing_keys(conn: psycopg.Connection[Any], part: Part) -> tuple[str, ...]:
    if not part.key_columns:
        return ()
    query = sql.SQL(
        "SELECT pg_catalog.concat_ws(', ', {key}) FROM {copy} s WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same})"
        " ORDER BY 1 LIMIT {limit}"
    ).format(
        key=sql.SQL(", ").join(sql.SQL("s.{}::text").format(sql.Identifier(name)) for name in part.key_columns),
        copy=_copy(part),
        table=_table(part),
        same=_same(part.columns),
        limit=sql.Literal(_EXAMPLES),
    )
    return tuple(str(row[0]) for row in conn.execute(query).fetchall())


def _restore_columns(conn: psycopg.Connection[Any], part: Part, done: Restoration) -> None:
    present = _present_columns(conn, part)
    lost = [name for name in part.columns if name not in part.key_columns]
    if not present or any(key not in present for key in part.key_columns):
        done.conflicts.append(Conflict(part.name, "the table or its key is gone", part.rows.count))
        return
    for name, kind in zip(part.columns, part.column_types, strict=True):
        if name not in present:
            add = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}")
            conn.execute(add.format(_table(part), sql.Identifier(name), sql.SQL(kind)))
            done.recreated.append(f"{part.name}.{name}")
        if name in lost:
            _fill_column(conn, part, name, kind, done)


def _fill_column(conn: psycopg.Connection[Any], part: Part, name: str, kind: str, done: Restoration) -> None:
    column = sql.Identifier(name)
    row = conn.execute(
        "SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attribute a"
        " LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " WHERE a.attrelid = %s::pg_catalog.regclass AND a.attname = %s",
        (_table(part).as_string(conn), name),
    ).fetchone()
    default = sql.SQL(row[0]) if row and row[0] else sql.SQL("NULL")
    matching = _same(part.key_columns)
    names = {"table": _table(part), "copy": _copy(part), "column": column, "same": matching, "default": default}
    values = {"kind": sql.SQL(kind)}
    fill = sql.SQL(
        "UPDATE {table} t SET {column} = s.{column}::{kind} FROM {copy} s WHERE {same}"
        " AND t.{column}::text IS DISTINCT FROM s.{column}::text"
        " AND (t.{column} IS NULL OR t.{column}::text IS NOT DISTINCT FROM ({default})::text)"
    )
    done.rows_restored += max(0, conn.execute(fill.format(**names, **values)).rowcount)
    count = sql.SQL(
        "SELECT pg_catalog.count(*) FROM {copy} s WHERE NOT EXISTS (SELECT FROM {table} t WHERE {same}"
        " AND t.{column}::text IS NOT DISTINCT FROM s.{column}::text)"
    )
    counted = conn.execute(count.format(**names)).fetchone()
    if counted and counted[0]:
        why = f"the row is gone, or its column {name} holds something else now"
        done.conflicts.append(Conflict(part.name, why, int(counted[0])))


def _advance_sequences(conn: psycopg.Connection[Any], part: Part) -> None:
    """Move sequences of the table past the rows that came back, so that new rows get new numbers."""
    for name in part.columns:
        row = conn.execute(
            "SELECT pg_catalog.pg_get_serial_sequence(%s, %s)", (_table(part).as_string(conn), name)
        ).fetchone()
        if row is None or row[0] is None:
            continue
        query = sql.SQL(
            "SELECT pg_catalog.setval({sequence}, GREATEST((SELECT pg_catalog.max({column}) FROM {table}),"
            " (SELECT last_value FROM {named})))"
        ).format(sequence=sql.Literal(row[0]), column=sql.Identifier(name), table=_table(part), named=sql.SQL(row[0]))
        if part.rows.count:
            conn.execute(query)


def _present_columns(conn: psycopg.Connection[Any], part: Part) -> list[str]:
    rows = conn.execute(
        "SELECT attname::text FROM pg_catalog.pg_attribute"
        " WHERE attrelid = pg_catalog.to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (_table(part).as_string(conn),),
    ).fetchall()
    return [row[0] for row in rows]


def _table(part: Part) -> sql.Identifier:
    return sql.Identifier(part.schema, part.table)


def _copy(part: Part) -> sql.Identifier:
    return sql.Identifier("ops", part.copy_name)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in columns)


def _hash(alias: str, columns: Sequence[str]) -> sql.Composed:
    values = (sql.SQL("{}.{}::text").format(sql.Identifier(alias), sql.Identifier(name)) for name in columns)
    return sql.SQL("pg_catalog.md5(ROW({})::text)").format(sql.SQL(", ").join(values))


def _same(columns: Sequence[str]) -> sql.Composed:
    """Condition that a row t of the table and a row s of the copy agree in these columns, NULLs included.

    One equality of hashes, so that the server can join on it however many rows there are.
    """
    return sql.SQL("{} = {}").format(_hash("t", columns), _hash("s", columns))
