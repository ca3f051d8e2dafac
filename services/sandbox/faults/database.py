"""Faults of the database server and of what lies in it."""

from __future__ import annotations

from services.sandbox.fault import Fault, FaultyWorld

GROUP = "Database"


async def _stop_database(world: FaultyWorld) -> None:
    await world.stop_database()


async def _start_database(world: FaultyWorld) -> None:
    await world.start_database()


FAULTS: tuple[Fault, ...] = (
    Fault(
        "database-down",
        "The database server is stopped: whatever needs rows fails.",
        _stop_database,
        _start_database,
        GROUP,
    ),
)
