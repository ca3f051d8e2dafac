"""Faults of the AI account, the pushed build, its variables, the front door and the database server."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.hosting import Hosting

SERVICE_KEY_VARIABLE = "SUPABASE_SERVICE_ROLE_KEY"
MODEL_VARIABLE = "OPENAI_MODEL"


_newest_before: WeakKeyDictionary[Hosting, str] = WeakKeyDictionary()


async def _use_up_quota(world: FaultyWorld) -> None:
    world.openai.has_quota = False


async def _give_quota(world: FaultyWorld) -> None:
    world.openai.has_quota = True


async def _revoke_key(world: FaultyWorld) -> None:
    world.openai.keys_revoked = True


async def _accept_key(world: FaultyWorld) -> None:
    world.openai.keys_revoked = False


async def _retire_model(world: FaultyWorld) -> None:
    world.openai.retire(world.hosting.variables[MODEL_VARIABLE])


async def _reinstate_model(world: FaultyWorld) -> None:
    world.openai.reinstate(world.hosting.variables[MODEL_VARIABLE])


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


async def _take_service_key(world: FaultyWorld) -> None:
    if world.hosting.variables.pop(SERVICE_KEY_VARIABLE, None) is not None:
        await _deploy_variables(world)


async def _return_service_key(world: FaultyWorld) -> None:
    hosting = world.hosting
    if SERVICE_KEY_VARIABLE not in hosting.variables and SERVICE_KEY_VARIABLE in hosting.first_variables:
        hosting.variables[SERVICE_KEY_VARIABLE] = hosting.first_variables[SERVICE_KEY_VARIABLE]
        await _deploy_variables(world)


async def _deploy_variables(world: FaultyWorld) -> None:
    """The build that reads the variable is deployed again where it serves; otherwise it will read it when it comes."""
    active = world.hosting.active
    if active is not None and active.build.commit == world.twin.pushed:
        await world.hosting.rest()
        world.hosting.redeploy(active.id)
        await world.hosting.rest()


async def _hang(world: FaultyWorld) -> None:
    world.hosting.edge.hang()


async def _release(world: FaultyWorld) -> None:
    world.hosting.edge.release()


async def _stop_database(world: FaultyWorld) -> None:
    await world.stop_database()


async def _start_database(world: FaultyWorld) -> None:
    await world.start_database()


FAULTS = (
    Fault(
        "openai-no-quota",
        "The OpenAI account has no quota left: completions answer 429, the model list still answers.",
        _use_up_quota,
        _give_quota,
    ),
    Fault(
        "openai-bad-key",
        "The OpenAI key is no longer valid: every call answers 401.",
        _revoke_key,
        _accept_key,
    ),
    Fault(
        "openai-model-retired",
        "The model that the app asks for has been shut down: it answers 404, with a key that is good.",
        _retire_model,
        _reinstate_model,
    ),
    Fault(
        "missing-dependency",
        "A package is missing from the newest build: its deployment fails with an ImportError, the old build serves.",
        _push_without_dependency,
        _push_with_dependency,
    ),
    Fault(
        "rls-blocks-backend",
        "The variable with the service key is gone: the newest build falls back to the anon key and sees no rows.",
        _take_service_key,
        _return_service_key,
    ),
    Fault(
        "api-timeout",
        "The app's address accepts requests and never answers them.",
        _hang,
        _release,
    ),
    Fault(
        "database-down",
        "The database server is stopped: whatever needs rows fails.",
        _stop_database,
        _start_database,
    ),
)
