"""Faults of what is deployed, whichever app it is: a package of the pushed build, a key among its variables."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.faults.made_of import in_variable
from services.sandbox.hosting import Hosting

GROUP = "Builds"
SERVICE_KEY_VARIABLE = "SUPABASE_SERVICE_ROLE_KEY"

_newest_before: WeakKeyDictionary[Hosting, str] = WeakKeyDictionary()


async def _push_without_dependency(world: FaultyWorld) -> None:
    """The pushed commit loses its first requirement; the build before serves, and a new push fails."""
    hosting, twin = world.hosting, world.twin
    package = twin.build(twin.pushed).requires[0]
    if hosting.images.forgets(twin.pushed, package):
        return
    _newest_before[hosting] = hosting.deployments[-1].build.commit
    hosting.images.forget(twin.pushed, package)
    if hosting.active is None or hosting.active.build.commit == twin.pushed:
        await _push(hosting, twin.serving_before)
    await _push(hosting, twin.pushed)


async def _push_with_dependency(world: FaultyWorld) -> None:
    """The requirement is back, and what was the newest commit is pushed once more: it comes up if it did before."""
    hosting, twin = world.hosting, world.twin
    package = twin.build(twin.pushed).requires[0]
    if not hosting.images.forgets(twin.pushed, package):
        return
    hosting.images.recall(twin.pushed, package)
    await _push(hosting, _newest_before.pop(hosting, twin.pushed))


async def _push(hosting: Hosting, commit: str) -> None:
    hosting.deploy_commit(commit)
    await hosting.rest()


FAULTS: tuple[Fault, ...] = (
    Fault(
        "missing-dependency",
        "A package is missing from the newest build: its deployment fails with an ImportError, the old build serves.",
        _push_without_dependency,
        _push_with_dependency,
        GROUP,
    ),
    in_variable(
        GROUP,
        "rls-blocks-backend",
        "The variable with the service key is gone: the newest build falls back to the anon key and sees no rows.",
        SERVICE_KEY_VARIABLE,
        None,
    ),
)
