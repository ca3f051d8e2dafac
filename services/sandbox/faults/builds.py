"""Faults of what is deployed, whichever app it is: a package of the pushed build, a key among its variables."""

from __future__ import annotations

from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.faults.made_of import in_variable
from services.sandbox.hosting_push import head, push, push_what_cannot_start

GROUP = "Builds"
SERVICE_KEY_VARIABLE = "SUPABASE_SERVICE_ROLE_KEY"


async def _push_without_dependency(world: FaultyWorld) -> None:
    """The pushed commit loses its first requirement; the build before serves, and a new push fails."""
    hosting, twin = world.hosting, world.twin
    commit = head(hosting, twin)
    package = twin.build(commit).requires[0]
    if not hosting.images.forgets(commit, package):
        hosting.images.forget(commit, package)
        await push_what_cannot_start(hosting, twin)


async def _push_with_dependency(world: FaultyWorld) -> None:
    """The requirement is back, and what is pushed is deployed once more: it comes up if it did before."""
    hosting, twin = world.hosting, world.twin
    lacking = [one for one in twin.builds if one.requires and hosting.images.forgets(one.commit, one.requires[0])]
    for build in lacking:
        hosting.images.recall(build.commit, build.requires[0])
    if lacking:
        await push(hosting, twin)


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
