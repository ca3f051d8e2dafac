"""The ways in which PulseCheck itself can be broken: its builds, its tables, its rows."""

from __future__ import annotations

from services.sandbox.fault import Fault

FAULTS: tuple[Fault, ...] = ()
