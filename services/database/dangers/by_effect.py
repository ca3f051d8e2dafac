"""Knows which effects of a script endanger production: data lost, writers blocked, rights opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from services.database.inspection.advisors import SecurityFinding
from services.database.rehearsal.measure import Effect, StatementEffects, blocks_writers
from services.database.script import Statement

Measured = tuple[Statement, StatementEffects]


@dataclass(frozen=True, slots=True)
class Danger:
    """One danger, by effect. `line` is where its statement ends, None where no single statement did it."""

    danger_class: Literal["loss", "blocking", "security"]
    object: str
    detail: str
    file: str | None
    line: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            "class": self.danger_class,
            "object": self.object,
            "detail": self.detail,
            "line": self.line,
            "file": self.file,
        }


def blocking(measured: Sequence[Measured]) -> list[Danger]:
    """Statements that scan or rewrite a table while writers have to wait for it."""
    found = []
    for statement, done in measured:
        for effect in done.effects:
            if not blocks_writers(effect.held) or effect.kind not in ("r", "p", "m") or effect.dropped:
                continue
            if effect.rewritten or effect.rows_scanned:
                work = "rewrites it" if effect.rewritten else f"reads {effect.rows_scanned} rows"
                detail = f"Writers wait ({effect.held}) while the statement {work}."
                found.append(Danger("blocking", effect.relation, detail, statement.file, statement.line))
    return found


def security(findings: Sequence[SecurityFinding]) -> list[Danger]:
    """New security findings as dangers."""
    return [Danger("security", one.object, one.message, None, None) for one in findings]


def losses(
    before: psycopg.Connection[Any], after: psycopg.Connection[Any], measured: Sequence[Measured]
) -> list[Danger]:
    """Rows and columns that were there before the script and are not, or not the same, after it.

    before, after: the untouched shadow and the clone that the script changed. Proved row by row, not by wording.
    """
    found: list[Danger] = []
    for relation, touches in _touched(measured).items():
        statement, effect = touches[0]
        schema, _, table = relation.partition(".")
        old, new = _columns(before, schema, table), _columns(after, schema, table)
        rows = _count(before, schema, table)
        if effect.kind not in ("r", "p", "m") or (rows == 0 and not effect.dropped_columns):
            continue
        if not new:
            gone = next((s for s, e in touches if e.dropped), statement)
            found.append(Danger("loss", relation, f"The table goes with its {rows} rows.", gone.file, gone.line))
            continue
        found += _lost_columns(before, schema, table, [c for c in old if c not in new], touches)
        common = [column for column in old if column in new]
        if common and (detail := _changed_rows(before, after, schema, table, common)):
            changer = next((s for s, e in touches if e.updated or e.deleted or e.rewritten), statement)
            found.append(Danger("loss", relation, detail, changer.file, changer.line))
    return found


def _touched(measured: Sequence[Measured]) -> dict[str, list[tuple[Statement, Effect]]]:
    touched: dict[str, list[tuple[Statement, Effect]]] = {}
    for statement, done in measured:
        for effect in done.effects:
            if effect.dropped or effect.rewritten or effect.updated or effect.deleted or effect.dropped_columns:
                touched.setdefault(effect.relation, []).append((statement, effect))
    return touched


def _lost_columns(
    before: psycopg.Connection[Any],
    schema: str,
    table: str,
    columns: Sequence[str],
    touches: Sequence[tuple[Statement, Effect]],
) -> list[Danger]:
    statement = next((s for s, e in touches if e.dropped_columns), touches[0][0])
    found = []
    for column in columns:
        query = sql.SQL("SELECT pg_catalog.count({}) FROM {}").format(
            sql.Identifier(column), sql.Identifier(schema, table)
        )
        row = before.execute(query).fetchone()
        values = int(row[0]) if row else 0
        if values:
            detail = f"The column goes with its {values} values."
            found.append(Danger("loss", f"{schema}.{table}.{column}", detail, statement.file, statement.line))
    return found


def _changed_rows(
    before: psycopg.Connection[Any], after: psycopg.Connection[Any], schema: str, table: str, columns: Sequence[str]
) -> str:
    query = sql.SQL("SELECT pg_catalog.md5(ROW({})::text), pg_catalog.count(*) FROM {} GROUP BY 1").format(
        sql.SQL(", ").join(sql.Identifier(column) for column in columns), sql.Identifier(schema, table)
    )
    old = Counter({str(key): int(count) for key, count in before.execute(query)})
    new = Counter({str(key): int(count) for key, count in after.execute(query)})
    gone = (old - new).total()
    if not gone:
        return ""
    deleted = max(0, old.total() - new.total())
    changed = gone - min(gone, deleted)
    parts = [f"{deleted} are deleted" if deleted else "", f"{changed} are changed" if changed else ""]
    return f"Of {old.total()} existing rows {' and '.join(part for part in parts if part)}."


def _columns(conn: psycopg.Connection[Any], schema: str, table: str) -> list[str]:
    rows = conn.execute(
        "SELECT a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (schema, table),
    ).fetchall()
    return [str(row[0]) for row in rows]


def _count(conn: psycopg.Connection[Any], schema: str, table: str) -> int:
    row = conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
    return int(row[0]) if row else 0
