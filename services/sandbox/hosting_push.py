"""What is pushed just now, and its deployment: the one place from which faults of builds and variables compose.

What a build will be like is kept in `hosting.images` (defects, missing packages), `hosting.variables` and
`hosting.pinned`; every change of these is followed by a push of the whole, so faults may come and go in any order.
"""

from __future__ import annotations

from services.errors import Refused
from services.sandbox.deployment import Deployment, Status
from services.sandbox.hosting import Hosting
from services.sandbox.twin_definition import Twin


def head(hosting: Hosting, twin: Twin) -> str:
    """The commit that is pushed: the newest that was ever deployed, leaving out the build before the release."""
    known = {one.build.commit for one in hosting.deployments} - {twin.serving_before}
    return next((commit for commit in reversed(hosting.builds) if commit in known), twin.pushed)


async def push(hosting: Hosting, twin: Twin, commit: str | None = None) -> Deployment:
    """Deploy a commit, by default what was pinned or is pushed, and wait until that has ended, well or not.

    The troubles that were made for whatever serves are made again.
    """
    one = hosting.deploy_commit(commit or hosting.pinned or head(hosting, twin))
    await hosting.rest()
    fails_for_now = one.status is Status.FAILED and _has_served(hosting, one.build.commit)
    hosting.unsettled = one.id if fails_for_now else None
    await make_troubles(hosting)
    return one


async def make_troubles(hosting: Hosting) -> None:
    """Make the troubles again for what serves now."""
    for trouble in list(hosting.troubles.values()):
        trouble()
    await hosting.rest()


def _has_served(hosting: Hosting, commit: str) -> bool:
    return any(one.was_healthy for one in hosting.deployments if one.build.commit == commit)


def require_served(hosting: Hosting, twin: Twin, fault_id: str) -> None:
    """Raises Refused where the pushed build never came up: what is wrong in it would be seen by nobody."""
    if not _has_served(hosting, head(hosting, twin)):
        raise Refused(
            "The newest build has not served in this world yet.",
            f"'{fault_id}' is a fault of that build, so there is nothing to break.",
            "Start the world `after`, or deploy the release first.",
            place=fault_id,
        )


async def settle(hosting: Hosting, twin: Twin) -> None:
    """Push again where the last push failed: what was in its way may be gone now."""
    if hosting.deployments and hosting.deployments[-1].id == hosting.unsettled:
        await push(hosting, twin)


async def spoil(hosting: Hosting, twin: Twin, defect: str) -> None:
    """Push the commit with one more defect; it serves, in its wrong way. Raises Refused as `require_served`."""
    require_served(hosting, twin, defect)
    commit = head(hosting, twin)
    if defect in hosting.images.defects(commit):
        return
    hosting.images.spoil(commit, defect)
    if hosting.pinned is None:
        await push(hosting, twin)


async def mend(hosting: Hosting, twin: Twin, defect: str) -> None:
    """Push the commit without the defect; nothing happens where no commit has it."""
    if hosting.images.mend(defect):
        await push(hosting, twin)


async def leave_to_old(hosting: Hosting, twin: Twin) -> None:
    """Let the build before the release serve, as it does while what is pushed does not come up."""
    if hosting.active is None or hosting.active.build.commit != twin.serving_before:
        hosting.deploy_commit(twin.serving_before)
        await hosting.rest()


async def push_what_cannot_start(hosting: Hosting, twin: Twin) -> None:
    """Push what is known not to come up; the build before the release serves."""
    await leave_to_old(hosting, twin)
    pinned, hosting.pinned = hosting.pinned, None
    await push(hosting, twin)
    hosting.pinned, hosting.unsettled = pinned, None
