"""Knows how to fill the gaps of a blast radius: where the text does not tell, the scripts are run on a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg

from services.database.connect import connect
from services.database.execution import Cancelled, Emit, never, silent
from services.database.rehearsal.catalog_copy import NoShadow
from services.database.rehearsal.masking import literals
from services.database.rehearsal.shadow import RowPolicy, Shadow, shadow
from services.database.rollback.executed import executed_radius
from services.database.rollback.losses import Loss, counted
from services.database.script import Script
from services.errors import OpsError, Refused

_LOCK_WAIT_MS = 500


def has_gaps(radius: Sequence[Loss]) -> bool:
    """Whether a statement of the script does not tell what it does: DO blocks, dynamic SQL, functions in C."""
    return any(map(_is_gap, radius))


def with_gaps_filled(
    url: str,
    scripts: Sequence[Script],
    radius: Sequence[Loss],
    *,
    rows: RowPolicy | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> tuple[list[Loss], str]:
    """The radius with what the scripts did on a copy of the database behind `url`, and in a sentence how that went.

    Only a copy with all rows, in nothing unlike, closes a gap; of any other it is told what went there, and the gap
    stays. The target is only read. rows: as of `shadow`. Raises Stopped, and as `connect` does.
    """
    try:
        keep = literals(script.sql for script in scripts)
        with shadow(url, rows=rows, keep=keep, stand_in=True, emit=emit, cancelled=cancelled) as copy:
            closes = _is_whole(copy)
            executed = executed_radius(copy, scripts)
    except NoShadow as error:
        return list(radius), f"What the text does not tell could not be tried on a copy: {error}"
    except Refused as refused:
        return [*radius, _refused(refused)], f"What the text does not tell was tried on a copy. {refused.what}"
    except (OpsError, psycopg.Error) as error:
        what = error.what if isinstance(error, OpsError) else f"the server refused it (SQLSTATE {error.sqlstate})."
        return list(radius), f"What the text does not tell could not be tried on a copy: {what}"
    filled = merged(radius, executed, closes=closes)
    if closes:
        return filled, "What the text does not tell was tried on a copy with all rows."
    return _counted_there(url, filled), (
        "What the text does not tell was tried on a copy without the rows: where rows decide, it stays unknown."
    )


def merged(walked: Sequence[Loss], executed: Sequence[Loss], *, closes: bool) -> list[Loss]:
    """The walk's losses, those that only the execution saw added to them. closes: the gaps are gone with that.

    Of rows in tables that stay the execution knows the sum of all statements, where the walk counts only those it
    could read; of objects and their rows the walk knows the statement.
    """
    gaps = [loss for loss in walked if _is_gap(loss)]
    by = gaps[0].by if len({loss.by for loss in gaps}) == 1 else ""
    sums = {_key(loss): loss for loss in executed if loss.kind == "rows"} if closes else {}
    found = [
        replace(loss, rows=sums[_key(loss)].rows) if _key(loss) in sums else loss
        for loss in walked
        if not (closes and _is_gap(loss))
    ]
    known = {_key(loss) for loss in walked}
    found += [replace(loss, by=by) for loss in executed if _key(loss) not in known and (closes or loss.kind != "rows")]
    return sorted(found, key=lambda loss: loss.rows is None)


def _is_gap(loss: Loss) -> bool:
    return loss.kind == "statement" and loss.effect == "unknown"


def _key(loss: Loss) -> tuple[str, str, str]:
    return loss.kind, loss.object, loss.effect


def _is_whole(copy: Shadow) -> bool:
    return copy.policy == "all" and not (copy.rows.incomplete or copy.rows.problems or copy.unlike)


def _refused(refused: Refused) -> Loss:
    place = refused.place or ""
    return Loss("statement", f"{place}: {refused.what}", None, None, "refused", by=place)


def _counted_there(url: str, losses: Sequence[Loss]) -> list[Loss]:
    """The losses, with the rows that the target has of what was found on a copy without any."""
    to_count = [place for place, loss in enumerate(losses) if loss.kind in ("table", "column") and not loss.rows]
    found = list(losses)
    with connect(url, read_only=True, statement_timeout_s=60) as conn, conn.transaction():
        conn.execute(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}")
        counts = counted(conn, [found[place] for place in to_count])
        for place, (rows, size) in zip(to_count, counts, strict=True):
            found[place] = replace(found[place], rows=rows, bytes=size if found[place].column else found[place].bytes)
    return sorted(found, key=lambda loss: loss.rows is None)
