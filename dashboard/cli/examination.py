"""An examination of ourselves: settings, our own store and folder, the machine, the programs, and each target."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dashboard import composition
from dashboard.cli.doctor.disk import disk_of, disk_problems
from dashboard.cli.doctor.machine import place_problems, sleep_problems, wakefulness
from dashboard.cli.doctor.own_store import store_problems
from dashboard.cli.doctor.programs import program_problems
from dashboard.cli.doctor.reach import target_problems
from dashboard.processes.lock import HomeLock
from services.errors import NotUnderstood, OpsError, Unavailable
from services.jobs.heartbeat import heartbeat_seen
from services.jobs.liveness import worker_is_alive
from services.settings import Settings, SettingsNotUnderstood, Target
from services.settings.warnings import warnings_of

SQLITE = "sqlite:///"


def examine(target: str | None) -> list[OpsError]:
    """Every problem found, each with what to do; empty where all is well. target: one to reach; None: all of them."""
    problems = list(program_problems(composition.ROOT))
    try:
        settings = composition.settings()
        targets = [settings.target(target)] if target else list(settings.targets.values())
    except SettingsNotUnderstood as error:
        return [*problems, *each_of(error)]
    except OpsError as error:
        return [*problems, error]
    now = datetime.now(UTC)
    problems += warnings_of(settings, composition.ROOT, now)
    problems += _ourselves(settings)
    problems += machine_problems(settings, os.environ)
    if not targets:
        problems.append(
            OpsError("No target is known.", "There is nothing to look at.", "Start the sandbox with `make run`.")
        )
    for one in targets:
        problems += target_problems(one, now)
    return problems


def each_of(error: SettingsNotUnderstood) -> list[OpsError]:
    """The problems of the settings one by one, each with its place."""
    return [
        NotUnderstood(one.what, "Nothing is started.", f"{one.do[0].upper()}{one.do[1:]}.", place=one.place)
        for one in error.problems
    ]


def _ourselves(settings: Settings) -> Iterator[OpsError]:
    """Our own folder, our own store, and where a supervisor runs, its worker."""
    home = settings.home
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        yield OpsError(f"{home} cannot be written.", "Nothing can be kept.", "Set OPS_HOME to a folder of yours.")
    try:
        wrong = list(store_problems(composition.store))
        yield from wrong
        if not wrong and HomeLock(home).is_taken() and not worker_is_alive(composition.store(), composition.now()):
            yield Unavailable(
                "The dashboard runs, but its worker gives no sign of life.",
                "Pages show what was seen last, and jobs wait.",
                f"{home / 'logs' / 'worker.log'} says why.",
            )
        if not wrong:
            yield from _heartbeat(settings)
    finally:
        composition.close()


def _heartbeat(settings: Settings) -> Iterator[OpsError]:
    """Where one is set: whether it was answered lately."""
    seen = heartbeat_seen(composition.store(), settings, composition.now())
    if seen.good is False:
        yield Unavailable(
            seen.sentence,
            "Whoever waits for it will be told that we are silent.",
            "The worker's log says more; docs/running-elsewhere.md lists what it is withheld for.",
            place="OPS_HEARTBEAT_URL",
        )


def machine_problems(settings: Settings, environ: Mapping[str, str]) -> Iterator[OpsError]:
    """What the machine is like, where there is more to lose than the embedded world."""
    real = real_targets(settings)
    if not real:
        return
    for folder in sorted(kept_in(settings)):
        yield from disk_problems(disk_of(folder, environ))
    yield from sleep_problems(wakefulness())
    yield from place_problems(environ, real)


def real_targets(settings: Settings) -> Sequence[Target]:
    """The targets that are not made to be broken."""
    return [one for one in settings.targets.values() if one.production or one.fault_control_url is None]


def kept_in(settings: Settings) -> set[Path]:
    """The folders that hold what we keep: our own, and that of a store in a file elsewhere."""
    folders = {settings.home}
    if settings.store_url.startswith(SQLITE):
        store = Path(settings.store_url.removeprefix(SQLITE).partition("?")[0])
        folders |= {store.parent} if not store.is_relative_to(settings.home) else set()
    return folders
