"""Writers that never stop, each write timed; a session that holds a lock for a while; a change in between."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg

from services.database.connect import connect
from services.database.deployment.deploy import Deployment, deploy
from services.database.deployment.ordering import ordered
from services.database.fingerprint import catalog_fingerprint
from services.database.script import Script, read_scripts
from services.database.server import Server
from tests.lock_queue.scenarios import SETUP, WRITE, Scenario


@dataclass
class Writes:
    """Every write's time, in milliseconds."""

    ms: list[float] = field(default_factory=list)

    @property
    def longest_ms(self) -> float:
        return max(self.ms)


@contextmanager
def writing(url: str, tables: tuple[str, ...], seed: int) -> Iterator[Writes]:
    """Within: two writers, one short write after the other; a write still under way at the end is waited for."""
    writes, stop, started = Writes(), threading.Event(), threading.Barrier(3)

    def work(number: int) -> None:
        random = Random(seed * 10 + number)
        with connect(url) as conn:
            started.wait()
            while not stop.is_set():
                sql = WRITE[random.choice(tables)].format(id=random.randint(10, 1999))
                began = time.perf_counter()
                conn.execute(sql)
                writes.ms.append((time.perf_counter() - began) * 1000)
                stop.wait(0.002)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    started.wait()
    try:
        yield writes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def holding(url: str, scenario: Scenario, hold_s: float) -> Iterator[None]:
    """Within, for hold_s seconds: a session that has begun a transaction and does not end it."""
    ready = threading.Event()

    def hold() -> None:
        with connect(url, application_name="somebody else") as conn:
            conn.execute(f"BEGIN; {scenario.holds}")
            ready.set()
            try:
                if "pg_sleep" in scenario.then:
                    conn.execute(scenario.then.format(s=hold_s))
                else:
                    time.sleep(hold_s)
                    conn.execute(scenario.then)
                conn.execute("COMMIT")
            except psycopg.errors.DeadlockDetected:
                conn.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    time.sleep(0.05)
    try:
        yield
    finally:
        thread.join()


def fresh(server: Server, name: str) -> str:
    """A database with the scenarios' tables."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    url = server.dsn(name)
    with connect(url) as conn:
        conn.execute(SETUP)
        conn.execute("VACUUM ANALYZE")
    return url


def stall_ms(url: str, scenario: Scenario, hold_s: float, seed: int, change: Callable[[], object]) -> float:
    """The longest that a writer waited while the change was made behind the held lock."""
    with writing(url, scenario.writes, seed) as writes, holding(url, scenario, hold_s):
        change()
    return writes.longest_ms


def by_psql(server: Server, url: str, sql: str, folder: Path) -> None:
    """The change as psql makes it: one transaction, no limits."""
    file = folder / "change.sql"
    file.write_text(sql, encoding="utf-8")
    psql = [server.binaries.bin / "psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", file]
    subprocess.run(psql, check=False, capture_output=True)


def by_deploy(url: str, scenario: Scenario, sql: str) -> Deployment:
    """The change as we make it."""
    scripts = [Script("change.sql", sql)]
    with connect(url) as conn:
        catalog = catalog_fingerprint(conn)
    order = ordered(read_scripts(scripts).statements, catalog) if scenario.reorders else None
    return deploy(
        url, scripts, release_id=scenario.id, plan_hash="h", actor="ann", expected_fingerprint=catalog, order=order
    )
