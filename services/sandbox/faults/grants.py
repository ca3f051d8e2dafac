"""Takes the service role's rights on the release's tables and views away, and gives back exactly those."""

from __future__ import annotations

import asyncio
from typing import Any

from psycopg import sql

from services.errors import Refused
from services.sandbox.fault import FaultyWorld
from services.sandbox.faults.database import undisturbed
from services.sandbox.faults.database_held import superuser
from services.sandbox.postgres import Cluster

FAULT = "grants-missing"
_ROLE = sql.Identifier("service_role")

# What the role was granted: the relation by its number, which stays when it is moved, and by its name.
_GRANTED = """
    SELECT c.oid::bigint, c.relname, x.privilege_type
    FROM pg_class c, aclexplode(c.relacl) x
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s)
      AND x.grantee = 'service_role'::regrole
    ORDER BY 1, 3
"""
# Where it is now: itself where it still is, else what bears its name.
_PLACE = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = %(number)s::oid OR (n.nspname = 'public' AND c.relname = %(name)s)
    ORDER BY c.oid = %(number)s::oid DESC LIMIT 1
"""


async def revoke(world: FaultyWorld) -> None:
    """Raises Refused where the world has none of them."""
    names = list(world.twin.released_relations())
    async with undisturbed(world) as cluster:
        if FAULT not in world.kept:
            granted = await asyncio.to_thread(_granted, cluster, names)
            if not granted:
                raise Refused(
                    "This world has no tables of the release that the service role may read.",
                    f"'{FAULT}' has nothing to break here.",
                    "Deploy the release first.",
                    place=FAULT,
                )
            world.kept[FAULT] = granted
            world.keep()
        await asyncio.to_thread(_change, cluster, world.kept[FAULT], "REVOKE {} ON {} FROM {}")


async def grant_again(world: FaultyWorld) -> None:
    if FAULT in world.kept:
        async with undisturbed(world) as cluster:
            await asyncio.to_thread(_change, cluster, world.kept[FAULT], "GRANT {} ON {} TO {}")
        del world.kept[FAULT]
        world.keep()


def _granted(cluster: Cluster, names: list[str]) -> list[list[Any]]:
    with superuser(cluster) as conn:
        return [list(row) for row in conn.execute(_GRANTED, [names])]


def _change(cluster: Cluster, granted: list[list[Any]], statement: str) -> None:
    """One transaction; what is not there any more is left out."""
    with superuser(cluster) as conn, conn.transaction():
        for number, name, privilege in granted:
            place = conn.execute(_PLACE, {"number": number, "name": name}).fetchone()
            if place is not None:
                relation = sql.Identifier(*place)
                conn.execute(sql.SQL(statement).format(sql.SQL(privilege), relation, _ROLE))
