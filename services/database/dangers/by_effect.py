"""Knows which effects of a script endanger production: data lost, others made to wait, rights opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import psycopg
from psycopg import sql

from services.database.dangers.always_true import with_conditions_evaluated
from services.database.dangers.blocking import Sizes
from services.database.dangers.blocking import blocking as waits
from services.database.dangers.danger import Danger
from services.database.dangers.later_calls import changed_by_later_calls
from services.database.dangers.positions import set_back
from services.database.dangers.possible_losses import possible_losses
from services.database.dangers.rights import Opened, opened
from services.database.dangers.row_losses import row_losses
from services.database.dangers.seen_rows import newly_seen
from services.database.dangers.trail import Facts, Trail
from services.database.inspection.advice import SecurityFinding
from services.database.rehearsal.measure import Effect, StatementEffects, blocks_writers
from services.database.script import Statement

Measured = tuple[Statement, StatementEffects]

__all__ = ["Danger", "dangers_of", "sizes_of"]

SEEN_BY_OWN_RULES = frozenset(
    {
        "rls-off",
        "rls-missing",
        "policies-without-rls",
        "anon-granted",
        "definer-search-path",
        "view-of-owner",
        "policy-lets-all-write",
    }
)
"""Advisors that say of a whole catalog what is told here, more exactly, of the change: who can do what now."""

_SIZES = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       CASE WHEN c.reltuples >= 0 THEN c.reltuples ELSE pg_catalog.pg_relation_size(c.oid) / 100 END::bigint
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
"""


class Finding(Protocol):
    """What an advisor says: of which object, and a sentence."""

    @property
    def object(self) -> str: ...
    @property
    def message(self) -> str: ...


def dangers_of(
    trail: Trail,
    before: psycopg.Connection[Any] | None = None,
    after: psycopg.Connection[Any] | None = None,
    *,
    findings: Sequence[Finding] = (),
    sizes: Mapping[str, int] | None = None,
    connected_as: str = "",
) -> tuple[Danger, ...]:
    """All dangers of a run, losses first. Each has the line of the statement that did it, where one can be named.

    before, after: superuser connections to the untouched shadow and to the clone that the script changed; both None
    after a run that failed, of which only what was measured is told.
    findings: what the advisors newly say. sizes: rows on the target of tables whose rows the shadow lacks.
    connected_as: the role that ran the script.
    """
    lacking = sizes or {}
    if before is None or after is None:
        nothing = Sizes(lacking, lambda name: 0)
        return (*waits(trail.steps, nothing), *_security(trail, opened(trail.before, trail.after_all), findings))
    held = Sizes(lacking, _counter(before))
    losses = row_losses(before, after, trail, frozenset(lacking))
    losses += possible_losses(trail.steps, lacking)
    losses += set_back(before, after, trail)
    losses += changed_by_later_calls(before, after, trail)
    rights = _rights(trail, before, after, connected_as)
    return (*losses, *waits(trail.steps, held), *_security(trail, rights, findings))


def sizes_of(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Rows of every table by the server's own estimate; one that was never analyzed is estimated from its bytes."""
    return {str(name): int(rows) for name, rows in conn.execute(_SIZES).fetchall()}


def _rights(
    trail: Trail, before: psycopg.Connection[Any], after: psycopg.Connection[Any], connected_as: str
) -> list[Opened]:
    old: Facts = with_conditions_evaluated(before, trail.before)
    new: Facts = with_conditions_evaluated(after, trail.after_all)
    found = opened(old, new, connected_as=connected_as)
    return found + newly_seen(before, after, old, new, {one.object for one in found})


def _security(trail: Trail, rights: Iterable[Opened], findings: Iterable[Finding]) -> list[Danger]:
    found = [_danger(one.object, one.detail, trail.last_to_change(one.keys)) for one in rights]
    for finding in findings:
        if getattr(finding, "rule", None) in SEEN_BY_OWN_RULES:
            continue
        keys = frozenset(key for step in trail.steps for key in step.changed if _is_of(key[1], finding.object))
        found.append(_danger(finding.object, finding.message, trail.last_to_change(keys)))
    return found


def _is_of(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(f"{wanted}.") or wanted.startswith(f"{name}.")


def _danger(name: str, detail: str, statement: Statement | None) -> Danger:
    place = (statement.file, statement.line) if statement else (None, None)
    return Danger("security", name, detail, *place)


def _counter(conn: psycopg.Connection[Any]) -> Callable[[str], int]:
    def count(name: str) -> int:
        schema, _, table = name.partition(".")
        row = conn.execute(
            sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.Identifier(schema, table))
        ).fetchone()
        return int(row[0]) if row else 0

    return count


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
