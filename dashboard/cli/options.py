"""The options that commands share, so that each is spelled and explained in one place."""

from __future__ import annotations

from typing import Annotated

import typer

Target = Annotated[
    str | None,
    typer.Option("--target", metavar="T", help="The target; else OPS_TARGET, else sandbox.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, all else on standard error.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="A database instead of a target: postgresql://... or env:NAME (a password in a command line shows in ps).",
        show_default=False,
    ),
]
ReleaseName = Annotated[
    str, typer.Argument(metavar="RELEASE", help="A release's id, its folder, or a .sql file.", show_default=False)
]
Confirm = Annotated[
    str | None, typer.Option("--confirm", metavar="PHRASE", help="The phrase, typed exactly.", show_default=False)
]
