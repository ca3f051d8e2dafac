"""What a fault holds of the database: its stopped processes, a lock on a table, every connection there is."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
from psycopg import sql

from services.sandbox.faults.frozen import Frozen
from services.sandbox.postgres import OWNER, Cluster

REFILL_S = 0.1
AT_ONCE = 12

_LARGEST = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY reltuples DESC, 1
LIMIT 1
"""


def superuser(cluster: Cluster) -> psycopg.Connection:
    """A connection that may do everything, whatever the server's settings forbid; not in a transaction."""
    options = "-c default_transaction_read_only=off -c lock_timeout=10s -c statement_timeout=0"
    dsn = cluster.server.dsn(cluster.database)
    return psycopg.connect(dsn, autocommit=True, options=options, connect_timeout=10)


class StoppedServer:
    """The postmaster and all its processes, stopped: connections are accepted by the system and never answered."""

    def __init__(self, frozen: Frozen) -> None:
        self._frozen = frozen
        self.pids = tuple(frozen.pids)

    @classmethod
    async def take(cls, cluster: Cluster) -> StoppedServer:
        return cls(await asyncio.to_thread(cls._freeze, cluster))

    @staticmethod
    def _freeze(cluster: Cluster) -> Frozen:
        with superuser(cluster) as conn:

            def others() -> list[int]:
                rows = conn.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
                conn.close()
                return [int(row[0]) for row in rows]

            return Frozen(cluster.server.pid, others)

    async def let_go(self) -> None:
        await asyncio.to_thread(self._frozen.thaw)


class LockedTable:
    """A session that holds ACCESS EXCLUSIVE on the app's largest table, in a transaction that it never ends."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn

    @classmethod
    async def take(cls, cluster: Cluster) -> LockedTable:
        return cls(await asyncio.to_thread(cls._lock, cluster))

    @staticmethod
    def _lock(cluster: Cluster) -> psycopg.Connection:
        conn = psycopg.connect(cluster.dsn(OWNER), application_name="psql", options="-c lock_timeout=20s")
        try:
            row = conn.execute(_LARGEST).fetchone()
            if row is not None:
                conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier("public", row[0])))
        except BaseException:
            conn.close()
            raise
        return conn

    async def let_go(self) -> None:
        # Somebody may have ended the session meanwhile: then there is nothing left to give back.
        await asyncio.to_thread(self._conn.close)


class TakenConnections:
    """Sessions until the server refuses one more; a place that gets free is taken too."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._taken: list[psycopg.AsyncConnection] = []
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def take(cls, cluster: Cluster) -> TakenConnections:
        one = cls(cluster.dsn(OWNER))
        await one._fill()
        one._keeper = asyncio.create_task(one._keep())
        return one

    async def _fill(self) -> None:
        while True:
            tries = [psycopg.AsyncConnection.connect(self._dsn, autocommit=True) for _ in range(AT_ONCE)]
            made = await asyncio.gather(*tries, return_exceptions=True)
            self._taken += [one for one in made if isinstance(one, psycopg.AsyncConnection)]
            refused = [one for one in made if isinstance(one, BaseException)]
            if refused and not all(isinstance(one, psycopg.OperationalError) for one in refused):
                raise refused[0]
            if len(refused) == len(made):
                return

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(REFILL_S)
            self._taken = [one for one in self._taken if not one.broken and not one.closed]
            with contextlib.suppress(psycopg.OperationalError):
                self._taken.append(await psycopg.AsyncConnection.connect(self._dsn, autocommit=True))

    async def let_go(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        taken, self._taken = self._taken, []
        await asyncio.gather(*(one.close() for one in taken))
