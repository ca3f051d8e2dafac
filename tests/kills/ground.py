"""Knows the server that rounds are played on, and the databases they begin with: made once, cloned for each round."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from services.database.deployment.receipts import application_name
from services.database.server import Server
from tests.kills.changes import BASE, CHANGES
from tests.kills.client import Task, carry_out, is_done, step_of
from tests.kills.judge import State

# What was acknowledged must survive a crash of the server (not of the machine): no asynchronous commit here.
OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_connections": "60"}
_OWNER, _PASSWORD = "owner", "owner-pw"
_BACK_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Course:
    """How an action goes when nobody disturbs it: the state before and after, its steps, and seconds it takes."""

    template: str
    snapshot_id: str | None
    before: State
    after: State
    steps: tuple[str, ...]
    took_s: float


class Ground:
    """One server, which may be crashed and comes back, and a template for each action on each change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server.start(folder / "data", options=OPTIONS)
        self.port = self.server.port
        self._admin: psycopg.Connection[Any] | None = None
        self._courses: dict[tuple[str, str], Course] = {}
        self._number = 0
        role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        self.admin.execute(role.format(sql.Identifier(_OWNER), sql.Literal(_PASSWORD)))
        self._make("base", "template0")
        with self.as_superuser("base") as conn:
            conn.execute(f"SET ROLE {_OWNER}; {BASE}")

    @property
    def admin(self) -> psycopg.Connection[Any]:
        with suppress(psycopg.OperationalError):
            if self._admin is not None and not self._admin.closed:
                self._admin.execute("SELECT 1")
                return self._admin
        self._admin = self._connected("postgres")
        return self._admin

    def _connected(self, database: str) -> psycopg.Connection[Any]:
        """A superuser's session, as soon as there can be one: a server may notice a moment later that it crashed."""
        until = time.monotonic() + _BACK_WITHIN_S
        while True:
            try:
                conn = psycopg.connect(self.server.dsn(database), autocommit=True)
                conn.execute("SELECT 1")
                return conn
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def url(self, database: str, port: int | None = None) -> str:
        """The owner's address of a database; port: of a proxy before the server."""
        address = self.server.dsn(database, _OWNER, _PASSWORD)
        return address.replace(f":{self.port}/", f":{port or self.port}/")

    @contextmanager
    def as_superuser(self, database: str) -> Iterator[psycopg.Connection[Any]]:
        with self._connected(database) as conn:
            yield conn

    def clone(self, template: str) -> str:
        """A fresh database like the template."""
        self._number += 1
        name = f"round_{self._number}"
        self._make(name, template)
        return name

    def drop(self, database: str) -> None:
        self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def course(self, action: str, change: str) -> Course:
        """The undisturbed action, done once; what comes before it is done too."""
        if (action, change) not in self._courses:
            self._courses[action, change] = self._undisturbed(action, change)
        return self._courses[action, change]

    def backend_of(self, database: str, job_id: str, *, looks_on: bool = False) -> int | None:
        """The server process of the job's session, or of the one that looks on beside it."""
        name = application_name(job_id)
        row = self.admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s",
            (database, f"{name[:50]} looks on" if looks_on else name),
        ).fetchone()
        return int(row[0]) if row else None

    def crash(self, pid: int) -> None:
        """Kill -9 of one server process: the postmaster ends all others and recovers."""
        os.kill(pid, signal.SIGKILL)

    def stop_at_once(self) -> None:
        """As `pg_ctl stop -m immediate`, and start again."""
        self.server.stop("immediate")
        self.server = Server.start(self.folder / "data", port=self.port, options=OPTIONS)

    def wait_until_back(self) -> None:
        """Wait until the server takes connections and asks nobody to wait any more."""
        self._connected("postgres").close()

    def close(self) -> None:
        with suppress(psycopg.Error):
            if self._admin is not None:
                self._admin.close()
        self.server.remove()

    def _make(self, name: str, template: str) -> None:
        query = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        self.admin.execute(query.format(sql.Identifier(name), sql.Identifier(template), sql.Identifier(_OWNER)))

    def _undisturbed(self, action: str, change: str) -> Course:
        template, snapshot_id = "base", None
        if action != "deploy":
            earlier = {"rollback": "deploy", "restore": "rollback"}[action]
            template, snapshot_id = self._left_by(earlier, change)
        database = self.clone(template)
        task = Task(action, change, self.url(database), f"job-{secrets.token_hex(4)}", snapshot_id)
        steps: list[str] = []
        with self.as_superuser(database) as conn:
            before = State.of(conn)
            began = time.monotonic()
            result = carry_out(task, lambda kind, payload: steps.append(step_of(kind, payload)))
            took = time.monotonic() - began
            assert is_done(result), result
            after = State.of(conn)
        if action == "restore":
            assert after.rows == self.course("rollback", change).before.rows, "not all that was taken is back"
        self.drop(database)
        return Course(template, snapshot_id, before, after, tuple(dict.fromkeys(steps)), took)

    def _left_by(self, action: str, change: str) -> tuple[str, str | None]:
        """A database on which the action was done and people then worked; and the snapshot that it left."""
        template, snapshot_id = "base", None
        if action == "rollback":
            template, _ = self._left_by("deploy", change)
        name = f"{change}_after_{action}"
        if not self.admin.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchall():
            self._make(name, template)
            assert is_done(carry_out(Task(action, change, self.url(name), f"before-{secrets.token_hex(4)}")))
            if action == "deploy" and CHANGES[change].used:
                with self.as_superuser(name) as conn:
                    conn.execute(CHANGES[change].used)
        with self.as_superuser(name) as conn:
            row = (
                conn.execute(
                    "SELECT snapshot_id::text FROM ops.deploy_receipts WHERE release_id = %s", (change,)
                ).fetchone()
                if action == "rollback"
                else None
            )
        if row is not None:
            snapshot_id = row[0]
        return name, snapshot_id
