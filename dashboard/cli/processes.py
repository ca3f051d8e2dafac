"""Commands that run processes: the whole dashboard, and each of its parts as the supervisor starts them."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dashboard.cli.answer import Answer, say, tell
from dashboard.cli.options import Json, Target


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command(hidden=True)(worker)
    app.command(hidden=True)(web)


def run(
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", help="Where to listen; else the next free one.", show_default=False),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="The address to listen on; else OPS_HOST, else 127.0.0.1. Beyond loopback only with real sign-in.",
            show_default=False,
        ),
    ] = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Start everything: the sandbox if it is the target, the worker, the web pages. Ctrl-C ends all of it."""
    from dashboard.processes.run import run_dashboard

    if target is not None:
        os.environ["OPS_TARGET"] = target
    if host is not None:
        # The web process reads it too: what it takes as a sign-in depends on who can reach it.
        os.environ["OPS_HOST"] = host
    return Answer({}, (), run_dashboard(port, tell, lambda address: say(address, as_json=as_json)))


def worker() -> Answer:
    """Carry out queued jobs until told to stop."""
    from dashboard.processes.worker import run_worker

    return Answer({}, (), run_worker())


def web(descriptor: Annotated[int, typer.Argument(help="Of the listening socket.")]) -> Answer:
    """Serve the pages on a listening socket that is open already."""
    from dashboard.processes.web import run_web

    return Answer({}, (), run_web(descriptor))
