"""Several workers and web processes, each with a home of its own, on one Postgres store: as on as many machines."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg

from services.access.permissions import Actor, Role
from services.database.server import Server
from services.jobs.queue import Job, enqueue, job
from services.settings import Settings, load_settings
from services.store.database import Store, open_store
from tests.campaign import FULL
from tests.house import ROOT, wait_until
from tests.tiny_app.served import GuestBook, served

APPS = ROOT / "tests" / "tiny_app"
WORKERS, WEBS = (3, 2) if FULL else (2, 1)
SERVER = {"fsync": "off", "max_connections": "60"}


@dataclass
class Part:
    """One process: what it said when it worked, and what it writes to standard error."""

    arguments: tuple[str, ...]
    home: Path
    process: subprocess.Popen[str]
    told: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return (self.home / "stderr").read_text()


class Fleet:
    """The processes, the store as the test has it open, and the server that holds store and target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server.start(folder / "data", options=SERVER)
        with psycopg.connect(self.server.dsn(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE ops")
        # The target is on a server of its own: ours going away must not be what the target does.
        self.target_server = Server.start(folder / "target", options=SERVER)
        with psycopg.connect(self.target_server.dsn(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE guests")
        self.target_url = self.target_server.dsn("guests")
        self.parts: list[Part] = []
        self.store: Store
        self.book: GuestBook

    @property
    def environ(self) -> dict[str, str]:
        values = {
            "APP": "tiny",
            "APP_URL": self.book.address,
            "DATABASE_URL": self.target_url,
            "DEPLOY_URL": self.target_url,
            "PRODUCTION": "false",
            "LEVELS": "look,observe,deploy",
        }
        named = {f"OPS_TARGETS__GUESTS__{key}": value for key, value in values.items()}
        return {"OPS_STORE_URL": self.server.dsn("ops"), "OPS_APPS": str(APPS), "OPS_TARGET": "guests", **named}

    @property
    def settings(self) -> Settings:
        return load_settings({**self.environ, "OPS_HOME": str(self.folder)}, ROOT)

    @property
    def workers(self) -> list[Part]:
        return [part for part in self.parts if part.arguments[0] == "worker"]

    @property
    def webs(self) -> list[Part]:
        return [part for part in self.parts if part.arguments[0] == "web"]

    def now(self) -> datetime:
        return self.store.now()

    def start(self, *arguments: str) -> Part:
        home = self.folder / f"host-{len(self.parts)}-{secrets.token_hex(2)}"
        home.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OPS_")}
        with (home / "stderr").open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "dashboard", *arguments, "--json"],
                cwd=ROOT,
                env={**kept, **self.environ, "OPS_HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        return Part(arguments, home, process)

    def until_ready(self, part: Part) -> Part:
        assert part.process.stdout is not None
        line = part.process.stdout.readline()
        # What refuses says so in a document of several lines.
        assert line.rstrip().endswith("}"), line + part.process.stdout.read() + part.log
        part.told = json.loads(line)
        self.parts.append(part)
        return part

    def kill(self, part: Part) -> None:
        """As kill -9 does; another one takes its place."""
        part.process.kill()
        part.process.wait()
        self.parts.remove(part)
        assert part.process.stdout is not None
        part.process.stdout.close()

    def worker_of(self, job_id: str) -> Part | None:
        holder = job(self.store, job_id).worker
        return next((part for part in self.workers if part.told["worker"] == holder), None)

    def queue(self, kind: str, **payload: object) -> Job:
        return enqueue(
            self.store,
            actor=Actor("test:operator", "Test Operator", Role.OPERATOR, "guests"),
            kind=kind,
            target=self.settings.target("guests"),
            payload=payload,
            idempotency_key=secrets.token_hex(8),
            now=self.now(),
        )

    def ended(self, job_id: str, wait_s: float = 60) -> Job:
        wait_until(lambda: not job(self.store, job_id).active, wait_s, f"{job_id} to end")
        return job(self.store, job_id)

    def is_ready(self, web: Part) -> bool:
        try:
            with urllib.request.urlopen(f"{web.told['address']}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False

    @contextmanager
    def store_away(self) -> Iterator[None]:
        """Our store's server crashes, and is started again on the same port."""
        port = self.server.port
        self.server.stop("immediate")
        try:
            yield
        finally:
            self.server = Server.start(self.folder / "data", port=port, options=SERVER)

    def end(self) -> None:
        for part in self.parts:
            part.process.send_signal(signal.SIGTERM)
        for part in list(self.parts):
            try:
                part.process.wait(15)
            finally:
                self.kill(part)


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """All of them started at the same moment on an empty store, which each of them would migrate."""
    made = Fleet(folder)
    try:
        with served(made.target_url) as made.book:
            begun = [made.start("worker") for _ in range(WORKERS)] + [made.start("web") for _ in range(WEBS)]
            try:
                for part in begun:
                    made.until_ready(part)
                made.store = open_store(made.server.dsn("ops"))
                yield made
                made.store.close()
            finally:
                made.parts += [part for part in begun if part not in made.parts and part.process.poll() is None]
                made.end()
    finally:
        made.server.remove()
        made.target_server.remove()


def at_a_moment(draw: random.Random, longest_s: float) -> None:
    """Wait for a while that the seed decides: what is met then is what is tested."""
    time.sleep(draw.uniform(0.0, longest_s))
