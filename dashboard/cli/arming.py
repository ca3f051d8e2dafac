"""Commands that arm a target for one run and disarm it again, and the hidden one that carries out a job with it."""

from __future__ import annotations

import getpass
import os
import re
import sys
from datetime import timedelta
from typing import Annotated

import typer

from dashboard.cli.answer import Answer, tell
from dashboard.cli.options import Json, Target
from services.errors import NotUnderstood

_SPAN = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?")


def register(app: typer.Typer) -> None:
    app.command()(arm)
    app.command()(disarm)
    app.command("armed-job", hidden=True)(armed_job)


def arm(
    target: Target = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="The run it is for; else the newest.", show_default=False),
    ] = None,
    lasting: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="How long at most: 90m, 4h, 1h30m.", show_default=False),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", metavar="env:NAME", help="Where the owner's address is; else asked for.", show_default=False
        ),
    ] = None,
    superuser: Annotated[bool, typer.Option("--superuser", help="Take a superuser's address too.")] = False,
    as_json: Json = False,
) -> Answer:
    """Prove the owner's database address and hold it in the worker's memory, for one run only."""
    from dashboard import composition
    from dashboard.cli.person import person
    from dashboard.cli.targets import target_to_change
    from services.database.connect import place_of
    from services.jobs.arming import Wanted, refuse_arming
    from services.jobs.door import hand_over
    from services.jobs.owner_proof import prove_owner
    from services.jobs.safe import refuse_core_dumps
    from services.releases.ledger import latest_run

    if database is not None and not database.startswith("env:"):
        raise NotUnderstood(
            "An address in a command line can be read by everybody on this machine (ps shows it).",
            "Nothing was contacted. If a real password stood there, change it.",
            "Leave --database out and type the address when asked, or name a variable: --database env:NAME.",
            place="--database",
        )
    settings, chosen = composition.settings(), target_to_change(target, "Nothing was armed.")
    span = timedelta(hours=settings.arm_hours) if lasting is None else span_of(lasting)
    now, store = composition.now(), composition.store()
    newest = latest_run(store, chosen.name)
    run_id = run or (newest.id if newest else None)
    # First what needs no address: nobody should type one only to be refused.
    wanted = Wanted(chosen.name, run_id, "", "", person(chosen), now + span)
    refuse_arming(store, chosen, wanted, now)
    refuse_core_dumps()
    address = _address(database, chosen.name)
    proof = prove_owner(address, chosen, superuser=superuser)
    wanted = Wanted(chosen.name, run_id, place_of(address), proof.role, wanted.actor, composition.now() + span)
    answer = hand_over(settings.home, wanted.to_json(), address.encode())
    document = {
        "armed": {**wanted.to_json(), "id": answer["arming"], "worker": answer["worker"]},
        "seen": list(proof.seen),
        "could_also": list(proof.could_also),
    }
    whose = f"for run {run_id}" if run_id else "for whatever is asked of it"
    lines = [
        f"{chosen.name} is armed {whose}, until {wanted.until:%Y-%m-%d %H:%M} UTC, as {proof.role} at {proof.place}.",
        *(f"  seen: {one}" for one in proof.seen),
        *(f"  this address could also {one}" for one in proof.could_also),
        "It is in the worker's memory only, and forgotten when the run or the time is over, with the worker, and by "
        f"`disarm --target {chosen.name}`.",
    ]
    return Answer.of(document, lines)


def disarm(target: Target = None, as_json: Json = False) -> Answer:
    """Make the worker forget the owner's database address now."""
    from dashboard import composition
    from dashboard.cli.person import person
    from dashboard.cli.targets import target_to_change
    from services.jobs.arming import disarm as end_arming

    chosen = target_to_change(target)
    ended = end_arming(composition.store(), person(chosen), chosen.name, composition.now())
    said = f"{chosen.name} is disarmed; the worker forgets the address within a second."
    return Answer.of({"disarmed": ended.id, "target": chosen.name}, [said])


def armed_job(
    job: Annotated[str, typer.Argument(help="The job's id.")],
    for_worker: Annotated[str, typer.Option("--for", help="The worker it acts for.")],
) -> Answer:
    """Carry out one job with the address on standard input."""
    from dashboard.processes.armed_job import run_armed_job

    return Answer({}, (), run_armed_job(job, for_worker))


def span_of(text: str) -> timedelta:
    """A time like 90m, 4h or 1h30m. Raises NotUnderstood for anything else."""
    found = _SPAN.fullmatch(text.strip().lower())
    span = timedelta(hours=int(found[1] or 0), minutes=int(found[2] or 0)) if found else timedelta()
    if not span:
        raise NotUnderstood(f"'{text}' is not a time.", "Nothing was armed.", "Write 90m, 4h or 1h30m.", place="--for")
    return span


def _address(named: str | None, target: str) -> str:
    from services.database.connect import resolve_url

    if named is not None:
        return resolve_url(named, os.environ)
    if not sys.stdin.isatty():
        raise NotUnderstood(
            "There is no terminal to ask for the address at.",
            "Nothing was armed.",
            "Run it in a terminal, or put the address into a variable and name it: --database env:NAME.",
            place="--database",
        )
    tell(f"The address of {target}'s database as its owner (postgresql://...); it is not shown and not kept on disk.")
    return getpass.getpass("Address: ", sys.stderr).strip()
