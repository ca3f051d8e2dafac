"""Commands of the embedded world: start it, look at it, break it, repair it, put it back."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard.cli.answer import BAD, GOOD, Answer, columns, say, tell
from dashboard.cli.options import Json, Target

if TYPE_CHECKING:
    from services.sandbox.control import ControlClient

app = typer.Typer(help="The embedded world: a target made of real parts, to practise on.", no_args_is_help=False)


class World(StrEnum):
    """How the world begins: as production was before the release, or with the release in."""

    BEFORE = "before"
    AFTER = "after"


Fault = Annotated[str, typer.Argument(metavar="FAULT", help="The fault's id; `faults` lists them.", show_default=False)]


@app.command()
def start(
    world: Annotated[
        World | None,
        typer.Option(
            "--world", help="A fresh world of this kind; else on with the one that is there.", show_default=False
        ),
    ] = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Start the world in the foreground; Ctrl-C ends it."""
    from dashboard.processes.sandbox import run_sandbox

    _only_the_sandbox(target)
    return Answer(
        {}, (), run_sandbox(world.value if world else None, tell, lambda address: say(address, as_json=as_json))
    )


@app.command()
def stop(target: Target = None, as_json: Json = False) -> Answer:
    """End the world that runs; returns when it is gone."""
    _client(target).stop()
    return Answer.of({"stopped": True}, ["The sandbox has ended."])


@app.command()
def reset(target: Target = None, as_json: Json = False) -> Answer:
    """Put everything back to how the world began: data, build, faults."""
    _client(target).reset()
    return Answer.of({"reset": True}, ["The sandbox is as it began."])


@app.command("break")
def break_fault(fault: Fault, target: Target = None, as_json: Json = False) -> Answer:
    """Break something; returns when the effect can be seen."""
    _client(target).break_fault(fault)
    return Answer.of({"broken": fault}, [f"{fault} is in effect."])


@app.command()
def repair(
    fault: Annotated[
        str | None, typer.Argument(metavar="[FAULT]", help="The fault's id; none: all.", show_default=False)
    ] = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Repair a fault, or all; returns when the effect is gone."""
    _client(target).repair(fault)
    return Answer.of({"repaired": fault or "all"}, [f"{fault or 'Every fault'} is repaired."])


@app.command()
def faults(target: Target = None, as_json: Json = False) -> Answer:
    """List what can be broken, and what is."""
    known = _client(target).faults()
    rows = [(fault["id"], "broken" if fault["active"] else "", fault["what"]) for fault in known]
    return Answer.of({"faults": known}, columns(rows))


@app.command()
def status(target: Target = None, as_json: Json = False) -> Answer:
    """Say of every part whether it answers; exit code 0 only when all do, 1 when it is not running."""
    state = _client(target).status()
    parts = {name: part for name, part in state.items() if isinstance(part, dict)}
    rows = [
        (name, "answers" if part["answers"] else "SILENT", f"{part['url']}  {part['detail']}")
        for name, part in parts.items()
    ]
    lines = [*columns(rows), f"world: {state['world']}; faults in effect: {', '.join(state['faults']) or 'none'}"]
    return Answer.of(state, lines, GOOD if state["ok"] else BAD)


def _client(target: str | None) -> ControlClient:
    from dashboard.processes.home import home_folder
    from services.sandbox.control import client

    _only_the_sandbox(target)
    return client(home_folder())


def _only_the_sandbox(target: str | None) -> None:
    from services.errors import NotUnderstood

    if target not in (None, "sandbox"):
        raise NotUnderstood(
            f"{target} is not the embedded world.", "Nothing was done.", "Leave --target out here.", place="--target"
        )
