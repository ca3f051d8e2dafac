"""`kept`: what changes took away and a database still keeps; and dropping for good what was kept long enough."""

from __future__ import annotations

from typing import Annotated

import typer

from dashboard.cli.answer import Answer, columns
from dashboard.cli.options import Confirm, Database, Json, Target


def register(app: typer.Typer) -> None:
    app.command()(kept)


def kept(
    database: Database = None,
    purge: Annotated[bool, typer.Option("--purge", help="Drop for good what was kept long enough.")] = False,
    confirm: Confirm = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """List what deploys and rollbacks took away and keep. Phrase of --purge: "purge what is kept on TARGET"."""
    from dashboard import composition
    from dashboard.cli.following import carry_out
    from dashboard.cli.on_a_database import DATABASE, given_address
    from dashboard.cli.targets import target_of, target_to_change
    from services.database.snapshots.kept import kept_in, purge_kept
    from services.jobs.releasing import reading_url
    from services.releases.actions import purge_phrase, require_phrase

    if not purge:
        address = given_address(database, target) if database is not None else reading_url(target_of(target))
        found = kept_in(address)
        lines = columns([(one.id, one.release_id, f"{one.rows} rows", ", ".join(one.tables)) for one in found])
        return Answer.of({"kept": [one.to_json() for one in found]}, lines or ["Nothing is kept."])
    if database is not None:
        require_phrase(confirm, purge_phrase(DATABASE))
        dropped = purge_kept(given_address(database, target), composition.now())
    else:
        place = target_to_change(target)
        require_phrase(confirm, purge_phrase(place.name))
        dropped = list((carry_out("purge_kept", place, {}).result or {}).get("purged", ()))
    return Answer.of({"purged": dropped}, [f"dropped for good: {name}" for name in dropped] or ["Nothing was due."])
