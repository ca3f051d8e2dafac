"""An examination of ourselves: settings, our own store and folder, the targets' addresses, the programs we lean on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dashboard import composition
from dashboard.processes.lock import HomeLock
from services.app_definition import load_app
from services.connecting.proofs import prove_level
from services.database.server import find_binaries
from services.errors import OpsError, Unavailable
from services.jobs.liveness import worker_is_alive
from services.settings import Level, Settings
from services.verdict import Verdict

OLDEST_PYTHON = (3, 11)


def examine(target: str | None) -> list[OpsError]:
    """Every problem found, each with what to do; empty where all is well. target: one to reach; None: all of them."""
    problems = list(_programs())
    try:
        settings = composition.settings()
    except OpsError as error:
        return [*problems, error]
    problems += _own_folder(settings.home)
    problems += _own_processes(settings.home)
    try:
        names = [settings.target(target).name] if target else sorted(settings.targets)
    except OpsError as error:
        return [*problems, error]
    if not names:
        problems.append(
            OpsError("No target is known.", "There is nothing to look at.", "Start the sandbox with `make run`.")
        )
    for name in names:
        problems += _target(settings, name)
    return problems


def _programs() -> Iterator[OpsError]:
    if sys.version_info < OLDEST_PYTHON:
        yield OpsError(
            f"Python {sys.version.split()[0]} is too old.", "Nothing is certain to work.", "Use 3.11 or newer."
        )
    try:
        find_binaries()
    except OpsError as error:
        yield error
    if not (Path(sys.executable).parent / "squawk").exists() and shutil.which("squawk") is None:
        yield OpsError("squawk is not installed.", "`lint` finds less.", "Run `make setup`.")


def _own_folder(home: Path) -> Iterator[OpsError]:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        yield OpsError(f"{home} cannot be written.", "Nothing can be kept.", "Set OPS_HOME to a folder of yours.")


def _own_processes(home: Path) -> Iterator[OpsError]:
    """The store opens; and where a supervisor runs, its worker lives."""
    try:
        alive = worker_is_alive(composition.store(), datetime.now(UTC))
    except OpsError as error:
        yield error
        return
    finally:
        composition.close()
    if HomeLock(home).is_taken() and not alive:
        yield Unavailable(
            "The dashboard runs, but its worker gives no sign of life.",
            "Pages show what was seen last, and jobs wait.",
            f"{home / 'logs' / 'worker.log'} says why.",
        )


def _target(settings: Settings, name: str) -> Iterator[OpsError]:
    target = settings.target(name)
    for level in sorted(target.levels, key=list(Level).index):
        proof = prove_level(level, target, load_app(target.app), datetime.now(UTC))
        if proof.verdict is not Verdict.PASS and not proof.by_writing_only:
            yield OpsError(
                f"{name}: the level '{proof.level.value}' is granted and not proved: {proof.summary}",
                "What needs it will not work.",
                f"Mend the settings of {name}, or take the level away.",
                place=f"targets.{name}.levels",
            )
