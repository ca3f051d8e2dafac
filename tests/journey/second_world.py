"""A second embedded world that plays production: in a process and a home of its own, with a log of every statement."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from services.database.parser import parse
from services.database.server import SUPERUSER
from services.sandbox.control import ControlClient, client
from tests.house import ROOT, wait_until

NEWCOMER = "newcomer"
"""The application name under which the newcomer runs SQL, as in the SQL editor of a provider."""

_LINE = re.compile(r"^@(?P<pid>\d+)@(?P<user>[^@]*)@(?P<application>[^@]*)@(?P<kind>[A-Z]+):\s+(?P<text>.*)$")
_STATEMENT = re.compile(r"^(?:statement|execute [^:]*): (?P<sql>.*)$")
_READING = {
    "select_stmt",
    "variable_show_stmt",
    "variable_set_stmt",
    "transaction_stmt",
    "explain_stmt",
    "declare_cursor_stmt",
    "fetch_stmt",
    "close_portal_stmt",
    "listen_stmt",
    "discard_stmt",
    "deallocate_stmt",
}
_CHANGING = re.compile(r"\b(insert_stmt|update_stmt|delete_stmt|merge_stmt|into_clause) \{")


@dataclass(frozen=True)
class Statement:
    """One statement in the server's log. failed: it was refused."""

    user: str
    application: str
    sql: str
    failed: bool

    @property
    def writes(self) -> bool:
        """By the grammar: anything but a query that changes nothing in any of its parts, and what a session needs."""
        tree = parse(self.sql)
        assert tree is not None, self.sql
        return any(
            one.stmt.WhichOneof("node") not in _READING or _CHANGING.search(str(one.stmt)) is not None
            for one in tree.stmts
        )


@dataclass
class SecondWorld:
    """home: its OPS_HOME; what a newcomer would copy from the providers' pages is in its own files there."""

    home: Path
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Until every part of it answers."""
        started = self.home / "sandbox" / "running.json"
        wait_until(lambda: started.exists() or self.process.poll() is not None, 60, "the second world to start")
        assert self.process.poll() is None, (self.home / "start.log").read_text()

    @cached_property
    def keys(self) -> Mapping[str, Any]:
        return dict(json.loads((self.home / "sandbox" / "keys.json").read_text()))

    @cached_property
    def target(self) -> Mapping[str, Any]:
        return dict(json.loads((self.home / "targets" / "sandbox.json").read_text()))

    @property
    def control(self) -> ControlClient:
        return client(self.home)

    @property
    def port(self) -> int:
        return int(json.loads((self.home / "sandbox" / "ports.json").read_text())["database"])

    @property
    def log(self) -> Path:
        return self.home / "sandbox" / "postgres.log"

    def owner(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection as the owner `postgres`, which is no superuser: the newcomer's own, in the SQL editor."""
        return psycopg.connect(str(self.target["deploy_url"]), autocommit=True, application_name=NEWCOMER)

    def log_everything(self) -> None:
        """Have the server log every statement with whose it is, as only its superuser can."""
        password = (self.home / "sandbox" / "postgres.password").read_text().strip()
        address = f"host=127.0.0.1 port={self.port} dbname=postgres user={SUPERUSER} password={password}"
        with psycopg.connect(address, autocommit=True, application_name=NEWCOMER) as admin:
            admin.execute("ALTER SYSTEM SET log_line_prefix = '@%p@%u@%a@'")
            admin.execute("ALTER SYSTEM SET log_statement = 'all'")
            admin.execute("SELECT pg_reload_conf()")
        with psycopg.connect(address, application_name=NEWCOMER) as probe:

            def logged() -> bool:
                probe.execute("SELECT 'the log is on'")
                return any("the log is on" in one.sql for one in self.statements())

            wait_until(logged, 10, "the server to log statements")

    def statements(self) -> list[Statement]:
        """Every statement in the log, in order; several lines of one statement are put together."""
        entries: list[dict[str, str]] = []
        for line in self.log.read_text(errors="replace").splitlines():
            found = _LINE.match(line)
            if found is not None:
                entries.append(found.groupdict())
            elif entries:
                entries[-1]["text"] += f"\n{line}"
        statements: list[Statement] = []
        newest: dict[str, int] = {}
        for entry in entries:
            told = _STATEMENT.match(entry["text"].split("\n", 1)[0])
            if entry["kind"] == "LOG" and told is not None:
                sql = entry["text"].partition(": ")[2]
                newest[entry["pid"]] = len(statements)
                statements.append(Statement(entry["user"], entry["application"], sql, failed=False))
            elif entry["kind"] in ("ERROR", "FATAL") and entry["pid"] in newest:
                at = newest[entry["pid"]]
                statements[at] = Statement(
                    statements[at].user, statements[at].application, statements[at].sql, failed=True
                )
        return statements

    def written(self) -> list[Statement]:
        """What anybody but the newcomer has written, and was not refused."""
        return [one for one in self.statements() if one.application != NEWCOMER and one.writes and not one.failed]

    def writing_calls(self) -> list[str]:
        """Calls at the doors that may have changed something: neither reading ones, nor refused ones.

        SQL that only reads and queries of GraphQL are sent by POST; of the latter the operations are told.
        """
        told = self.control.calls()
        doors = [
            f"{door}: {call}"
            for door, calls in told["doors"].items()
            for call in calls
            if call["method"] not in ("GET", "HEAD", "OPTIONS")
            and (call["status"] is None or call["status"] < 400)
            and not (door == "supabase" and call["path"].endswith("/database/query/read-only"))
            and door != "railway"
        ]
        return doors + [f"railway: {one}" for one in told["railway"] if not one.startswith("query ")]


@contextmanager
def second_world(home: Path, name: str = "production") -> Iterator[SecondWorld]:
    """A world of this name while the block runs, started by the command as anybody would; `wait` until it is there."""
    (home / "sandbox").mkdir(parents=True, exist_ok=True)
    (home / "sandbox" / "keys.json").write_text(json.dumps({"name": name}))
    with (home / "start.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "sandbox", "start", "--world", "before"],
            cwd=ROOT,
            env={**os.environ, "OPS_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield SecondWorld(home, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
