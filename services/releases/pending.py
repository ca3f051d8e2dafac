"""Knows what of a release a target has not had: all of it, or the migrations that its own list does not name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.database.connect import connect
from services.database.history.divergence import Divergence, compare
from services.database.history.migrations import Listing, pending, recorded, version_at
from services.database.script import Script, split
from services.errors import Refused
from services.releases.bundle import Release


@dataclass(frozen=True, slots=True)
class Pending:
    """What is to be run, how it is listed, and where folder and list disagree."""

    scripts: tuple[Script, ...]
    listings: tuple[Listing, ...]
    divergence: tuple[Divergence, ...] = ()


def pending_of(url: str, release: Release, now: datetime) -> Pending:
    """What of the release the target behind `url` has not had. Only reads, and for other releases asks nothing.

    Raises Refused where every migration is listed already, and as `connect` and `recorded` do.
    """
    if not release.migrations:
        statements = tuple(statement.sql for script in release.deploy for statement in split(script))
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
    apart = () if had is None else compare(release.migrations, had)
    return Pending(
        tuple(one.script for one in left), tuple(Listing(m.version, m.name, m.statements) for m in left), apart
    )


def divergence_sentence(found: Sequence[Divergence]) -> str:
    """The disagreements in words; empty for none."""
    return " ".join(one.message for one in found)
