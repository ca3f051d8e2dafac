"""A database of a small app, and the context in which a check looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.app_definition import AppDefinition, DeclaredTable
from services.checks.context import CheckContext
from services.database.connect import connect, connection_parameters
from services.releases.bundle import Release, release_from_files
from services.settings import Level, Target

TABLES = """
create table people (id uuid primary key default gen_random_uuid(), email text not null unique,
                     age int check (age > 17));
create table notes (id bigint generated always as identity primary key,
                    person uuid not null references people (id), body text not null);
insert into people (email, age) select 'person' || n || '@example.com', 20 + n from generate_series(1, 5) n;
insert into notes (person, body) select id, 'something private' from people;
"""
DECLARED = (
    DeclaredTable(name="people", build="one", columns={"id": ("uuid",)}),
    DeclaredTable(name="notes", build="one", columns={"id": ("bigint",)}),
)


class SmallApp:
    """A database of its own, by the owner's address and the read-only role's."""

    def __init__(self, owner: str, read_only: str) -> None:
        self.owner = owner
        self.read_only = read_only
        self.run(TABLES)

    def run(self, statements: str) -> None:
        with connect(self.owner) as conn:
            conn.execute(statements.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.owner) as conn:
            return conn.execute(query.encode()).fetchall()

    def context(self, release: str | None = None, **target: Any) -> CheckContext:
        """What a check looks at; release: the SQL of a release under way; target: other settings."""
        values = {"database_url": self.read_only, "deploy_url": self.owner, "levels": frozenset(Level)}
        app = AppDefinition(name="small", title="Small", tables=DECLARED, default_release="r" if release else "")
        made: Release | None = release_from_files({"r.sql": release.encode()}) if release else None
        found = Target.model_validate({"name": "staging", "production": False, **values, **target})
        return CheckContext.create(found, app, datetime.now(UTC), release=made)


@pytest.fixture
def small_app(make_supabase_database: Callable[[], Any]) -> SmallApp:
    made = make_supabase_database()
    return SmallApp(made.owner, made.read_only)


@pytest.fixture
def session(small_app: SmallApp) -> Iterator[psycopg.Connection[Any]]:
    """Another session of the owner, which a test may leave in the middle of something."""
    with connect(small_app.owner, application_name="somebody else") as conn:
        yield conn


@pytest.fixture
def pooler(small_app: SmallApp) -> Iterator[Callable[[str], str]]:
    """`pooler(mode)` starts pgbouncer in front of the small app's database and returns its address."""
    program = Path("/usr/sbin/pgbouncer")
    if not program.exists():
        pytest.skip("pgbouncer is not installed: the pooler's behaviour was NOT seen (apt-get install pgbouncer)")
    parts = connection_parameters(small_app.owner)
    running: list[subprocess.Popen[bytes]] = []
    folders: list[Path] = []
    # pgbouncer does not run as root, and an ordinary account cannot enter pytest's own folder.
    account = ["-u", "nobody"] if os.geteuid() == 0 else []

    def start(mode: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        folder = Path(tempfile.mkdtemp(prefix=f"pooler-{mode}-"))
        folders.append(folder)
        (folder / "users.txt").write_text(f'"postgres" "{parts["password"]}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={parts['port']}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {folder}/users.txt\n"
            f"pool_mode = {mode}\nignore_startup_parameters = options\n"
        )
        folder.chmod(0o755)
        command = [str(program), "-q", *account, str(folder / "pgbouncer.ini")]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        return f"postgresql://postgres:{parts['password']}@127.0.0.1:{port}/{parts['dbname']}"

    yield start
    for process in running:
        process.terminate()
        process.wait(5)
    for folder in folders:
        shutil.rmtree(folder)
