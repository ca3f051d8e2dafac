"""Knows what a script may take from tables whose rows the shadow lacks: told with the target's own row counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.database.dangers.danger import Danger
from services.database.dangers.trail import Step
from services.database.rehearsal.measure import Effect

_ROW_LOCK = "RowExclusiveLock"


def possible_losses(steps: Sequence[Step], sizes: Mapping[str, int]) -> list[Danger]:
    """Losses that follow from what a statement did to the empty, or sampled, copy of a table. sizes: rows there."""
    found = []
    for step in steps:
        for effect in step.effects.effects:
            rows = sizes.get(effect.relation, 0)
            if rows and effect.kind in ("r", "p", "m") and (words := _words(step, effect)):
                detail = (
                    f"{words.format(rows=f'about {rows}')} Its rows are not on the shadow, so how many is not known."
                )
                found.append(Danger("loss", effect.relation, detail, step.statement.file, step.statement.line))
    return found


def _words(step: Step, effect: Effect) -> str:
    if effect.dropped:
        return "The table goes with its {rows} rows."
    if effect.dropped_columns:
        return "A column goes, in a table of {rows} rows."
    if effect.rewritten and (step.statement.kind == "truncate_stmt" or not effect.scans):
        return "The table is emptied of its {rows} rows."
    if effect.updated or effect.deleted or (effect.held == _ROW_LOCK and effect.scans):
        return "Rows are updated or deleted, of {rows}."
    return ""
