"""Proving the level deploy: of a kept owner's address what it can do, else what arming needs to be possible."""

from __future__ import annotations

import os
from collections.abc import Iterator

from services.connecting.trial import Told, Trial, declined, failed, passed, unknown
from services.database.connect import connect, inspect_connection
from services.errors import OpsError
from services.jobs.arming import armed
from services.jobs.liveness import worker_is_alive


def seen_of_deploy(trial: Trial) -> Iterator[Told]:
    """A kept address is tried without changing anything; without one the level stands on a worker to hold it."""
    if trial.target.deploy_url is not None:
        try:
            yield from _owner(trial.target.deploy_url.get_secret_value())
        except OpsError as error:
            yield declined("Owner's address", error)
        return
    yield from _arming(trial)


def _owner(url: str) -> Iterator[Told]:
    with connect(url, read_only=True, application_name=f"ops connect {os.getpid()}") as conn:
        facts = inspect_connection(conn, url)
    verdicts = {
        f"create objects in schema public as {facts.user}": facts.may_create,
        "keep its receipts in schema ops": facts.may_create_schema or "ops" in facts.schemas,
        "hold a lock for the length of a deploy": not facts.transaction_pooler,
        "alter every table in schema public": not facts.not_owned,
    }
    cannot = [what for what, can in verdicts.items() if not can]
    if cannot:
        yield failed("Owner's address", f"It cannot {'; it cannot '.join(cannot)}.")
    else:
        yield passed("Owner's address", f"It can {', '.join(verdicts)}.", effect=True)


def _arming(trial: Trial) -> Iterator[Told]:
    if trial.store is None:
        yield unknown("Arming", "Nothing is kept and nothing is armed: what the owner may do is not known.")
        return
    if worker_is_alive(trial.store, trial.now):
        yield passed("Worker", "A worker is alive that can hold the owner's address in its memory.")
    else:
        yield failed("Worker", "No worker is alive that could hold the owner's address. Start one, then try again.")
    holding = armed(trial.store, trial.target.name, trial.now)
    if holding is None:
        said = "Nobody has armed it now; what the owner may do is seen when it is armed."
        yield unknown("Armed", said, needed=False)
        return
    run = f" for run {holding.run_id}" if holding.run_id else ""
    said = (
        f"{holding.actor.name} has armed it as {holding.role} at {holding.place} until {holding.until:%H:%M} UTC{run}."
    )
    yield passed("Armed", said, needed=False, effect=True)
