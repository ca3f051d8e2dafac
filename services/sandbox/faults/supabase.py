"""Faults of Supabase: the project, its keys, its Data API and Auth, and the Management API."""

from __future__ import annotations

from services.sandbox.disturbance import Cut, Disturbance, Effect, Hang, Reply
from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.faults.database import undisturbed
from services.sandbox.faults.grants import grant_again, revoke
from services.sandbox.faults.made_of import in_door
from services.sandbox.postgrest import MAX_ROWS
from services.sandbox.supabase_state import BackupTrouble

GROUP = "Supabase"
REST = "/rest/v1"
AUTH = "/auth/v1"
MANAGEMENT = "/v1/projects"
FEW_ROWS = 3


def _door(fault_id: str, what: str, effect: Effect, path: str) -> Fault:
    return in_door("supabase", GROUP, fault_id, what, Disturbance(effect, paths=(path,)))


async def _pause(world: FaultyWorld) -> None:
    world.supabase.paused = True


async def _wake(world: FaultyWorld) -> None:
    world.supabase.paused = False


def _backups(trouble: BackupTrouble, what: str) -> Fault:
    fault_id = f"backup-{trouble}"

    async def apply(world: FaultyWorld) -> None:
        world.supabase.backups[fault_id] = trouble

    async def undo(world: FaultyWorld) -> None:
        world.supabase.backups.pop(fault_id, None)

    return Fault(fault_id, what, apply, undo, GROUP)


async def _fall_ill(world: FaultyWorld) -> None:
    world.supabase.unhealthy["supabase-service-unhealthy"] = "storage"


async def _recover(world: FaultyWorld) -> None:
    world.supabase.unhealthy.pop("supabase-service-unhealthy", None)


async def _forget_release(world: FaultyWorld) -> None:
    """REST answers for each relation of the release as it does for one that is not in its cache."""
    for name in world.twin.released_relations():
        reply = Reply.json(
            404,
            {
                "code": "PGRST205",
                "details": None,
                "hint": None,
                "message": f"Could not find the table 'public.{name}' in the schema cache",
            },
        )
        disturbance = Disturbance(reply, paths=(f"{REST}/{name}",))
        world.doors["supabase"].add(f"schema-cache-stale/{name}", disturbance)


async def _learn_release(world: FaultyWorld) -> None:
    for name in world.twin.released_relations():
        world.doors["supabase"].remove(f"schema-cache-stale/{name}")


def _rejected(fault_id: str, what: str, *which: str) -> Fault:
    """Service keys that the gateway no longer takes. which: the names of the keys in `Keys`."""

    async def apply(world: FaultyWorld) -> None:
        for name in which:
            world.supabase.rejected[f"{fault_id}/{name}"] = getattr(world.keys, name)

    async def undo(world: FaultyWorld) -> None:
        for name in which:
            world.supabase.rejected.pop(f"{fault_id}/{name}", None)

    return Fault(fault_id, what, apply, undo, GROUP)


async def _start_rest_again(world: FaultyWorld) -> None:
    """REST reads the schema at its start, for which no table may be locked."""
    async with undisturbed(world):
        await world.restart_rest()


async def _cap_rows(world: FaultyWorld) -> None:
    if world.supabase.max_rows != FEW_ROWS:
        world.supabase.max_rows = FEW_ROWS
        await _start_rest_again(world)


async def _uncap_rows(world: FaultyWorld) -> None:
    if world.supabase.max_rows == FEW_ROWS:
        world.supabase.max_rows = MAX_ROWS
        await _start_rest_again(world)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "supabase-paused",
        "The Supabase project is paused: REST and Auth answer 540, the Management API says INACTIVE.",
        _pause,
        _wake,
        GROUP,
    ),
    _rejected(
        "supabase-key-rejected",
        "Supabase no longer takes the service keys, the app's nor ours: REST answers 401.",
        "service_key",
        "ops_service_key",
    ),
    _rejected(
        "supabase-app-key-rejected",
        "Supabase no longer takes the app's service key (401); ours is good.",
        "service_key",
    ),
    _rejected(
        "supabase-our-key-rejected",
        "Supabase no longer takes our service key (401); the app's is good.",
        "ops_service_key",
    ),
    _door("supabase-rest-timeout", "Supabase's REST accepts calls and never answers them.", Hang(), REST),
    _door(
        "supabase-rest-error",
        "Supabase's REST answers 503: it cannot read the schema.",
        Reply.json(
            503,
            {
                "code": "PGRST002",
                "details": None,
                "hint": None,
                "message": "Could not query the database for the schema cache. Retrying.",
            },
            retry_after="5",
        ),
        REST,
    ),
    _door("supabase-rest-web-page", "Supabase's REST answers with a web page and the status 200.", Reply.page(), REST),
    _door("supabase-rest-broken-json", "The JSON of Supabase's REST ends in the middle.", Cut(), REST),
    _door(
        "supabase-rest-rate-limited",
        "Supabase's REST answers every call with 429.",
        Reply.json(429, {"message": "API rate limit exceeded"}, retry_after="30"),
        REST,
    ),
    _door(
        "supabase-auth-down",
        "Supabase Auth answers 503: nobody can sign in.",
        Reply.json(503, {"message": "name resolution failed"}),
        AUTH,
    ),
    Fault(
        "row-cap",
        f"Supabase's REST cuts every answer at {FEW_ROWS} rows, and says so only in a header.",
        _cap_rows,
        _uncap_rows,
        GROUP,
    ),
    Fault(
        "grants-missing",
        "The service key has no right on the release's tables and views: REST answers 403 with 42501.",
        revoke,
        grant_again,
        GROUP,
    ),
    Fault(
        "schema-cache-stale",
        "REST does not know the release's tables and views: it answers 404 with PGRST205, though they are there.",
        _forget_release,
        _learn_release,
        GROUP,
    ),
    _backups("missing", "There is no backup of the project."),
    _backups("old", "The newest backup is more than a week old."),
    _backups("failed", "Every backup of the last week has failed."),
    Fault(
        "supabase-service-unhealthy",
        "The Management API says that one of the project's services, storage, is not healthy.",
        _fall_ill,
        _recover,
        GROUP,
    ),
    _door(
        "management-token-rejected",
        "The Management API no longer takes our access token: it answers 401.",
        Reply.json(401, {"message": "Unauthorized"}),
        MANAGEMENT,
    ),
    _door(
        "management-forbidden",
        "Our access token lacks the permissions for the project: the Management API answers 403 and names them.",
        Reply.json(
            403,
            {
                "message": "Your access token does not have the permissions for this.",
                "missing_permissions": ["project_admin_read", "backups_read", "advisors_read", "analytics_logs_read"],
            },
        ),
        MANAGEMENT,
    ),
    _door("management-timeout", "The Management API accepts calls and never answers them.", Hang(), MANAGEMENT),
    _door(
        "management-rate-limited",
        "The Management API answers every call with 429 for the rest of the minute.",
        Reply.json(
            429,
            {"message": "ThrottlerException: Too Many Requests"},
            retry_after="40",
            x_ratelimit_limit="120",
            x_ratelimit_remaining="0",
            x_ratelimit_reset="40",
        ),
        MANAGEMENT,
    ),
    _door(
        "management-web-page",
        "The Management API answers with a web page and the status 200.",
        Reply.page(),
        MANAGEMENT,
    ),
)
