"""Knows what of a release a target has not had: all of it, or the migrations that its own list does not name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.database.connect import connect
from services.database.history.divergence import Divergence, compare
from services.database.history.migrations import Listing, bare, pending, recorded, version_at
from services.database.script import Script, split
from services.errors import NotUnderstood, Refused
from services.releases.bundle import Release


@dataclass(frozen=True, slots=True)
class Pending:
    """What is to be run, how it is listed, and where folder and list disagree."""

    scripts: tuple[Script, ...]
    listings: tuple[Listing, ...]
    divergence: tuple[Divergence, ...] = ()


def pending_of(url: str, release: Release, now: datetime) -> Pending:
    """What of the release the target behind `url` has not had. Only reads, and for other releases asks nothing.

    Raises Refused where every migration is listed already, NotUnderstood where those that are left hold no statement,
    and as `connect` and `recorded` do.
    """
    if not release.migrations:
        statements = tuple(bare(statement.sql) for script in release.deploy for statement in split(script))
        return Pending(release.deploy, (Listing(version_at(now), release.id, statements, ours=True),))
    with connect(url, read_only=True, statement_timeout_s=10) as conn:
        left = pending(conn, release.migrations)
        had = recorded(conn)
    if not left:
        raise Refused(
            f"Every migration of {release.id} is listed as had by this database.",
            "There is nothing to do.",
            "Add a migration with a later time to the folder.",
        )
    if not any(one.statements for one in left):
        files = ", ".join(one.script.file for one in left)
        raise NotUnderstood(
            f"What this database has not had holds only comments: {files}.",
            "Nothing was run or listed: a migration is listed in the transaction that runs its statements.",
            "Write SELECT 1; into it to have it listed by itself, or leave it: it is listed with the next migration.",
            left[0].script.file,
        )
    apart = () if had is None else compare(release.migrations, had)
    return Pending(
        tuple(one.script for one in left), tuple(Listing(m.version, m.name, m.statements) for m in left), apart
    )


def divergence_sentence(found: Sequence[Divergence]) -> str:
    """The disagreements in words; empty for none."""
    return " ".join(one.message for one in found)
