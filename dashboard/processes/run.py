"""What `python -m dashboard run` runs: the sandbox if it is the target, the worker, the web process."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping

import structlog

from dashboard import composition
from dashboard.processes.lock import HomeLock
from dashboard.processes.logs import log_to
from dashboard.processes.ports import listen, own_address, shown_address
from dashboard.processes.signals import StopSignals
from dashboard.processes.supervisor import Part, Supervisor
from services.access.ways import beyond_loopback, require_safe_exposure
from services.errors import OpsError
from services.settings import Settings

SANDBOX = "sandbox"
LOOK_EVERY_S = 0.1
"""While something starts: how often its readiness is asked for. Afterwards the supervisor only waits."""
SLOW_START_S = 45.0
SOME_TIME_S = 60.0

log = structlog.get_logger("supervisor")


def run_dashboard(port: int | None, tell: Callable[[str], None], say: Callable[[str], None]) -> int:
    """Run everything until told to stop; returns the exit code.

    port: to listen on, None = the next free one; tell: sentences on the way (standard error)
    say:  the address, once, when it really answers (standard output)
    Raises Refused where it runs already, NotUnderstood for a busy port, malformed settings, or where others than this
    machine would reach it without signing in.
    """
    os.chdir(composition.ROOT)
    with StopSignals() as signals:
        settings = composition.settings()
        sandbox = settings.default_target == SANDBOX
        if not sandbox:
            settings.target()
        require_safe_exposure(settings)
        # The lock first: it waits for what a killed predecessor left behind, which may still hold the port.
        with HomeLock(settings.home).take() as lock, listen(port, settings.host) as listening:
            logs = settings.home / "logs"
            logs.mkdir(parents=True, exist_ok=True)
            with (logs / "supervisor.log").open("a", encoding="utf-8", buffering=1) as stream:
                log_to(stream)
                composition.store()
                composition.close()
                return _supervise(settings, listening, lock, signals, tell, say)


def _supervise(
    settings: Settings,
    listening: socket.socket,
    lock: HomeLock,
    signals: StopSignals,
    tell: Callable[[str], None],
    say: Callable[[str], None],
) -> int:
    logs = settings.home / "logs"
    sandbox = settings.default_target == SANDBOX
    place: tuple[str, int] = (own_address(settings.host), listening.getsockname()[1])
    address = shown_address(settings.host, place[1], settings.public_url)
    supervisor = Supervisor(
        parts(listening.fileno(), sandbox=sandbox),
        logs=logs,
        environ=child_environment(os.environ, settings),
        folder=composition.ROOT,
        keep_open=(lock.descriptor, listening.fileno()),
        tell=tell,
    )
    named = "the sandbox, the worker and the web process" if sandbox else "the worker and the web process"
    tell(f"Starting {named}; their logs are in {logs}.")
    if beyond_loopback(settings):
        tell(
            f"Listening on {settings.host}, port {place[1]}, without TLS: what ends it for {settings.public_url} must "
            "stand in front, pass the Host header on, and be the only way in."
        )
    began = time.monotonic()
    try:
        supervisor.start()
        lock.tell(_facts(None, supervisor))
        _wait_until_ready(supervisor, signals, place, sandbox, began, tell)
        if not signals.received:
            log.info("ready", port=place[1], took_s=round(time.monotonic() - began, 2))
            say(f"Dashboard: {address}")
        lock.tell(_facts(address, supervisor))
        while not signals.received:
            if supervisor.turn(signals.descriptor, SOME_TIME_S):
                lock.tell(_facts(address, supervisor))
    finally:
        tell("Stopping.")
        supervisor.stop()
    return 0


def parts(descriptor: int, *, sandbox: bool) -> list[Part]:
    """The processes of a running dashboard, in the order of their start. descriptor: of the socket to serve on."""
    world = [Part("sandbox", ours("sandbox", "start"), grace_s=6.0)] if sandbox else []
    return [*world, Part("worker", ours("worker")), Part("web", ours("web", str(descriptor)))]


def ours(*arguments: str) -> list[str]:
    """A command line of this dashboard, for the interpreter that runs us."""
    return [sys.executable, "-m", "dashboard", *arguments]


def child_environment(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """What the children inherit: our environment, with the home folder as a full path."""
    return {**environ, "OPS_HOME": str(settings.home), "PYTHONUNBUFFERED": "1"}


def _facts(address: str | None, supervisor: Supervisor) -> dict[str, object]:
    """What the lock's file tells. address: None while it does not answer yet."""
    return {"pid": os.getpid(), "address": address, "children": supervisor.pids}


def _wait_until_ready(
    supervisor: Supervisor,
    signals: StopSignals,
    place: tuple[str, int],
    sandbox: bool,
    began: float,
    tell: Callable[[str], None],
) -> None:
    """Return when web, worker and sandbox answer, or the wish to stop came."""
    told = False
    while not signals.received:
        missing = _not_ready(place, sandbox)
        if not missing:
            return
        if not told and time.monotonic() - began > SLOW_START_S:
            told = True
            tell(f"Still waiting for: {', '.join(missing)}. Their logs say why.")
        supervisor.turn(signals.descriptor, LOOK_EVERY_S)


def _not_ready(place: tuple[str, int], sandbox: bool) -> list[str]:
    missing = [] if answers(place, "/readyz") else ["web"]
    if not missing and not _worker_lives():
        missing.append("worker")
    if not missing and sandbox and not _sandbox_answers():
        missing.append("sandbox")
    return missing


def answers(place: tuple[str, int], path: str) -> bool:
    """Whether 200 comes back from a path of a server on this machine, and soon. place: its address and port."""
    connection = http.client.HTTPConnection(*place, timeout=0.4)
    try:
        # By the name that is always answered to, whatever the address.
        connection.request("GET", path, headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _worker_lives() -> bool:
    from services.jobs.liveness import worker_is_alive

    try:
        return worker_is_alive(composition.store(), composition.now())
    except OpsError:
        return False
    finally:
        composition.close()


def _sandbox_answers() -> bool:
    from services.sandbox.control import client

    try:
        return bool(client(composition.settings().home).status()["ok"])
    except OpsError:
        return False
