"""The command line's frame: every command, how arguments that cannot be understood end, and how errors are told."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import typer
from typer.exceptions import TyperException

from dashboard.cli import (
    approving,
    arming,
    backing_up,
    connecting,
    drilling,
    keeping,
    processes,
    recovering,
    releasing,
    sandbox,
    seeing,
)
from dashboard.cli.answer import Answer, error_answer, print_answer
from services.errors import NotUnderstood, OpsError, Unavailable

STOPPED = 130
PIPE_CLOSED = 141


app = typer.Typer(
    name="python -m dashboard",
    help="Take a release to a target, see every effect, and put it back. Exit codes: 0 good, 1 bad, 2 unknown, 64 not "
    "understood.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (processes, seeing, connecting, releasing, approving, keeping, backing_up, arming, drilling, recovering):
    group.register(app)
app.add_typer(sandbox.app, name="sandbox")


def main(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code. Never raises, and never shows a traceback."""
    as_json = "--json" in argv
    out = sys.stdout
    # Whatever a library prints goes to standard error: standard output holds the answer and nothing else.
    sys.stdout = sys.stderr if as_json else out
    try:
        answer = _in_form(_answer(list(argv), out), argv)
        if answer.document or answer.lines:
            print_answer(answer, as_json=as_json, out=out)
        return answer.exit_code
    except BrokenPipeError:
        # Whoever read our answer has left; Python would complain once more while it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return PIPE_CLOSED
    finally:
        sys.stdout = out


def _answer(argv: list[str], out: TextIO) -> Answer:
    try:
        given = app(args=argv, prog_name="python -m dashboard", standalone_mode=False)
    except OpsError as error:
        return error_answer(error)
    except TyperException as error:
        return error_answer(_usage(error))
    except BrokenPipeError:
        raise
    except Exception as error:
        return error_answer(_defect(error))
    if isinstance(given, Answer):
        return given
    if given == STOPPED:
        return error_answer(Stopped("Stopped by a signal."))
    return Answer({}, (), int(given or 0))


def _in_form(answer: Answer, argv: Sequence[str]) -> Answer:
    """An error in the form that was asked of `lint` and `rehearse`, also one that came before or instead of them."""
    form = _form_of(argv) if "error" in answer.document else None
    if form is None:
        return answer
    from dashboard.cli.annotations import ReportFormat, error_annotated

    named = [one for one in ReportFormat if one.value == form and one is not ReportFormat.TEXT]
    return error_annotated(answer, named[0], Path()) if named else answer


def _form_of(argv: Sequence[str]) -> str | None:
    """What --format says; None where --json says it, or where the command is one that tells no findings."""
    if not argv or argv[0] not in ("lint", "rehearse") or "--json" in argv:
        return None
    joined = [one.partition("=")[2] for one in argv if one.startswith("--format=")]
    apart = [value for one, value in pairwise(argv) if one == "--format"]
    return next(iter(joined + apart), None)


class Stopped(OpsError):
    """Ctrl-C, before there was an answer."""

    exit_code = STOPPED


def _usage(error: TyperException) -> NotUnderstood:
    return NotUnderstood(
        error.format_message(), "Nothing was done.", "`python -m dashboard --help` lists the commands.", "command line"
    )


def _defect(error: Exception) -> Unavailable:
    """A defect of ours as a sentence; where it happened goes to a log that holds no message and no value."""
    reference = secrets.token_hex(4)
    place = _write_down(error, reference)
    return Unavailable(
        f"This command ended in a defect of the dashboard ({type(error).__name__}), reference {reference}.",
        "What it was asked for may be done, half done or not done: look before you ask again.",
        f"{place} says where in the code it happened.",
    )


def _write_down(error: Exception, reference: str) -> str:
    from dashboard.processes.home import home_folder
    from dashboard.processes.logs import where

    path = home_folder() / "logs" / "command-line.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write("\n".join([f"reference {reference}", *where(error)]) + "\n")
    except OSError:
        return "No log could be written; this"
    return str(path)
