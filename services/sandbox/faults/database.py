"""Faults of the database server: down, hanging, read-only, full, locked, closed to our login.

They go together: each is made again after another has had the server stopped, started or woken up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import psycopg
from psycopg import sql

from services.sandbox.fault import Change, Fault, FaultyWorld, Held
from services.sandbox.faults.database_held import LockedTable, StoppedServer, TakenConnections, superuser
from services.sandbox.hosting_push import settle
from services.sandbox.postgres import READ_ONLY, Cluster

GROUP = "Database"
HANGS = "database-hangs"
LOCKED = "table-locked"
EXHAUSTED = "connections-exhausted"
OTHER_PASSWORD = "rotated-by-somebody-else"

# In the order in which they can be taken: nothing is to be had of a server that hangs.
_TAKE: Mapping[str, Callable[[Cluster], Awaitable[Held]]] = {
    LOCKED: LockedTable.take,
    EXHAUSTED: TakenConnections.take,
    HANGS: StoppedServer.take,
}


async def let_go(world: FaultyWorld, *fault_ids: str) -> None:
    """Give back what is held of the database; what is broken stays broken, see `take_again`."""
    for fault_id in fault_ids:
        held = world.held.pop(fault_id, None)
        if held is not None:
            await held.let_go()


async def take_again(world: FaultyWorld) -> None:
    """Hold what the faults in effect hold, as far as there is a running server to hold it of."""
    if not world.cluster.server.running():
        return
    for fault_id, take in _TAKE.items():
        if fault_id in world.kept and fault_id not in world.held:
            world.held[fault_id] = await take(world.cluster)


@asynccontextmanager
async def undisturbed(world: FaultyWorld) -> AsyncIterator[Cluster]:
    """While the block runs the database answers and nothing is locked, whatever is broken in it before and after."""
    down = not world.cluster.server.running()
    if down:
        await world.start_database()
    await let_go(world, HANGS, LOCKED, EXHAUSTED)
    try:
        yield world.cluster
    finally:
        if down:
            await world.stop_database()
        await take_again(world)


async def change(
    world: FaultyWorld, what: Callable[[psycopg.Connection], None], *, of_the_schema: bool = False
) -> None:
    """Let a function work on the app's database as the superuser, in one transaction.

    of_the_schema: REST knows what is changed from its reading of the schema. It would read it anew on its own time,
    going by the old one meanwhile: it is started again
    """

    def work(cluster: Cluster) -> None:
        with superuser(cluster) as conn, conn.transaction():
            what(conn)

    async with undisturbed(world) as cluster:
        await asyncio.to_thread(work, cluster)
        if of_the_schema:
            await world.restart_rest()


async def _stop_database(world: FaultyWorld) -> None:
    await let_go(world, HANGS, LOCKED, EXHAUSTED)
    await world.stop_database()


async def _start_database(world: FaultyWorld) -> None:
    await world.start_database()
    await take_again(world)
    await settle(world.hosting, world.twin)


def _holding(fault_id: str, what: str) -> Fault:
    async def apply(world: FaultyWorld) -> None:
        world.kept[fault_id] = True
        world.keep()
        # A server that hangs or is full gives nothing away: it gets air, and is made so again after.
        await let_go(world, HANGS, EXHAUSTED)
        await take_again(world)

    async def undo(world: FaultyWorld) -> None:
        if world.kept.pop(fault_id, None) is None:
            return
        await let_go(world, HANGS, EXHAUSTED, fault_id)
        await take_again(world)
        await settle(world.hosting, world.twin)

    return Fault(fault_id, what, apply, undo, GROUP)


def _in_server(
    fault_id: str, what: str, broken: Callable[[bool], Callable[[FaultyWorld, Cluster], None]], *, in_rest: bool = False
) -> Fault:
    """A fault that is a setting of the server; broken(True) makes it, broken(False) takes it back.

    in_rest: REST reads the setting at its start
    """

    def doing(wrong: bool) -> Change:
        async def do(world: FaultyWorld) -> None:
            async with undisturbed(world) as cluster:
                await asyncio.to_thread(broken(wrong), world, cluster)
                if in_rest:
                    await world.restart_rest()
            if not wrong:
                await settle(world.hosting, world.twin)

        return do

    return Fault(fault_id, what, doing(True), doing(False), GROUP)


def _read_only(wrong: bool) -> Callable[[FaultyWorld, Cluster], None]:
    setting = "SET default_transaction_read_only = on" if wrong else "RESET default_transaction_read_only"

    def do(_world: FaultyWorld, cluster: Cluster) -> None:
        with superuser(cluster) as conn:
            conn.execute(f"ALTER SYSTEM {setting}".encode())
            conn.execute("SELECT pg_reload_conf()")
            for statement in _REST_READS_ONLY if wrong else _REST_WRITES:
                conn.execute(statement)
        _until_settings_are_read(cluster, "on" if wrong else "off")

    return do


# PostgREST asks for a transaction that may write, in so many words, which overrules the server's default. A project
# whose disk is full lets nobody write: so its transactions are made read-only as they begin.
_REST_READS_ONLY = (
    b"CREATE OR REPLACE FUNCTION extensions.refuse_writes() RETURNS void LANGUAGE sql"
    b" AS $$ SELECT set_config('transaction_read_only', 'on', true) $$",
    b"ALTER ROLE authenticator IN DATABASE postgres SET pgrst.db_pre_request = 'extensions.refuse_writes'",
)
_REST_WRITES = (
    b"ALTER ROLE authenticator IN DATABASE postgres RESET pgrst.db_pre_request",
    b"DROP FUNCTION IF EXISTS extensions.refuse_writes()",
)


def _until_settings_are_read(cluster: Cluster, wanted: str) -> None:
    """The server reads its settings on its own time; a session that begins then has the new one."""
    while True:
        with psycopg.connect(cluster.server.dsn(cluster.database), autocommit=True) as conn:
            row = conn.execute("SHOW default_transaction_read_only").fetchone()
            if row == (wanted,):
                return


def _login(wrong: bool) -> Callable[[FaultyWorld, Cluster], None]:
    def do(world: FaultyWorld, cluster: Cluster) -> None:
        password = OTHER_PASSWORD if wrong else world.keys.passwords[READ_ONLY]
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(READ_ONLY), sql.Literal(password))
        with superuser(cluster) as conn:
            conn.execute(statement)

    return do


FAULTS: tuple[Fault, ...] = (
    Fault(
        "database-down",
        "The database server is stopped: whatever needs rows fails.",
        _stop_database,
        _start_database,
        GROUP,
    ),
    _holding(HANGS, "The database server accepts connections and answers nothing: its processes are stopped."),
    _in_server(
        "database-read-only",
        "The database takes no writes (25006), as when the disk is full; everything can be read.",
        _read_only,
        in_rest=True,
    ),
    _holding(EXHAUSTED, "Every connection of the database is taken: whoever wants a new one is refused (53300)."),
    _holding(LOCKED, "A session holds an exclusive lock on the app's largest table and does not end."),
    _in_server(
        "our-database-login-rejected",
        "The password of our read-only role was changed: our login is rejected; the app's ways are open.",
        _login,
    ),
)
