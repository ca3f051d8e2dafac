"""The commonest ways to make a fault: a disturbance in a door, or another value of a variable, held under its id."""

from __future__ import annotations

from services.errors import Refused
from services.sandbox.disturbance import Disturbance
from services.sandbox.fault import Fault, FaultyWorld


def in_door(door: str, group: str, fault_id: str, what: str, *disturbances: Disturbance) -> Fault:
    """A fault that is nothing but disturbances in a door; in effect, and gone, as soon as its calls return."""
    names = [fault_id if number == 0 else f"{fault_id}/{number}" for number in range(len(disturbances))]

    async def apply(world: FaultyWorld) -> None:
        for name, disturbance in zip(names, disturbances, strict=True):
            world.doors[door].add(name, disturbance)

    async def undo(world: FaultyWorld) -> None:
        for name in names:
            world.doors[door].remove(name)

    return Fault(fault_id, what, apply, undo, group)


def in_variable(group: str, fault_id: str, what: str, variable: str, value: str | None) -> Fault:
    """A fault that gives one of the app's variables another value, or takes it away (None), and deploys the app.

    Breaking raises Refused where the app has no such variable.
    """

    async def apply(world: FaultyWorld) -> None:
        if variable not in world.hosting.first_variables:
            raise Refused(
                f"This world's app has no variable {variable}.",
                f"'{fault_id}' has nothing to break here.",
                "Choose another fault.",
                place=fault_id,
            )
        await world.variables.add(fault_id, variable, value)

    async def undo(world: FaultyWorld) -> None:
        await world.variables.remove(fault_id)

    return Fault(fault_id, what, apply, undo, group)
