"""The command that connects a target: makes it, keeps its keys, proves its levels, grants them and takes them back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dashboard.cli.answer import BAD, GOOD, OF_VERDICT, UNKNOWN, Answer, columns, tell
from dashboard.cli.options import Json, Target

_NEW = "NEW"


def register(app: typer.Typer) -> None:
    app.command()(connect)


def connect(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar=f"[{_NEW}]", help="A target to make, with --url, or one to go on with.", show_default=False
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The address of the app of a new target.")
    ] = None,
    app: Annotated[str, typer.Option("--app", metavar="APP", help="Which app a new target runs.")] = "pulsecheck",
    disposable: Annotated[bool, typer.Option("--disposable", help="A new target that may be lost.")] = False,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=env:VARIABLE", help="Keep a key, read from a variable.", show_default=False),
    ] = None,
    granted: Annotated[
        list[str] | None,
        typer.Option("--grant", metavar="LEVEL", help="Prove a level, then grant it.", show_default=False),
    ] = None,
    taken_back: Annotated[
        str | None,
        typer.Option("--take-back", metavar="LEVEL", help="Take a level and its keys back.", show_default=False),
    ] = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Go through a target's levels, one by one: what each needs, what its keys prove, granting and taking back."""
    from dashboard.cli import levels

    if url is not None:
        levels.make(_one_name(name, target), url, app=app, disposable=disposable)
    chosen = _chosen(name or target, changes=bool(url or given or granted or taken_back))
    if given:
        levels.keep(chosen, levels.from_variables(given))
    if taken_back is not None:
        return _taken_back(levels.take_back(chosen, levels.level_called(taken_back)), taken_back)
    for level in [levels.level_called(one) for one in granted or ()]:
        levels.prove_and_grant(chosen, level)
    if name is not None and not (given or granted):
        _guide(chosen, as_json)
    return _stand(levels.stand_of(chosen))


def _one_name(name: str | None, target: str | None) -> str:
    from services.errors import NotUnderstood

    if name is None:
        raise NotUnderstood(
            "A new target needs a name.",
            "Nothing was made.",
            "Write `connect NAME --url URL`; --target names one that is there already.",
            place="NEW",
        )
    if target not in (None, name):
        raise NotUnderstood("Two targets are named.", "Nothing was made.", "Leave --target out.", place="--target")
    return name


def _chosen(named: str | None, *, changes: bool) -> str:
    """The target that is meant; for a change it must be spelled out as everywhere."""
    from dashboard.cli.targets import target_of, target_to_change

    return (target_to_change(named) if changes else target_of(named)).name


def _guide(chosen: str, as_json: bool) -> None:
    """At a terminal, level by level; elsewhere one sentence that says how a script goes on."""
    from dashboard.cli import guiding

    if guiding.at_a_terminal() and not as_json:
        guiding.guide(chosen)
        return
    tell(f"This is no terminal: go on with `connect {chosen} --set KEY=env:VARIABLE --grant LEVEL`.")


def _stand(levels: list[dict[str, Any]]) -> Answer:
    """How each level stands. The worst of what is granted decides; what shows only by writing decides nothing."""
    granted = [one["verdict"] for one in levels if one["granted"] and not one["by_writing_only"]]
    lines = columns([_line(one) for one in levels])
    code = max((OF_VERDICT[v] for v in granted), key={GOOD: 0, UNKNOWN: 1, BAD: 2}.__getitem__, default=UNKNOWN)
    return Answer.of({"levels": levels}, lines, code)


def _line(one: dict[str, Any]) -> tuple[str, ...]:
    return one["level"], "granted" if one["granted"] else "-", one["verdict"], one["summary"]


def _taken_back(gone: dict[str, Any], level: str) -> Answer:
    keys = ", ".join(gone["taken_out"]) or "none"
    lines = [f"'{level}' is taken back; keys that went with it: {keys}.", *gone["do"]]
    lines += ["", *gone["sql"].splitlines()] if gone["sql"] else []
    return Answer.of(gone, lines)
