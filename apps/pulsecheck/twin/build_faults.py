"""Faults of PulseCheck's builds: mistakes in their code, and variables that keep them from starting."""

from __future__ import annotations

import asyncio

from apps.pulsecheck.twin.other_project import FAULT as OTHER_PROJECT
from apps.pulsecheck.twin.other_project import read_another_project, read_our_project
from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.hosting_push import head, leave_to_old, mend, push, push_what_cannot_start, spoil

GROUP = "Builds"
RENAMED = "renamed-class"
LOOP = "restart-loop"
LOOPS_SEEN = 2
LOOPS_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05


def _defect(fault_id: str, what: str) -> Fault:
    """A mistake in a build that starts; its code is in `defective` and `assembly`."""

    async def apply(world: FaultyWorld) -> None:
        await spoil(world.hosting, world.twin, fault_id)

    async def undo(world: FaultyWorld) -> None:
        await mend(world.hosting, world.twin, fault_id)

    return Fault(fault_id, what, apply, undo, GROUP)


async def _rename_class(world: FaultyWorld) -> None:
    hosting, twin = world.hosting, world.twin
    commit = head(hosting, twin)
    if RENAMED not in hosting.images.defects(commit):
        hosting.images.spoil(commit, RENAMED)
        await push_what_cannot_start(hosting, twin)


async def _find_class_again(world: FaultyWorld) -> None:
    await mend(world.hosting, world.twin, RENAMED)


def _variable(fault_id: str, what: str, name: str, value: str | None) -> Fault:
    """A variable without which, or with whose value, the newest build does not start."""

    async def apply(world: FaultyWorld) -> None:
        hosting, twin = world.hosting, world.twin
        if hosting.variables.get(name) != value:
            await leave_to_old(hosting, twin)
            await world.variables.add(fault_id, name, value)
            await push_what_cannot_start(hosting, twin)

    async def undo(world: FaultyWorld) -> None:
        if world.hosting.variables.get(name) == value:
            await world.variables.remove(fault_id)
            await push(world.hosting, world.twin)

    return Fault(fault_id, what, apply, undo, GROUP)


async def _loop(world: FaultyWorld) -> None:
    """Returns once the process has died twice and was started again: the pattern that shows it."""
    hosting = world.hosting
    await spoil(hosting, world.twin, LOOP)
    one = hosting.active
    if one is None or one.image is None or LOOP not in one.image.defects:
        return
    async with asyncio.timeout(LOOPS_WITHIN_S):
        # The platform tells nobody when it starts a process again: one has to look.
        while (one is hosting.active and one.process is not None) or one.restarting:
            if one.restarts >= LOOPS_SEEN and not one.restarting:
                return
            await asyncio.sleep(LOOK_EVERY_S)


async def _end_loop(world: FaultyWorld) -> None:
    await mend(world.hosting, world.twin, LOOP)


FAULTS: tuple[Fault, ...] = (
    Fault(
        RENAMED,
        "The newest build imports a class by a name that it no longer has: it does not start, the old build serves.",
        _rename_class,
        _find_class_again,
        GROUP,
    ),
    _variable(
        "bad-settings",
        "The variable ENVIRONMENT has a value that the newest build does not accept: it does not start, the old build"
        " serves.",
        "ENVIRONMENT",
        "prodution",
    ),
    _variable(
        "variable-missing",
        "The variable SECRET_KEY is not set: the newest build does not start, the old build serves.",
        "SECRET_KEY",
        None,
    ),
    _defect(
        "router-missing",
        "The admin routes cannot be imported and are left out: the build starts, and they answer 404.",
    ),
    _defect(
        "feedback-router-missing",
        "The feedback route cannot be imported and is left out: the build starts, and it answers 404.",
    ),
    _defect("journal-not-stored", "A new journal entry is answered with 200 and an id, and stored nowhere."),
    _defect("journal-reads-stale", "Journal entries are stored, and read back from a copy made some time ago."),
    _defect("stats-wrong", "The journal's statistics count the first page of entries only."),
    _defect("feedback-not-stored", "Feedback is answered with 200 and stored nowhere."),
    _defect("admin-error", "Every admin report asks for a column that there is not, and answers 500."),
    _defect("admin-numbers-wrong", "The day's admin numbers come from a join that multiplies them."),
    _defect("ai-code-bug", "The pulse fails in the app's own code, with a good key, and is canned; analyses are real."),
    _defect("usage-writer-broken", "What writes the usage log fails with a NameError, which only the log shows."),
    _defect("cost-wrong", "Costs are logged by the prices of another model, 11.7 times the true ones."),
    _defect("rate-limit-off", "No AI call is ever refused: the quota is not looked at."),
    Fault(
        LOOP,
        "The process dies some seconds after each start, and the platform starts it again, ten times at most.",
        _loop,
        _end_loop,
        GROUP,
    ),
    Fault(
        OTHER_PROJECT,
        "The app reads and writes another Supabase project, with the same tables and without our rows.",
        read_another_project,
        read_our_project,
        GROUP,
    ),
)
