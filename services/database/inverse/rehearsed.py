"""Knows whether a derived way back is true: it is taken on a copy, and the change made there once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from services.database.definitions.definition import Definitions
from services.database.definitions.read import read_definitions
from services.database.fingerprint import Difference, Fingerprint, catalog_fingerprint, difference
from services.database.inverse.derive import Inverse, derive_inverse, reordered
from services.database.inverse.renames import rename_back
from services.verdict import Verdict

_OF_ROWS = ("22", "23")
"""Classes of errors that come from rows: those that only a snapshot brings back, or that the change wrote."""

_IN_ORDER = "A rollback of a deploy in one transaction puts them in their places, by what the deploy kept."


@dataclass(frozen=True, slots=True)
class RehearsedInverse:
    """A derived way back and what came of taking it. why: what is wrong, left or to be known, None where all is as
    before."""

    inverse: Inverse
    verdict: Verdict
    why: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "sql": self.inverse.sql,
            "rehearsed": self.verdict.value,
            "why": self.why,
            "not_restored": list(self.inverse.not_restored),
            "rows": list(self.inverse.rows),
        }


def nothing() -> None:
    """For copies without rows, where none has to be put back."""


def derive_on_copy(conn: psycopg.Connection[Any], before: Definitions) -> Inverse:
    """The way back from what stands on this copy. Where names changed, they are given back there for a moment, so that
    the server itself says how everything else reads then; nothing stays of it."""
    after = read_definitions(conn)
    names = rename_back(before, after).statements
    if not names:
        return derive_inverse(before, after)
    with conn.transaction(force_rollback=True):
        for statement in names:
            conn.execute(statement)
        rest = derive_inverse(before, read_definitions(conn))
    return rest.after_renaming(names)


def rehearse_inverse(
    conn: psycopg.Connection[Any],
    before: Definitions,
    untouched: Fingerprint,
    *,
    deploy_again: Callable[[], object],
    put_back: Callable[[], object] = nothing,
) -> RehearsedInverse:
    """Derive the way back, take it, compare, make the change again and compare once more.

    conn: autocommit, on a copy where the change is in place, as the role that would go back.
    before, untouched: definitions and fingerprint of the copy before the change.
    deploy_again: makes the change on the copy and raises where it fails. put_back: brings rows and values back, called
    when their tables and columns are there again and before anything is made that looks at them.
    """
    deployed = catalog_fingerprint(conn)
    inverse = derive_on_copy(conn, before)
    try:
        run_inverse(conn, inverse, put_back)
    except psycopg.Error as error:
        return _failed(inverse, error, "It fails")
    tables = reordered(inverse.not_restored)
    left = _difference(untouched, catalog_fingerprint(conn), tables)
    if left:
        verdict = Verdict.UNKNOWN if inverse.not_restored else Verdict.FAIL
        return RehearsedInverse(inverse, verdict, f"After it the catalog is not as before: {left.sentence()}.")
    try:
        deploy_again()
    except psycopg.Error as error:
        return _failed(inverse, error, "After it the change cannot be made again")
    again = _difference(deployed, catalog_fingerprint(conn), tables)
    if again:
        why = f"After it the change comes out otherwise: {again.sentence()}."
        return RehearsedInverse(inverse, Verdict.FAIL, why)
    if tables:
        order = f"These statements bring the columns of {', '.join(tables)} back in another order. "
        return RehearsedInverse(inverse, Verdict.PASS, order + _IN_ORDER)
    return RehearsedInverse(inverse, Verdict.PASS)


def _difference(one: Fingerprint, other: Fingerprint, tables: Iterable[str]) -> Difference:
    """What differs but for the places of columns in these tables."""
    starts = tuple(f"column {table}." for table in tables)
    return difference(*(_without_places(side, starts) for side in (one, other)))


def _without_places(found: Fingerprint, starts: tuple[str, ...]) -> Fingerprint:
    facts = {key: fact.partition(" ")[2] if key.startswith(starts) else fact for key, fact in found.facts.items()}
    return Fingerprint.of(facts)


def run_inverse(conn: psycopg.Connection[Any], inverse: Inverse, put_back: Callable[[], object] = nothing) -> None:
    """Take the way back in one transaction."""
    with conn.transaction():
        for statement in inverse.before_rows:
            conn.execute(statement)
        put_back()
        for statement in inverse.after_rows:
            conn.execute(statement)


def _failed(inverse: Inverse, error: psycopg.Error, what: str) -> RehearsedInverse:
    message = error.diag.message_primary or type(error).__name__
    if (error.sqlstate or "").startswith(_OF_ROWS):
        why = f"Rows decide it, which a snapshot brings back and takes out, not this: {message}."
        return RehearsedInverse(inverse, Verdict.UNKNOWN, why)
    return RehearsedInverse(inverse, Verdict.FAIL, f"{what}: {message}.")
