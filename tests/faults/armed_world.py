"""A production whose owner's password is known to one test alone: a database with its roles, and our processes."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from sqlalchemy import select

from services.access.permissions import Actor, Role
from services.database.connect import place_of
from services.database.server import Server
from services.jobs.arming import Wanted
from services.jobs.door import hand_over
from services.jobs.queue import Job, enqueue, job
from services.settings import Target, load_settings
from services.store.database import Store
from services.store.tables import workers
from tests.dashboard.processes.conftest import Running, start_run
from tests.house import ROOT, now, wait_until
from tests.migrated_store import fresh_store

TARGET = "production"
TABLES = "CREATE TABLE public.accounts (id int PRIMARY KEY, name text); INSERT INTO public.accounts VALUES (1, 'a')"


@dataclass(frozen=True)
class Production:
    """A database; password: of its owner, with signs that URLs must encode."""

    server: Server
    name: str
    password: str

    @property
    def owner(self) -> str:
        return f"owner_{self.name}"

    @property
    def reader(self) -> str:
        return f"reader_{self.name}"

    @property
    def owner_url(self) -> str:
        return self.server.dsn(self.name, self.owner, self.password)

    @property
    def reader_url(self) -> str:
        return self.server.dsn(self.name, self.reader, "reader-pw")

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.server.dsn(self.name), autocommit=True)

    def forms(self) -> tuple[bytes, ...]:
        """The password as it may turn up: as it is, as URLs write it, and as a program keeps wide characters."""
        encoded = quote(self.password, safe="")
        return (
            self.password.encode(),
            encoded.encode(),
            re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded).encode(),
            self.password.encode("utf-16-le"),
            self.password.encode("utf-32-le"),
        )


@contextmanager
def production(server: Server) -> Iterator[Production]:
    """A database with an owner who is no superuser and a reader who sees the tables and not schema `ops`."""
    made = Production(server, f"prod_{secrets.token_hex(4)}", f"Pw@{secrets.token_hex(8)}/%{secrets.token_hex(4)}")
    names = {"name": sql.Identifier(made.name), "owner": sql.Identifier(made.owner)}
    names["reader"] = sql.Identifier(made.reader)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {owner} LOGIN PASSWORD {pw}").format(**names, pw=sql.Literal(made.password)))
        admin.execute(sql.SQL("CREATE ROLE {reader} LOGIN PASSWORD 'reader-pw'").format(**names))
        admin.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE template0 OWNER {owner}").format(**names))
        try:
            with made.admin() as conn:
                conn.execute(sql.SQL("ALTER SCHEMA public OWNER TO {owner}").format(**names))
            with psycopg.connect(made.owner_url, autocommit=True) as conn:
                conn.execute(TABLES)
                conn.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}").format(**names))
            yield made
        finally:
            admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
            admin.execute(sql.SQL("DROP ROLE {owner}, {reader}").format(**names))


@dataclass
class Armory:
    """Our processes for that production.

    environ: what they and the commands are given; it holds no owner's address
    killed: how often a worker was killed while it held something
    """

    production: Production
    running: Running
    store: Store
    environ: dict[str, str]
    killed: int = 0

    @property
    def home(self) -> Path:
        return self.running.home

    @property
    def target(self) -> Target:
        return load_settings(self.environ, ROOT).target(TARGET)

    @property
    def operator(self) -> Actor:
        return Actor("production:olga", "Olga", Role.OPERATOR, TARGET)

    def pid_of(self, part: str) -> int:
        children: dict[str, int] = json.loads((self.home / "run.lock").read_text())["children"]
        return children[part]

    def worker_now(self) -> int | None:
        """The worker that is alive; None while there is none."""
        with self.store.read() as tx:
            row = tx.execute(select(workers.c.pid, workers.c.heartbeat).order_by(workers.c.started.desc())).first()
        return row.pid if row is not None and now() - row.heartbeat < timedelta(seconds=3) else None

    def command(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """One of our commands; more: variables of its own."""
        return subprocess.run(
            [sys.executable, "-m", "dashboard", *words, "--target", TARGET, "--json"],
            cwd=ROOT,
            env={**os.environ, **self.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def arm(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.command("arm", "--database", "env:OWNER", *words, OWNER=self.production.owner_url)

    def lend(self, lasting: timedelta) -> str:
        """Hand the address to the worker as `arm` does, for any time; returns the arming's id."""
        place = self.production
        wanted = Wanted(TARGET, None, place_of(place.owner_url), place.owner, self.operator, now() + lasting)
        return str(hand_over(self.home, wanted.to_json(), place.owner_url.encode())["arming"])

    def ask(
        self, kind: str, run_id: str | None = None, step_id: str | None = None, payload: dict[str, Any] | None = None
    ) -> Job:
        return enqueue(
            self.store,
            actor=self.operator,
            kind=kind,
            target=self.target,
            payload=payload or {},
            idempotency_key=secrets.token_hex(8),
            now=now(),
            run_id=run_id,
            step_id=step_id,
        )

    def done(self, asked: Job) -> Job:
        """The job when it has ended."""
        wait_until(lambda: not job(self.store, asked.id).active, 60, f"{asked.kind} to end")
        return job(self.store, asked.id)


@contextmanager
def armory(place: Production, home: Path) -> Iterator[Armory]:
    """Start the supervisor with worker and web on that production, and stop it as Ctrl-C does."""
    environ = {
        "OPS_HOME": str(home),
        "OPS_TARGET": TARGET,
        "OPS_TARGETS__PRODUCTION__PRODUCTION": "true",
        "OPS_TARGETS__PRODUCTION__APP_URL": "http://127.0.0.1:9",
        "OPS_TARGETS__PRODUCTION__DATABASE_URL": place.reader_url,
        "OPS_TARGETS__PRODUCTION__LEVELS": "look,observe,deploy",
        "OPS_CLI_ROLE__PRODUCTION": "operator",
    }
    given: dict[str, Any] = {name: value for name, value in environ.items() if name != "OPS_HOME"}
    running = start_run(home, **given)
    try:
        running.until_ready()
        store = fresh_store(home / "store.sqlite3")
        try:
            yield Armory(place, running, store, environ)
        finally:
            store.close()
    finally:
        running.process.terminate()
        running.process.wait(30)
