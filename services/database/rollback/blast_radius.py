"""Knows what a script will take with it: every object, row and byte, told by the catalog before anything is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors

from services.database.connect import connect
from services.database.rollback.breaking import breaking
from services.database.rollback.catalog import Catalog
from services.database.rollback.losses import HOLDS_ROWS, Loss, described
from services.database.rollback.lost_rows import lost_rows
from services.database.rollback.playing import play
from services.database.script import Script
from services.errors import Unavailable

__all__ = ["HOLDS_ROWS", "Loss", "blast_radius", "blast_radius_on", "rows_to_go", "rows_to_go_sentence"]

_LOCK_WAIT_MS = 500
_GONE_MEANWHILE = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedObject,
    errors.UndefinedFunction,
    errors.InvalidSchemaName,
    errors.InternalError_,
)
"""How the server says that what the catalog named a moment ago is not there any more."""


def blast_radius(url: str, rollback_scripts: Sequence[Script]) -> list[Loss]:
    """What the scripts would take with them now. Reads only, with no lock above AccessShare.

    Raises as `connect` does, and Unavailable where others change the catalog all the while.
    """
    try:
        return _seen_now(url, rollback_scripts)
    except _GONE_MEANWHILE:
        # Somebody dropped what we had just read of: what is there now is another catalog, and is read once more.
        try:
            return _seen_now(url, rollback_scripts)
        except _GONE_MEANWHILE as error:
            raise Unavailable(
                "The database's catalog is being changed at this moment.",
                "What would go cannot be told yet.",
                "Look again when that change is done.",
            ) from error


def _seen_now(url: str, rollback_scripts: Sequence[Script]) -> list[Loss]:
    with connect(url, read_only=True, statement_timeout_s=60) as conn, conn.transaction():
        # A table that somebody holds is not waited for: its rows are then not known.
        conn.execute(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}")
        return blast_radius_on(conn, rollback_scripts)


def blast_radius_on(conn: psycopg.Connection[Any], rollback_scripts: Sequence[Script]) -> list[Loss]:
    """The same, on a connection inside a transaction."""
    played = play(Catalog.read(conn), conn, rollback_scripts)
    losses = described(conn, played.fallen)
    losses += lost_rows(conn, played)
    losses += breaking(conn, played)
    losses += played.told
    # What holds rows comes first: that is what cannot be made again.
    return sorted(losses, key=lambda loss: loss.rows is None)


def rows_to_go(radius: Sequence[Loss]) -> int:
    """How many rows the radius takes out of their tables: dropped, deleted and emptied, each once.

    Values of dropped columns and changed rows stay rows, and are not counted.
    """
    return sum(loss.rows or 0 for loss in radius if _takes_rows(loss))


def rows_to_go_sentence(radius: Sequence[Loss]) -> str:
    """The rows to go in one sentence, saying also what was not counted."""
    tables = {loss.object for loss in radius if _takes_rows(loss) and loss.rows}
    changed = sum(loss.rows or 0 for loss in radius if loss.effect == "changed")
    values = [loss for loss in radius if loss.kind == "column" and loss.rows]
    count = rows_to_go(radius)
    parts = [f"{_many(count, 'row')} of {_many(len(tables), 'table')} {_go(count)}" if count else "No row goes"]
    if values:
        lost = sum(loss.rows or 0 for loss in values)
        parts.append(f"{_many(lost, 'value')} of {_many(len(values), 'column')} {_go(lost)}")
    if changed:
        parts.append(f"{_many(changed, 'row')} {'is' if changed == 1 else 'are'} changed")
    unknown = [loss for loss in radius if loss.effect == "unknown" or (_takes_rows(loss) and loss.rows is None)]
    sentence = ", ".join(parts)
    return f"{sentence}; of {_many(len(unknown), 'thing')} it is not known." if unknown else f"{sentence}."


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _go(count: int) -> str:
    return "goes" if count == 1 else "go"


def _takes_rows(loss: Loss) -> bool:
    return loss.kind in ("table", "rows") and loss.effect in ("dropped", "deleted", "emptied")
