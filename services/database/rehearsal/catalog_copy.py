"""Knows how to bring a target's catalog to a scratch server: by pg_dump, else from definitions read there."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import psycopg

from services.database.connect import connect, connection_parameters, patient
from services.database.definitions.read import read_definitions
from services.database.execution import Cancelled, Stopped
from services.database.server import Binaries, Server

CopiedBy = Literal["pg_dump", "definitions"]
"""How the catalog came over: pg_dump locks every table, for which a role needs the right to read it; definitions are
read from the catalog, as every role may."""

_DUMP_S = 120
_TICK_S = 0.2
_REFUSED = "permission denied"


class NoShadow(Exception):
    """A shadow that would be like the target cannot be made; the text says why."""


class NotAllowed(NoShadow):
    """The target does not let this role dump the catalog."""


@contextmanager
def catalog_dump(
    url: str, target: psycopg.Connection[Any], binaries: Binaries, cancelled: Cancelled
) -> Iterator[Callable[[], IO[bytes]]]:
    """Start pg_dump on the very snapshot that `target` sees; what is given waits for its file."""
    row = target.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
    parts = connection_parameters(url)
    # The password is not an argument: those show in the process list.
    environment = _environment(parts.pop("password", None))
    command = [str(binaries.tool("pg_dump")), "--schema-only", "--no-tablespaces", "--no-subscriptions"]
    command += ["--no-security-labels", "--exclude-schema=ops", "--lock-wait-timeout=5s"]
    command += [f"--snapshot={row[0] if row else ''}", "--dbname", psycopg.conninfo.make_conninfo("", **parts)]
    with tempfile.TemporaryFile() as text, _started(command, environment, stdout=text) as dump:

        def wait() -> IO[bytes]:
            _finish(dump, "read", cancelled)
            text.seek(0)
            return text

        yield wait


def copy_catalog(
    target: psycopg.Connection[Any],
    dumped: Callable[[], IO[bytes]],
    server: Server,
    database: str,
    cancelled: Cancelled,
) -> tuple[CopiedBy, list[str]]:
    """Fill the empty database of the scratch server; gives how, and sentences on what could not be brought over.

    target: in the snapshot that the dump was taken of. dumped: as `catalog_dump` gives it.
    Raises NoShadow, and Stopped when cancelled.
    """
    try:
        text = dumped()
    except NotAllowed:
        return "definitions", _restore_definitions(target, patient(server.dsn(database)))
    _restore(text, server, database, cancelled)
    return "pg_dump", []


def _restore_definitions(target: psycopg.Connection[Any], url: str) -> list[str]:
    """Make everything whose SQL the catalog tells; gives sentences on the rest."""
    definitions = read_definitions(target)
    try:
        with connect(url, statement_timeout_s=_DUMP_S) as copy, copy.transaction():
            for statement in definitions.statements():
                copy.execute(statement.encode())
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
        raise NoShadow(f"The catalog could not be restored from its definitions: {reason}") from error
    left = sorted(one.identity for one in definitions if one.kind == "cannot be written")
    return [f"the {name} could not be brought over without the right to read every table" for name in left]


def _restore(dumped: IO[bytes], server: Server, database: str, cancelled: Cancelled) -> None:
    parts = connection_parameters(patient(server.dsn(database)))
    environment = _environment(parts.pop("password", None))
    command = [str(server.binaries.tool("psql")), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"]
    command += ["-d", psycopg.conninfo.make_conninfo("", **parts)]
    with _started(command, environment, stdin=dumped, stdout=subprocess.DEVNULL) as load:
        _finish(load, "restored", cancelled)


def _environment(password: str | None) -> dict[str, str]:
    """Ours without libpq's variables, which would change where and how we connect, but with the password."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return environment if password is None else {**environment, "PGPASSWORD": password}


@contextmanager
def _started(command: list[str], environment: dict[str, str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A running program that is gone when the block is left."""
    try:
        running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **streams)
    except FileNotFoundError as error:
        raise NoShadow(f"The folder of the scratch server's programs has no {Path(command[0]).name}.") from error
    with running:
        try:
            yield running
        finally:
            running.kill()


def _finish(running: subprocess.Popen[bytes], verb: str, cancelled: Cancelled) -> None:
    until = time.monotonic() + _DUMP_S
    while True:
        try:
            _, errors = running.communicate(timeout=_TICK_S)
            break
        except subprocess.TimeoutExpired as error:
            if cancelled():
                raise Stopped from error
            if time.monotonic() > until:
                raise NoShadow(f"The catalog could not be {verb} within {_DUMP_S} s.") from error
    if running.returncode:
        told = errors.decode(errors="replace").splitlines()
        reasons = [line.split("ERROR:")[-1].strip() for line in told if "ERROR:" in line]
        reasons += [line.split("error:")[-1].strip() for line in told if "error:" in line]
        reason = (reasons or ["no reason given"])[0]
        if _REFUSED in reason:
            raise NotAllowed(f"The catalog could not be {verb}: {reason}")
        raise NoShadow(f"The catalog could not be {verb}: {reason}")
