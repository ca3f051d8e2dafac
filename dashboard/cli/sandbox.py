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


Faults = Annotated[
    list[str] | None,
    typer.Argument(metavar="FAULT...", help="The faults' ids; `faults` lists them.", show_default=False),
]


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
def break_fault(
    faults: Faults = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draw the faults, the same for the same number.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option("--count", help="How many to draw with --seed.")] = 2,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Break one thing or several; returns when the effect can be seen."""
    _one_of_both(faults or [], seed)
    client = _client(target)
    chosen = _chosen([fault["id"] for fault in client.faults()], faults or [], seed, count)
    for fault in chosen:
        client.break_fault(fault)
    return Answer.of({"broken": chosen}, [f"{fault} is in effect." for fault in chosen])


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
def faults(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the page docs/faults.md; needs no running sandbox.")
    ] = False,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """List what can be broken, and what is."""
    if markdown:
        return _fault_page(target)
    known = _client(target).faults()
    lines: list[str] = []
    for group in dict.fromkeys(fault["group"] for fault in known):
        rows = [
            (fault["id"], "broken" if fault["active"] else "", fault["what"])
            for fault in known
            if fault["group"] == group
        ]
        lines += [group, *columns(rows), ""]
    return Answer.of({"faults": known}, lines[:-1])


def _fault_page(target: str | None) -> Answer:
    from apps.pulsecheck.twin.definition import TWIN
    from services.sandbox.faults import faults_of
    from services.sandbox.faults.catalogue import markdown

    _only_the_sandbox(target)
    page = markdown(faults_of(TWIN).values())
    return Answer.of({"markdown": page}, page.splitlines())


def _one_of_both(named: list[str], seed: int | None) -> None:
    from services.errors import NotUnderstood

    if bool(named) == (seed is not None):
        raise NotUnderstood(
            "Either name the faults, or give a seed.", "Nothing was broken.", "`sandbox faults` lists them.", "FAULT"
        )


def _chosen(known: list[str], named: list[str], seed: int | None, count: int) -> list[str]:
    """The named faults, all known before the first is made; or, with a seed, as many drawn from all."""
    from services.errors import NotUnderstood
    from services.sandbox.faults.catalogue import drawn

    if seed is not None:
        return drawn(known, seed=seed, count=count)
    unknown = [fault for fault in named if fault not in known]
    if unknown:
        raise NotUnderstood(
            f"There is no fault called '{unknown[0]}'.",
            "Nothing was broken.",
            "`sandbox faults` lists them.",
            place="FAULT",
        )
    return named


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
