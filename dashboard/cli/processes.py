"""Commands that run processes: the whole dashboard, and each of its parts, by itself or under the supervisor."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dashboard.cli.answer import Answer, say, say_worker, tell
from dashboard.cli.options import Json, Target

Port = Annotated[
    int | None,
    typer.Option("--port", metavar="N", help="Where to listen; else the next free one.", show_default=False),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="ADDRESS",
        help="The address to listen on; else OPS_HOST, else 127.0.0.1. Beyond loopback only with real sign-in.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(worker)
    app.command()(web)


def run(port: Port = None, host: Host = None, target: Target = None, as_json: Json = False) -> Answer:
    """Start everything: the sandbox if it is the target, the worker, the web pages. Ctrl-C ends all of it."""
    from dashboard.processes.run import run_dashboard

    _choose(host, target)
    return Answer({}, (), run_dashboard(port, tell, lambda address: say(address, as_json=as_json)))


def worker(as_json: Json = False) -> Answer:
    """Only a worker: it carries out queued jobs until told to stop. Several may share one store."""
    from dashboard.processes.worker import run_worker

    return Answer({}, (), run_worker(lambda name: say_worker(name, as_json=as_json)))


def web(
    descriptor: Annotated[int | None, typer.Argument(help="Of a listening socket that is open.", hidden=True)] = None,
    port: Port = None,
    host: Host = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Only the web pages: workers elsewhere do what they ask for. Several may share one store."""
    from dashboard.processes.web import run_web, serve_web

    if descriptor is not None:
        return Answer({}, (), run_web(descriptor))
    _choose(host, target)
    return Answer({}, (), serve_web(port, tell, lambda address: say(address, as_json=as_json)))


def _choose(host: str | None, target: str | None) -> None:
    if target is not None:
        os.environ["OPS_TARGET"] = target
    if host is not None:
        # The web process reads it too: what it takes as a sign-in depends on who can reach it.
        os.environ["OPS_HOST"] = host
