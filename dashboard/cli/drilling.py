"""The command that drills a whole release on a world of its own."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dashboard.cli.answer import Answer, tell
from dashboard.cli.options import Json, Target


def register(app: typer.Typer) -> None:
    app.command()(drill)


def drill(
    release: Annotated[
        str, typer.Option("--release", metavar="PATH", help="Another release than the app's.", hidden=True)
    ] = "beta-optimization",
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Take a release through a fresh sandbox and back, headless; exit code 0 only if everything held."""
    from dashboard.drill.command import run_drill

    return run_drill(release, tell, os.environ)
