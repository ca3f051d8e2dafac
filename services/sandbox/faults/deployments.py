"""Faults of what is deployed, whichever app it is: crashed, stopped, stuck, or the build of before."""

from __future__ import annotations

from services.sandbox.deployment import Status
from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.hosting_push import head, push, require_served

GROUP = "Builds"
CRASHED = "app-crashed"
STOPPED = "deployment-stopped"
STUCK = "deployment-stuck"


async def _crash(world: FaultyWorld) -> None:
    hosting = world.hosting

    def trouble() -> None:
        one = hosting.active
        if one is not None and (one.process is not None or one.restarting):
            hosting.crash(one.id)

    hosting.troubles[CRASHED] = trouble
    trouble()
    await hosting.rest()


async def _start_what_crashed(world: FaultyWorld) -> None:
    hosting = world.hosting
    hosting.troubles.pop(CRASHED, None)
    if hosting.active is not None and hosting.active.status is Status.CRASHED:
        hosting.restart(hosting.active.id)
        await hosting.rest()


async def _stop(world: FaultyWorld) -> None:
    hosting = world.hosting

    def trouble() -> None:
        one = hosting.active
        if one is not None and one.status is Status.CRASHED:
            one.stopped, hosting.active = True, None
        elif one is not None:
            hosting.stop(one.id)

    hosting.troubles[STOPPED] = trouble
    trouble()
    await hosting.rest()


async def _start_what_was_stopped(world: FaultyWorld) -> None:
    hosting = world.hosting
    if hosting.troubles.pop(STOPPED, None) is not None and hosting.active is None:
        stopped = [one.build.commit for one in hosting.deployments if one.stopped]
        await push(hosting, world.twin, stopped[-1] if stopped else None)


async def _get_stuck(world: FaultyWorld) -> None:
    hosting, twin = world.hosting, world.twin

    def trouble() -> None:
        stuck = hosting.stuck()
        if stuck and stuck[-1] is hosting.deployments[-1]:
            return
        for one in stuck:
            hosting.cancel(one.id)
        hosting.deploy_stuck(head(hosting, twin))

    hosting.troubles[STUCK] = trouble
    trouble()


async def _get_on(world: FaultyWorld) -> None:
    world.hosting.troubles.pop(STUCK, None)
    world.hosting.free()
    await world.hosting.rest()


async def _deploy_the_old_build(world: FaultyWorld) -> None:
    hosting, twin = world.hosting, world.twin
    require_served(hosting, twin, "old-build-serves")
    if hosting.pinned is None:
        hosting.pinned = twin.serving_before
        await push(hosting, twin)


async def _deploy_what_is_pushed(world: FaultyWorld) -> None:
    hosting, twin = world.hosting, world.twin
    if hosting.pinned is not None:
        hosting.pinned = None
        await push(hosting, twin)


FAULTS: tuple[Fault, ...] = (
    Fault(
        CRASHED,
        "The app's process was killed and is not started again: its address answers with the platform's 502 page.",
        _crash,
        _start_what_crashed,
        GROUP,
    ),
    Fault(
        STOPPED,
        "Somebody has stopped the deployment: no process runs, and the address answers with the platform's 502 page.",
        _stop,
        _start_what_was_stopped,
        GROUP,
    ),
    Fault(
        STUCK,
        "The newest deployment does not get on with its build; what was deployed before goes on serving.",
        _get_stuck,
        _get_on,
        GROUP,
    ),
    Fault(
        "old-build-serves",
        "The old build was deployed again as the newest deployment: its routes are fewer than the release needs.",
        _deploy_the_old_build,
        _deploy_what_is_pushed,
        GROUP,
    ),
)
