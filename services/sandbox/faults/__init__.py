"""The ways in which the embedded world can be broken, and how each is mended; every break has a real effect."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from services.sandbox.fault import Fault
from services.sandbox.faults import first
from services.sandbox.twin_definition import Twin

GENERIC: tuple[Fault, ...] = (*first.FAULTS,)


def faults_of(twin: Twin) -> Mapping[str, Fault]:
    """Every fault of a world with this twin by id: those of any world, then the app's own (`twin.faults.FAULTS`)."""
    own: tuple[Fault, ...] = importlib.import_module(f"apps.{twin.app}.twin.faults").FAULTS
    return {fault.id: fault for fault in (*GENERIC, *own)}
