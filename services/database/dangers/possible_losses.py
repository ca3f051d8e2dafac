"""Knows what a script may take later, or from tables whose rows the shadow lacks: with the target's own row counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from services.database.dangers.danger import Danger
from services.database.dangers.tables import Table
from services.database.dangers.trail import Step
from services.database.rehearsal.measure import Effect
from services.database.script import Statement
from services.database.snapshots.foretold import retyped_as_they_are, rewrites_only

_ROW_LOCK = "RowExclusiveLock"

_WIDER = {
    "smallint": ("integer", "bigint", "numeric"),
    "integer": ("bigint", "numeric", "double precision"),
    "bigint": ("numeric",),
    "real": ("double precision",),
}
"""Types that hold every value of another one as it is."""


def possible_losses(
    steps: Sequence[Step], sizes: Mapping[str, int], old: Mapping[int, Table], new: Mapping[int, Table]
) -> list[Danger]:
    """Losses that follow from what a statement did to the empty, or sampled, copy of a table.

    sizes: rows there, by "schema.table". old, new: all tables before and after the script, by oid.
    """
    widened = {table.full_name for oid, table in old.items() if _is_widened(table, new.get(oid))}
    found = []
    for step in steps:
        for effect in step.effects.effects:
            rows = sizes.get(effect.relation, 0)
            if rows and effect.kind in ("r", "p", "m") and (words := _words(step, effect, widened)):
                detail = (
                    f"{words.format(rows=f'about {rows}')} Its rows are not on the shadow, so how many is not known."
                )
                found.append(Danger("loss", effect.relation, detail, step.statement.file, step.statement.line))
    return found


def unlogged(steps: Sequence[Step], old: Mapping[int, Table], new: Mapping[int, Table]) -> list[Danger]:
    """Tables whose rows a crash takes from now on. old, new: as above."""
    found = []
    for oid, table in old.items():
        now = new.get(oid)
        if now is None or now.logged or not table.logged:
            continue
        of_it = [
            one.statement
            for one in steps
            if any(
                effect.relation in (table.full_name, now.full_name) and effect.rewritten
                for effect in one.effects.effects
            )
        ]
        named = [one for one in of_it if "unlogged" in one.sql.lower()] or of_it
        place = (named[-1].file, named[-1].line) if named else (None, None)
        detail = "It becomes UNLOGGED: all its rows are gone after a crash of the server, and no replica has them."
        found.append(Danger("loss", now.full_name, detail, *place))
    return found


def _is_widened(old: Table, new: Table | None) -> bool:
    """Whether every column that has another type now has a wider one; a table that is gone is not."""
    if new is None:
        return False
    pairs = [(column.type, new.columns[number].type) for number, column in old.columns.items() if number in new.columns]
    return all(was == now or now in _WIDER.get(was, ()) for was, now in pairs)


def _words(step: Step, effect: Effect, widened: Collection[str]) -> str:
    if effect.dropped:
        return "The table goes with its {rows} rows."
    if effect.dropped_columns:
        return "A column goes, in a table of {rows} rows."
    if effect.rewritten and (step.statement.kind == "truncate_stmt" or not effect.scans):
        return "The table is emptied of its {rows} rows."
    if effect.updated or effect.deleted or (effect.held == _ROW_LOCK and effect.scans):
        return "Rows are updated or deleted, of {rows}."
    if effect.rewritten and not _keeps_values(step.statement, effect.relation in widened):
        return "The values of {rows} rows are written anew, perhaps as others."
    return ""


def _keeps_values(statement: Statement, widened: bool) -> bool:
    return bool(rewrites_only(statement)) or (widened and retyped_as_they_are(statement))
