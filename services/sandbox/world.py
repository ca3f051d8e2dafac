"""The embedded world: a database, its REST and Auth, a hosting platform with the app on it, an AI service; one process.

Everything it starts hangs on a pipe to this process and goes with it. What must survive a restart is in the cluster
and in state.json; ports and keys stay the same, so that a restart changes no address.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from services.database.server import THROW_AWAY, Server
from services.errors import OpsError
from services.sandbox.keys import load_keys
from services.sandbox.postgres import AUTHENTICATOR, OWNER, SANDBOX_OPTIONS, Cluster
from services.sandbox.postgrest import PostgRest, find_postgrest
from services.sandbox.serving import Ports, Serving
from services.sandbox.twin_definition import Twin, WorldAddresses
from services.sandbox.world_faults import WorldFaults
from services.sandbox.world_memory import Kind, forget, read_memory, recalled, write_memory

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from services.sandbox.disturbance import Door
    from services.sandbox.fault import Held
    from services.sandbox.hosting import Hosting
    from services.sandbox.openai_state import OpenAIState
    from services.sandbox.railway import RailwayState
    from services.sandbox.status_pages import StatusPages
    from services.sandbox.supabase_state import SupabaseState
    from services.sandbox.variable_overrides import VariableOverrides

__all__ = ["SEED", "Kind", "World", "utc_now"]

log = structlog.get_logger("sandbox")

SEED = 20_261
BEHIND_DOORS = ("app", "supabase", "openai", "railway", "status")
SERVED = (*BEHIND_DOORS, "control")
BOUND = ("database", "rest")
_LOOK_EVERY_S = 0.5


def utc_now() -> datetime:
    return datetime.now(UTC)


class World:
    """One running world. home: the sandbox's own folder; root: where .venv is; ports: ports somebody insists on;
    control: makes the app by which the world is controlled.

    Use from one event loop: start, then what you like, then close. Operations that change it wait for each other.
    """

    hosting: Hosting
    openai: OpenAIState
    supabase: SupabaseState
    railway: RailwayState
    status: StatusPages
    variables: VariableOverrides
    cluster: Cluster

    def __init__(
        self,
        home: Path,
        twin: Twin,
        *,
        root: Path,
        environ: Mapping[str, str],
        ports: Mapping[str, int] | None = None,
        clock: Callable[[], datetime] = utc_now,
        control: Callable[[World], ASGIApp],
    ) -> None:
        self.home = home
        self.twin = twin
        self.clock = clock
        self._control = control
        self.keys = load_keys(home / "keys.json", clock())
        self.changing = asyncio.Lock()
        self.stop_asked = asyncio.Event()
        self._faults = WorldFaults(self)
        self.kept: dict[str, Any] = {}
        self.held: dict[str, Held] = {}
        self.doors: Mapping[str, Door] = {}
        self.kind: Kind = "before"
        self.database_wanted = False
        self._postgrest_program = find_postgrest(root, environ)
        self.ports = Ports(home / "ports.json", (*SERVED, *BOUND), ports or {})
        self._postgrest: PostgRest | None = None
        self._rest_has_schema = True
        self._server: Server | None = None
        self._control_serving: Serving | None = None
        self._opening: asyncio.Task[bool] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def broken(self) -> set[str]:
        """The ids of what is broken."""
        return self._faults.broken

    @property
    def addresses(self) -> WorldAddresses:
        return WorldAddresses(
            app_url=self.ports.url("app"),
            database_url=self.cluster.dsn(OWNER),
            supabase_url=self.ports.url("supabase"),
            supabase_anon_key=self.keys.anon_key,
            supabase_service_key=self.keys.service_key,
            supabase_jwt_secret=self.keys.jwt_secret,
            openai_url=f"{self.ports.url('openai')}/v1",
            openai_key=self.keys.openai_key,
            railway_url=self.ports.url("railway"),
        )

    async def start(self, kind: Kind | None) -> None:
        """Start every part. kind: a fresh world of that kind; None = go on with what is there, else `before`."""
        memory = read_memory(self.home, self.twin.app) if kind is None else None
        opening = asyncio.to_thread(self._open_database, memory is None, kind or "before")
        self._opening = asyncio.create_task(opening)
        await asyncio.sleep(0)
        self._import_parts()
        # Shielded: a thread cannot be cancelled, and close() has to know the server that it starts.
        kept = await asyncio.shield(self._opening)
        self.kind = memory["world"] if memory and kept else kind or "before"
        self._make_parts()
        await self._start_rest()
        await self._open_doors()
        if memory and kept and await recalled(self.hosting, memory["hosting"]):
            self.kept = memory.get("kept", {})
            async with self.changing:
                await self._faults.apply_again(memory.get("broken", ()))
        else:
            await self.hosting.start(self._commits())
        self.keep()
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Stop every part; the data stays. Closing twice is no error."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self.keep()
            self._keeper = None
        if self._opening is not None:
            await asyncio.wait({self._opening})
        for held in list(self.held.values()):
            await held.let_go()
        self.held.clear()
        # First the doors: a build that waits for an answer behind one would not end before it has given up.
        await asyncio.gather(*(door.close() for door in self.doors.values()))
        if self._control_serving is not None:
            await self._control_serving.close()
            self._control_serving = None
        if hasattr(self, "hosting"):
            await self.hosting.close()
        if hasattr(self, "supabase"):
            await self.supabase.close()
        await self._stop_rest()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop, "fast")
        self.ports.close()

    async def reset(self, kind: Kind | None = None) -> None:
        """Put everything back: rows and schema, deployments, faults. kind: default the kind it has."""
        async with self.changing:
            self.kind = kind or self.kind
            await self._faults.undo_all()
            forget(self.home)
            await self.hosting.close()
            await self._stop_rest()
            await asyncio.to_thread(self._open_database, True, self.kind)
            self._reset_parts()
            await self._start_rest()
            await self.hosting.reset(self._commits())
            self.keep()

    def faults(self) -> list[dict[str, Any]]:
        """Every fault there is: {"id", "what", "group", "active"}."""
        return self._faults.told()

    async def break_fault(self, fault_id: str) -> None:
        """Make a fault and return when its effect is visible. Raises NotUnderstood for an unknown one."""
        fault = self._faults.find(fault_id)
        async with self.changing:
            await self._faults.apply(fault)

    async def repair(self, fault_id: str | None = None) -> None:
        """Undo a fault, or all of them, and return when that is visible. What is not broken stays as it is."""
        wanted = [self._faults.find(fault_id)] if fault_id else self._faults.active()
        async with self.changing:
            for fault in wanted:
                await self._faults.undo(fault)

    async def stop_database(self) -> None:
        """Take the database away, as a project that has gone down; REST stays and says so."""
        self.database_wanted = False
        if self._server is not None:
            await asyncio.to_thread(self._server.stop, "fast")

    async def start_database(self) -> None:
        """Bring the database back, and REST with it: it would wait up to half a minute before it looked again."""
        await asyncio.to_thread(self._open_database, False, self.kind)
        await self.restart_rest()

    async def settle(self) -> None:
        """After a change: what could not be done because something was broken is done where that is mended now."""
        from services.sandbox.hosting_push import settle

        if not self._rest_has_schema and await asyncio.to_thread(self.cluster.answers, AUTHENTICATOR):
            await self.restart_rest()
        await settle(self.hosting, self.twin)
        await self.variables.catch_up()

    async def restart_rest(self) -> None:
        """Start REST again with the row cap that it has now; returns when it answers, if only to say 503."""
        await self._stop_rest()
        if self.database_wanted:
            await self._start_rest()

    # -- the database and REST ---------------------------------------------------------------------------------

    def _open_database(self, fresh: bool, kind: Kind) -> bool:
        """Start the server where it is not running and see that the app's database is there.

        Returns True where its rows were kept, False where they are new. Blocking.
        """
        if self._server is None or not self._server.running():
            port = self.ports.numbers["database"]
            if self._server is None:
                self.ports.release("database")
            else:
                self._server.stop()  # it has ended already; this gives its lock back
            options = {**THROW_AWAY, **SANDBOX_OPTIONS}
            self._server = Server.start(self.home / "postgres", port=port, options=options)
            self.cluster = Cluster(self._server, self.keys.passwords)
            self.cluster.prepare()
        self.database_wanted = True
        if not fresh and self.cluster.has_database():
            self._add_missing_accounts()
            return True
        anchor = self.clock()
        self.cluster.fill(self.twin.seed, anchor, SEED)
        self.cluster.add_accounts(self.keys.accounts, self.keys.made)
        if kind == "after":
            self.cluster.apply(sorted((self.twin.release / "deploy").glob("*.sql")))
            if self.twin.usage is not None:
                with psycopg.connect(self.cluster.dsn(OWNER)) as conn:
                    self.twin.usage(conn, anchor, SEED)
        return False

    def _add_missing_accounts(self) -> None:
        """A home made by an earlier version has fewer of them. The app's own sign-up may be broken: then they wait."""
        try:
            self.cluster.add_accounts(self.keys.accounts, self.keys.made)
        except psycopg.Error as error:
            log.warning("an account was not added", sqlstate=error.sqlstate)

    async def _start_rest(self) -> None:
        if self._postgrest_program is None:
            return
        with contextlib.suppress(KeyError):
            self.ports.release("rest")
        self._postgrest = PostgRest(
            self._postgrest_program,
            port=self.ports.numbers["rest"],
            database=self.cluster.dsn(AUTHENTICATOR),
            jwt_secret=self.keys.jwt_secret,
            log=self.home / "postgrest.log",
            max_rows=self.supabase.max_rows,
        )
        # A database that does not answer now keeps the schema from being read: REST starts all the same and says so.
        self._rest_has_schema = await asyncio.to_thread(self.cluster.answers, AUTHENTICATOR)
        await self._postgrest.start(schema=self._rest_has_schema)

    async def _stop_rest(self) -> None:
        rest, self._postgrest = self._postgrest, None
        if rest is not None:
            await rest.stop()

    # -- the parts in this process -----------------------------------------------------------------------------

    @staticmethod
    def _import_parts() -> None:
        """Their libraries take half a second to load; this happens while the database starts."""
        from services.sandbox import hosting, world_doors

        del hosting, world_doors

    def _make_parts(self) -> None:
        from services.sandbox.hosting import Hosting
        from services.sandbox.openai_state import openai_state_of
        from services.sandbox.railway import RailwayState
        from services.sandbox.status_pages import StatusPages
        from services.sandbox.supabase_state import SupabaseState
        from services.sandbox.variable_overrides import VariableOverrides

        shutil.rmtree(self.home / "hosting", ignore_errors=True)
        self.openai = openai_state_of(self.keys, self.clock)
        self.supabase = SupabaseState(
            keys=self.keys,
            url=self.ports.url("supabase"),
            cluster=lambda: self.cluster,
            rest_url=self._rest_url(),
            now=self.clock,
        )
        self.hosting = Hosting(self.twin.builds, self.twin.variables(self.addresses), self.home / "hosting", self.clock)
        self.variables = VariableOverrides(self.hosting, self.twin)
        self.railway = RailwayState.new(self.clock)
        self.status = StatusPages(self.clock)

    def _reset_parts(self) -> None:
        """Mend what a fault has bent in the parts that keep no process."""
        for door in self.doors.values():
            door.clear()
        self.openai.clear()
        self.supabase.mend()
        self.railway.clear()
        self.status.clear()
        self.variables.clear()
        self.kept.clear()
        self._faults.broken.clear()

    async def _open_doors(self) -> None:
        """Serve every part behind its door, and the control without one."""
        from services.sandbox.world_doors import doors_of

        self.doors = doors_of(
            hosting=self.hosting,
            supabase=self.supabase,
            openai=self.openai,
            railway=self.railway,
            status=self.status,
            keys=self.keys,
            service=self.twin.app,
            domain=self.ports.url("app").removeprefix("http://"),
        )
        for name, door in self.doors.items():
            door.open(self.ports.take(name))
        self._control_serving = Serving(self._control(self), self.ports.take("control"))
        await asyncio.gather(*(door.ready() for door in self.doors.values()))

    def _rest_url(self) -> str | None:
        return self.ports.url("rest") if self._postgrest_program else None

    def _commits(self) -> list[str]:
        """What was pushed, in order: the build that served, then the one that was to replace it."""
        return [self.twin.serving_before, self.twin.pushed]

    # -- what survives a restart -------------------------------------------------------------------------------

    def keep(self) -> None:
        """Write down what has to survive a restart: deployments, what is broken, what faults have to know."""
        write_memory(self.home, self.twin.app, self.kind, self.hosting, broken=self.broken, kept=self.kept)

    async def _keep(self) -> None:
        """Note changes of the platform, and start again what has died though nobody took it away."""
        known = self._platform()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            async with self.changing:
                if (seen := self._platform()) != known:
                    self.keep()
                    known = seen
                try:
                    await self._raise_the_dead()
                except OpsError as error:
                    log.warning("part not started again", reason=error.what)

    def _platform(self) -> object:
        """What is worth remembering when it changes; new log lines alone are not."""
        return self.hosting.active, sorted(self.broken), [(one.id, one.status) for one in self.hosting.deployments]

    async def _raise_the_dead(self) -> None:
        if self.database_wanted and self._server is not None and not self._server.running():
            log.warning("the database has died and is started again")
            await self.start_database()
        elif self._postgrest is not None and not self._postgrest.running():
            log.warning("PostgREST has died and is started again")
            await self._stop_rest()
            await self._start_rest()
