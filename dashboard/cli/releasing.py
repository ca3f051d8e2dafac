"""Commands that take a release to a database and back: lint, rehearse, deploy, verify, rollback, restore, record."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dashboard.cli.annotations import ReportFormat
from dashboard.cli.answer import Answer
from dashboard.cli.options import Confirm, Database, Json, ReleaseName, Target


class Rows(StrEnum):
    """How many of the target's rows a rehearsal copies."""

    ALL = "all"
    SAMPLE = "sample"
    NONE = "none"


class Format(StrEnum):
    """What a record is written as."""

    MD = "md"
    JSON = "json"
    PDF = "pdf"


Form = Annotated[
    ReportFormat,
    typer.Option("--format", help="What findings are written as; github and sarif name file and line from the root."),
]


def register(app: typer.Typer) -> None:
    for command in (lint, rehearse, deploy, verify, rollback, restore, record):
        app.command()(command)


def lint(release: ReleaseName, form: Form = ReportFormat.TEXT, target: Target = None, as_json: Json = False) -> Answer:
    """Read a release folder and its scripts, and name what is wrong."""
    from dashboard.cli.linting import lint_release

    return lint_release(release, target, ReportFormat.TEXT if as_json else form)


def rehearse(
    release: ReleaseName,
    database: Database = None,
    rows: Annotated[
        Rows | None,
        typer.Option("--rows", help="Rows to copy; else all of a small database that is not production, else none."),
    ] = None,
    predict: Annotated[
        bool, typer.Option("--predict", help="Reckon times on the target's real size, by calibration; takes longer.")
    ] = False,
    form: Form = ReportFormat.TEXT,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Execute the deploy twice on a shadow; the target itself is only read."""
    from dashboard.cli import on_a_database, on_a_target
    from dashboard.cli.linting import rehearsal_as

    policy = rows.value if rows else None

    def work() -> Answer:
        if database is not None:
            return on_a_database.rehearse(release, database, target, policy, predict=predict)
        return on_a_target.rehearse(release, target, policy, predict=predict)

    return rehearsal_as(work, release, target, ReportFormat.TEXT if as_json else form)


def deploy(
    release: ReleaseName,
    database: Database = None,
    confirm: Confirm = None,
    accept_stall: Annotated[
        float | None,
        typer.Option("--accept-stall", metavar="MS", min=0, help="Writers may be kept waiting for so many ms."),
    ] = None,
    rehearsal: Annotated[
        Path | None,
        typer.Option(
            "--rehearsal",
            metavar="FILE",
            help="With --database: what `rehearse --json` printed; another content or catalog stops the deploy.",
        ),
    ] = None,
    as_script: Annotated[
        bool, typer.Option("--as-script", help="Change nothing: write it as SQL for Supabase's SQL Editor.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="With --as-script: where to write it; else here.", show_default=False
        ),
    ] = None,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss", help="With --as-script: also where it destroys or changes rows and keeps no copy."
        ),
    ] = False,
    look: Annotated[
        bool, typer.Option("--look", help="Only look whether such a script was run: by its receipt and the catalog.")
    ] = False,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Change the database, wholly or not at all, verified before COMMIT. Phrase: "deploy NAME to TARGET"."""
    from dashboard.cli import by_hand, on_a_database, on_a_target
    from services.errors import NotUnderstood

    by_hand.refuse_useless(
        as_script=as_script,
        look=look,
        rehearsal=rehearsal,
        accept_stall_ms=accept_stall,
        out=out,
        loss=accept_loss,
    )
    if as_script or look:
        by_hand.refuse_phrase(confirm)
    if look:
        return by_hand.look(release, target) if database is None else by_hand.look_at(release, database, target)
    if as_script:
        folder = out or Path()
        if database is None:
            return by_hand.write(release, target, folder, accept_loss=accept_loss, accept_stall_ms=accept_stall)
        return by_hand.write_for(
            release, database, target, folder, accept_loss=accept_loss, accept_stall_ms=accept_stall
        )
    if database is not None:
        return on_a_database.deploy(release, database, target, confirm, rehearsal, accept_stall)
    if rehearsal is not None:
        raise NotUnderstood(
            "--rehearsal goes with --database.",
            "Nothing was changed.",
            "On a target the deploy is bound to its newest rehearsal by itself.",
            place="--rehearsal",
        )
    return on_a_target.deploy(release, target, confirm, accept_stall)


def verify(
    release: ReleaseName,
    database: Database = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Run the release's verification queries: no row means healthy."""
    from dashboard.cli import on_a_database, on_a_target

    if database is not None:
        return on_a_database.verify(release, database, target)
    return on_a_target.verify(release, target)


def rollback(
    release: ReleaseName,
    database: Database = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would go.")] = False,
    confirm: Confirm = None,
    keep_days: Annotated[
        int | None,
        typer.Option(
            "--keep-days", min=1, metavar="N", help="Days that what goes is kept; else 30.", show_default=False
        ),
    ] = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Take the release out of the database, with a proved snapshot. Phrase: "rollback NAME on TARGET"."""
    from dashboard.cli import on_a_database, on_a_target
    from services.errors import NotUnderstood

    if preview == (confirm is not None):
        raise NotUnderstood(
            "A rollback is either previewed or confirmed.",
            "Nothing was changed.",
            "Give --preview, or --confirm with the phrase.",
            place="--preview, --confirm",
        )
    if database is not None:
        return on_a_database.rollback(release, database, target, confirm, keep_days)
    return on_a_target.rollback(release, target, confirm, keep_days)


def restore(
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="The snapshot's id.", show_default=False)],
    undo: Annotated[
        bool,
        typer.Option(
            "--undo",
            help="Also remove what the change had made and nobody altered since, rows and objects.",
        ),
    ] = False,
    confirm: Confirm = None,
    database: Database = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Put back what a snapshot keeps. With --undo the change is taken back whole. Phrase: "undo SNAPSHOT on TARGET"."""
    from dashboard.cli import on_a_database, on_a_target
    from services.errors import NotUnderstood

    if confirm is not None and not undo:
        raise NotUnderstood(
            "--confirm goes with --undo.", "Nothing was changed.", "Give both, or neither.", place="--confirm"
        )
    if database is not None:
        return on_a_database.restore(snapshot, database, target, undo=undo, phrase=confirm)
    return on_a_target.restore(snapshot, target, undo=undo, phrase=confirm)


def record(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id; /history lists them.", show_default=False)],
    form: Annotated[Format, typer.Option("--format", help="What it is written as.")] = Format.MD,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Write down a run: every step with its state, decisions, evidence and jobs."""
    from dashboard.cli.recording import record_run

    return record_run(run, "json" if as_json else form.value)
