"""Runs the sandbox in the foreground, and talks to the one that runs: what the command line needs, as functions."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from services.sandbox.keys import write_json
from services.sandbox.twin_definition import Twin
from services.sandbox.world import Kind, World

# A break or a repair restarts builds and waits until the effect is seen.
_CALL_S = 90.0
_STOP_S = 20.0


def start(
    home: Path,
    twin: Twin,
    stop: threading.Event,
    *,
    root: Path,
    environ: Mapping[str, str],
    world: Kind | None = None,
    ports: Mapping[str, int] | None = None,
    ready: Callable[[dict[str, Any]], None] = lambda _: None,
) -> None:
    """Run the world of this home until `stop` is set, or somebody asks it to stop; every part is gone on return.

    home:  OPS_HOME; the world's own files are in <home>/sandbox, its target in <home>/targets/sandbox.json
    world: a fresh world of that kind. None = go on where the last one stopped, else `before`
    ports: by name (app, supabase, openai, railway, control, database, rest), for those that matter
    ready: called once with the status when every part has started
    Raises Refused where one runs on this home already, NotUnderstood for a busy port, Unavailable for a part that
    does not start.
    """
    folder = home / "sandbox"
    folder.mkdir(parents=True, exist_ok=True)
    with _the_only_one(folder):
        asyncio.run(_run(home, twin, stop, root=root, environ=environ, kind=world, ports=ports, ready=ready))


async def _run(
    home: Path,
    twin: Twin,
    stop: threading.Event,
    *,
    root: Path,
    environ: Mapping[str, str],
    kind: Kind | None,
    ports: Mapping[str, int] | None,
    ready: Callable[[dict[str, Any]], None],
) -> None:
    from services.sandbox.control_server import control_app
    from services.sandbox.target_file import target_values

    folder = home / "sandbox"
    world = World(folder, twin, root=root, environ=environ, ports=ports, control=control_app)
    loop = asyncio.get_running_loop()

    def pass_on() -> None:
        stop.wait()
        # The loop may have been closed meanwhile: then the world has stopped for another reason.
        if not loop.is_closed():
            loop.call_soon_threadsafe(world.stop_asked.set)

    threading.Thread(target=pass_on, daemon=True, name="sandbox-stop").start()
    try:
        started = loop.create_task(world.start(kind))
        stopped = loop.create_task(world.stop_asked.wait())
        await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            started.result()
            from services.sandbox.world_status import world_status

            address = f"{world.ports.url('control')}/{world.keys.control_token}"
            write_json(home / "targets" / "sandbox.json", target_values(world, address))
            write_json(folder / "running.json", {"pid": os.getpid(), "control_url": address})
            ready(await world_status(world))
            await stopped
        started.cancel()
        await asyncio.wait({started})
    finally:
        (folder / "running.json").unlink(missing_ok=True)
        await world.close()


@contextmanager
def _the_only_one(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = _running(folder).get("pid")
            named = f" (process {where})" if where else ""
            raise Refused(
                f"A sandbox runs on {folder.parent} already{named}.",
                "No second one was started.",
                "Use that one, or stop it with `python -m dashboard sandbox stop`.",
                place=str(folder),
            ) from None
        yield


def _running(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads((folder / "running.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def client(home: Path) -> ControlClient:
    """The way to the sandbox that runs on this home. Raises Refused where none does."""
    address = _running(home / "sandbox").get("control_url")
    if not isinstance(address, str):
        raise _not_running()
    return ControlClient(address, home / "sandbox")


def _not_running() -> Refused:
    return Refused(
        "The sandbox is not running.", "Nothing was done.", "Start it with `make run` or `sandbox start`.", "sandbox"
    )


class ControlClient:
    """Calls to a running sandbox. Each raises Refused where it has stopped, else the errors the sandbox tells."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address = address
        self._folder = folder

    def __repr__(self) -> str:
        return "ControlClient()"

    def status(self) -> dict[str, Any]:
        """See `services.sandbox.world_status.world_status`."""
        return self._call("GET", "/status")

    def faults(self) -> list[dict[str, Any]]:
        """Every fault there is: {"id", "what", "group", "active"}."""
        return list(self._call("GET", "/faults")["faults"])

    def calls(self) -> dict[str, Any]:
        """What anybody has asked of the world, oldest first.

        {"doors": {door: [{"method", "path", "status"}]}, "railway": ["query me", ...]}
        """
        return self._call("GET", "/calls")

    def break_fault(self, fault: str) -> list[dict[str, Any]]:
        """Break it and wait until the effect is visible. Raises NotUnderstood for an unknown fault."""
        return list(self._call("POST", f"/faults/{fault}/break")["faults"])

    def repair(self, fault: str | None = None) -> list[dict[str, Any]]:
        """Repair one fault, or all of them; repairing what is not broken changes nothing."""
        return list(self._call("POST", f"/faults/{fault}/repair" if fault else "/repair")["faults"])

    def delay(self, door: str, delay_s: float) -> None:
        """Answer every call through a door ("app", "supabase", "openai", "railway", "status") this much later."""
        self._call("POST", f"/doors/{door}", {"delay_s": delay_s})

    def reset(self, world: Kind | None = None) -> dict[str, Any]:
        """Put the world back as it was started; returns its status."""
        return self._call("POST", "/reset", {"world": world} if world else None)

    def stop(self) -> None:
        """Stop the sandbox and wait until everything it had started is gone."""
        self._call("POST", "/stop")
        deadline = time.monotonic() + _STOP_S
        with (self._folder / "lock").open("a+", encoding="ascii") as file:
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(0.02)
                else:
                    return
        raise Unavailable("The sandbox was asked to stop and has not within 20 seconds.", place=str(self._folder))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            with httpx.Client(trust_env=False, timeout=httpx.Timeout(_CALL_S, connect=2.0)) as http:
                answer = http.request(method, f"{self._address}{path}", json=body)
                values = answer.json()
        except httpx.TimeoutException:
            raise Unavailable("The sandbox did not answer in time.", "What it did is not known.") from None
        except (httpx.HTTPError, ValueError):
            raise _not_running() from None
        if answer.status_code == 404:
            raise _not_running()
        if not answer.is_success:
            raise _told(answer.status_code, values.get("error") or {})
        return dict(values)


def _told(status: int, error: Mapping[str, Any]) -> OpsError:
    kind = {400: NotUnderstood, 409: Refused}.get(status, Unavailable)
    what = str(error.get("what") or f"The sandbox answered {status}.")
    return kind(what, str(error.get("means") or ""), str(error.get("do") or ""), error.get("place"))
