"""The ways in which the embedded world can be broken, and how each is mended; every break has a real effect."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from services.sandbox.fault import Fault
from services.sandbox.faults import app_door, builds, database, deployments, openai, railway, status, supabase
from services.sandbox.twin_definition import Twin

GENERIC: tuple[Fault, ...] = (
    *app_door.FAULTS,
    *builds.FAULTS,
    *deployments.FAULTS,
    *openai.FAULTS,
    *supabase.FAULTS,
    *railway.FAULTS,
    *status.FAULTS,
    *database.FAULTS,
)


def faults_of(twin: Twin) -> Mapping[str, Fault]:
    """Every fault of a world with this twin by id: those of any world, then the app's own (`twin.faults.FAULTS`)."""
    return {fault.id: fault for fault in (*GENERIC, *_own(twin.app))}


def _own(app: str) -> tuple[Fault, ...]:
    """None where the app has made no faults of its own."""
    name = f"apps.{app}.twin.faults"
    try:
        found: tuple[Fault, ...] = importlib.import_module(name).FAULTS
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return ()
    return found
