"""What is broken in a world: breaks and mends its faults one by one, and tells which there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import structlog

from services.errors import NotUnderstood, OpsError

if TYPE_CHECKING:
    from services.sandbox.fault import Fault, FaultyWorld

    class BreakableWorld(FaultyWorld, Protocol):
        """What is broken here: besides what a fault touches, something that can be put in order."""

        async def settle(self) -> None:
            """Do what could not be done because something was broken, where that is mended now."""


log = structlog.get_logger("sandbox")


class WorldFaults:
    """The faults of one world. broken: the ids of those in effect. Whoever changes something holds `world.changing`."""

    def __init__(self, world: BreakableWorld) -> None:
        self._world = world
        self.broken: set[str] = set()

    def told(self) -> list[dict[str, Any]]:
        """Every fault: {"id", "what", "group", "active"}."""
        return [
            {"id": one.id, "what": one.what, "group": one.group, "active": one.id in self.broken}
            for one in self._known().values()
        ]

    def find(self, fault_id: str) -> Fault:
        """Raises NotUnderstood for an unknown one."""
        known = self._known()
        if fault_id not in known:
            raise NotUnderstood(
                f"There is no fault called '{fault_id}'.",
                "Nothing was broken or repaired.",
                f"Known faults: {', '.join(known)}.",
                place="fault",
            )
        return known[fault_id]

    def active(self) -> list[Fault]:
        return [fault for fault_id, fault in sorted(self._known().items()) if fault_id in self.broken]

    async def apply(self, fault: Fault) -> None:
        """Break it where it is not broken; where that fails half way, what was done is mended first."""
        if fault.id in self.broken:
            return
        try:
            await fault.apply(self._world)
        except BaseException:
            await fault.undo(self._world)
            raise
        self.broken.add(fault.id)
        self._world.keep()

    async def undo(self, fault: Fault) -> None:
        """Mend it where it is broken."""
        if fault.id in self.broken:
            await fault.undo(self._world)
            self.broken.discard(fault.id)
            await self._world.settle()
            self._world.keep()

    async def undo_all(self) -> None:
        """Mend everything, as far as it can be: for a reset, which does not replace processes and server settings."""
        for fault in self.active():
            try:
                await self.undo(fault)
            except (OpsError, psycopg.Error, OSError) as error:
                log.warning("fault not mended", fault=fault.id, error=type(error).__name__)

    async def apply_again(self, fault_ids: Iterable[str]) -> None:
        """What was broken when the world stopped is broken again; what cannot be is told in the log."""
        for fault_id in fault_ids:
            try:
                await self.apply(self.find(fault_id))
            except OpsError as error:
                log.warning("fault not made again", fault=fault_id, reason=error.what)

    def _known(self) -> Mapping[str, Fault]:
        from services.sandbox.faults import faults_of

        return faults_of(self._world.twin)
