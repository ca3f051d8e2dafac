"""Another Supabase project with the same tables and nobody's rows, which the app uses in place of its own."""

from __future__ import annotations

import asyncio
import socket
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import sql
from starlette.applications import Starlette
from starlette.routing import Mount

from services.sandbox.fault import FaultyWorld
from services.sandbox.faults.database import undisturbed
from services.sandbox.faults.database_held import superuser
from services.sandbox.hosting_push import require_served
from services.sandbox.postgres import Cluster
from services.sandbox.serving import ADDRESS, Serving
from services.sandbox.supabase_rest import rest_endpoint
from services.sandbox.supabase_state import SupabaseState

FAULT = "app-on-other-database"
DATABASE = "other_project"
VARIABLE = "SUPABASE_URL"


class OtherProject:
    """Its REST, served at an address of its own; its database is one more in the same server."""

    def __init__(self, world: FaultyWorld) -> None:
        listening = socket.socket()
        listening.bind((ADDRESS, 0))
        listening.listen(64)
        self.url = f"http://{ADDRESS}:{listening.getsockname()[1]}"
        self._state = SupabaseState(
            keys=world.keys,
            url=self.url,
            cluster=lambda: _cluster(world),
            rest_url=None,
            now=world.hosting.clock,
        )
        self._serving = Serving(Starlette(routes=[Mount("/rest/v1", app=rest_endpoint(self._state))]), listening)

    async def let_go(self) -> None:
        await self._serving.close()
        await self._state.close()


def _cluster(world: FaultyWorld) -> Cluster:
    return Cluster(world.cluster.server, world.keys.passwords, DATABASE)


def _schema(conn: psycopg.Connection, _anchor: datetime, _seed: int) -> None:
    conn.execute(Path(__file__).with_name("schema.sql").read_bytes())


def _released(cluster: Cluster) -> bool:
    with superuser(cluster) as conn:
        row = conn.execute("SELECT to_regclass('public.user_tier_limits') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _make(world: FaultyWorld, cluster: Cluster) -> None:
    other = _cluster(world)
    other.fill(_schema, world.hosting.clock(), 0)
    if _released(cluster):
        other.apply(sorted((world.twin.release / "deploy").glob("*.sql")))


def _drop(cluster: Cluster) -> None:
    with superuser(cluster) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))


async def read_another_project(world: FaultyWorld) -> None:
    """The app's variable names another project; the app is deployed with it. Raises Refused as `require_served`."""
    require_served(world.hosting, world.twin, FAULT)
    if FAULT in world.held:
        return
    async with undisturbed(world) as cluster:
        await asyncio.to_thread(_make, world, cluster)
    other = OtherProject(world)
    world.held[FAULT] = other
    await world.variables.add(FAULT, VARIABLE, other.url)


async def read_our_project(world: FaultyWorld) -> None:
    await world.variables.remove(FAULT)
    held = world.held.pop(FAULT, None)
    if held is not None:
        await held.let_go()
        async with undisturbed(world) as cluster:
            await asyncio.to_thread(_drop, cluster)
