"""The ways in which PulseCheck itself can be broken: its builds, its tables, its rows."""

from __future__ import annotations

from apps.pulsecheck.twin.build_faults import FAULTS as OF_BUILDS
from apps.pulsecheck.twin.table_faults import FAULTS as OF_TABLES
from services.sandbox.fault import Fault

FAULTS: tuple[Fault, ...] = (*OF_BUILDS, *OF_TABLES)
