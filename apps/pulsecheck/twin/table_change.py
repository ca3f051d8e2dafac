"""How a fault of PulseCheck's tables changes the database and puts it back: to the last grant and the last row.

What has to be known for that is kept with the world. What is dropped is in truth put into a schema that REST does not
serve, from where it comes back as it was; each fault finds its object in either place, so that they go together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import sql

from apps.pulsecheck.twin.table_statements import RELATIONS
from services.errors import Refused
from services.sandbox.fault import Fault, FaultyWorld
from services.sandbox.faults.database import change
from services.sandbox.hosting_push import settle

GROUP = "Database"
PUBLIC = "public"
ASIDE = "dropped_by_mistake"


class Tables:
    """A connection that finds the app's relations in schema public, or among what was put aside."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def schema(self, relation: str) -> str | None:
        row = self.conn.execute(
            "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = %s"
            " AND relnamespace IN (to_regnamespace(%s), to_regnamespace(%s))",
            [relation, PUBLIC, ASIDE],
        ).fetchone()
        return None if row is None else str(row[0])

    def named(self, relation: str) -> sql.Identifier:
        return sql.Identifier(self.schema(relation) or PUBLIC, relation)

    def run(self, statement: str) -> None:
        """Run SQL in which {name} stands for a relation."""
        names = {name: self.named(name) for name in RELATIONS}
        text = sql.SQL(statement).format(**names)
        self.conn.execute(text)

    def value(self, statement: str, *values: object) -> Any:
        row = self.conn.execute(statement.encode(), values or None).fetchone()
        return None if row is None else row[0]


Make = Callable[[Tables], Any]
Mend = Callable[[Tables, Any], None]


def table_fault(
    fault_id: str,
    what: str,
    make: Make,
    mend: Mend,
    *,
    needs: str | None = None,
    in_rest: bool = False,
) -> Fault:
    """A change of the database.

    make:       changes it and returns what `mend` has to know, as JSON can say it
    needs:      a relation of the release without which there is nothing to break
    in_rest:    REST knows what is changed from its reading of the schema
    """

    async def apply(world: FaultyWorld) -> None:
        def work(conn: psycopg.Connection) -> None:
            tables = Tables(conn)
            require(tables, needs, fault_id)
            world.kept[fault_id] = make(tables)

        if fault_id not in world.kept:
            await change(world, work, of_the_schema=in_rest)
            world.keep()

    async def undo(world: FaultyWorld) -> None:
        if fault_id in world.kept:
            known = world.kept[fault_id]
            await change(world, lambda conn: mend(Tables(conn), known), of_the_schema=in_rest)
            del world.kept[fault_id]
            world.keep()
            await settle(world.hosting, world.twin)

    return Fault(fault_id, what, apply, undo, GROUP)


def by_statements(fault_id: str, what: str, wrong: str, right: str, **options: Any) -> Fault:
    """A fault that SQL makes and SQL takes back, with nothing to be known; options: as of `table_fault`."""
    return table_fault(fault_id, what, lambda tables: tables.run(wrong), lambda tables, _: tables.run(right), **options)


def replacement(
    fault_id: str,
    what: str,
    versions: Mapping[str, str],
    read: Callable[[Tables], str],
    *,
    needs: str,
) -> Fault:
    """A function or view of which a wrong version stands in the place of the right one.

    versions: the statements that make the wrong versions, by the id of their fault; the last of those in effect stands
    read:     gives the statement that makes what is there now
    """

    def in_effect(world: FaultyWorld) -> list[str]:
        return [one for one in versions if one in world.kept]

    async def apply(world: FaultyWorld) -> None:
        def work(conn: psycopg.Connection) -> None:
            tables = Tables(conn)
            require(tables, needs, fault_id)
            others = in_effect(world)
            world.kept[fault_id] = world.kept[others[0]] if others else read(tables)
            tables.run(versions[in_effect(world)[-1]])

        if fault_id not in world.kept:
            await change(world, work)
            world.keep()

    async def undo(world: FaultyWorld) -> None:
        if fault_id in world.kept:
            right = world.kept[fault_id]
            others = [one for one in in_effect(world) if one != fault_id]
            await change(world, lambda conn: Tables(conn).run(versions[others[-1]] if others else right))
            del world.kept[fault_id]
            world.keep()
            await settle(world.hosting, world.twin)

    return Fault(fault_id, what, apply, undo, GROUP)


def require(tables: Tables, relation: str | None, fault_id: str) -> None:
    """Raises Refused where the release's relation is not there."""
    if relation is not None and tables.schema(relation) is None:
        raise Refused(
            "In the world `before` there is nothing to break.",
            f"'{fault_id}' is a fault of the release's {relation}, which is not there.",
            "Start the world `after`, or deploy the release first.",
            place=fault_id,
        )
