"""The command about backups: take one, list them, delete old ones, prove a file, restore one, make a key pair."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboard.cli.answer import OF_VERDICT, Answer, columns, tell
from dashboard.cli.options import Confirm, Json, Target
from services.errors import NotUnderstood, Refused

if TYPE_CHECKING:
    from services.database.backup.encryption import Identity
    from services.database.backup.manifest import Manifest, Proof


def register(app: typer.Typer) -> None:
    app.command()(backup)


def backup(
    show: Annotated[bool, typer.Option("--list", help="List the backups of the target.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete those that are kept long enough.")] = False,
    prove: Annotated[
        Path | None, typer.Option("--prove", metavar="FILE", help="Restore a file on a scratch server and compare it.")
    ] = None,
    restore: Annotated[
        Path | None, typer.Option("--restore", metavar="FILE", help="Restore a file into an empty database.")
    ] = None,
    identity: Annotated[
        str | None, typer.Option("--identity", metavar="env:NAME or FILE", help="What opens the file.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", metavar="FILE", help="Its manifest, where it is not beside it.")
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", metavar="env:NAME", help="The empty database to restore into.")
    ] = None,
    confirm: Confirm = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make a key pair and print it once.")] = False,
    show_secret: Annotated[
        bool, typer.Option("--show-secret", help="Print the secret part even where no person reads along.")
    ] = False,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Take an encrypted backup of the target and prove it by restoring it; or do what an option says."""
    modes = {"--list": show, "--prune": prune, "--prove": prove, "--restore": restore, "--new-key": new_key}
    if len(asked := [name for name, given in modes.items() if given]) > 1:
        raise NotUnderstood(
            f"Several things were asked for at once: {', '.join(asked)}.",
            "Nothing was done.",
            "Ask for one of them.",
            place="command line",
        )
    if new_key:
        return _new_key(show_secret)
    if prove is not None:
        return _prove(prove, manifest, identity)
    if restore is not None:
        return _restore(restore, manifest, identity, database, confirm)
    if show:
        return _listed(target)
    return _pruned(target) if prune else _taken(target)


def _taken(named: str | None) -> Answer:
    from dashboard.cli.following import carry_out
    from dashboard.cli.targets import target_to_change
    from services.jobs.backing_up import recipient_of
    from services.jobs.queue import JobState

    target = target_to_change(named, "No backup was taken.")
    recipient_of(target)
    ended = carry_out("backup", target, {})
    result = dict(ended.result or {})
    if ended.state in (JobState.CANCELLED, JobState.INTERRUPTED):
        raise Refused(str(result.get("summary", "Its worker is gone.")), "There is no new backup.", "Ask again.")
    lines = [
        str(result["summary"]),
        f"file: {result['file']} ({int(result['bytes']):,} bytes), kept until {result['keep_until'][:10]}",
        f"contains: {result['contains']}",
        *(str(told) for told in result["not_contained"]),
        *(f"not compared: {told}" for told in result["proof"]["not_compared"]),
        str(result["verdict"]),
    ]
    return Answer.of(result, lines, OF_VERDICT[result["verdict"]])


def _listed(named: str | None) -> Answer:
    from dashboard import composition
    from dashboard.cli.person import person
    from dashboard.cli.targets import target_of
    from services.access.permissions import Permission
    from services.jobs.backups import kept_backups

    target = target_of(named)
    person(target).require(Permission.VIEW, target.name)
    found = [one.to_json() for one in kept_backups(composition.store(), target.name)]
    lines = columns(
        [
            (one["verdict"], one["finished"][:16], f"{one['rows']:,} rows", f"{one['bytes']:,} bytes", _place(one))
            for one in found
        ]
    )
    return Answer.of({"backups": found}, lines or [f"No backup of {target.name} has been taken."])


def _place(one: Mapping[str, Any]) -> str:
    if one["removed"]:
        return f"deleted {one['removed'][:10]}"
    gone = {True: "", False: "  (gone)", None: f"  (on {one['host']})"}[one["there"]]
    return f"{one['file']}{gone}  until {one['keep_until'][:10]}"


def _pruned(named: str | None) -> Answer:
    from dashboard import composition
    from dashboard.cli.person import person
    from dashboard.cli.targets import target_to_change
    from services.jobs.backups import prune

    target = target_to_change(named, "Nothing was deleted.")
    gone = prune(composition.store(), actor=person(target), target=target, now=composition.now())
    lines = [f"deleted {one.file}" for one in gone] or ["Nothing is old enough, with a newer proved backup in place."]
    return Answer.of({"deleted": [one.to_json() for one in gone]}, lines)


def _new_key(show_secret: bool) -> Answer:
    from services.database.backup.encryption import new_key

    # With --json standard output is held back for the answer: whether a person reads it is asked of the descriptor.
    if not (show_secret or os.isatty(1)):
        raise Refused(
            "The secret part of a new key would go to a file or to another program.",
            "No key was made.",
            "Ask in a terminal, or add --show-secret where that is meant.",
            place="--new-key",
        )
    made = new_key()
    lines = [
        f"public part, for backup_recipient:  {made.recipient}",
        f"secret part, keep it elsewhere:     {made.secret}",
        "The secret part is shown this once and kept nowhere; without it no backup can be opened.",
        "Put it where you keep passwords, and not on the machine that takes the backups.",
    ]
    return Answer.of({"recipient": made.recipient, "secret": made.secret}, lines)


def _prove(file: Path, manifest: Path | None, identity: str | None) -> Answer:
    from services.database.backup.proving import prove_backup
    from services.store.clock import local_now

    known, opening = _opened(file, manifest, identity)
    with _watched() as cancelled:
        found = prove_backup(
            file, manifest=known, identities=opening, clock=local_now, emit=_tell_progress, cancelled=cancelled
        )
    return _proved(found, file, known)


def _restore(
    file: Path, manifest: Path | None, identity: str | None, database: str | None, phrase: str | None
) -> Answer:
    from services.database.backup.into import restore_backup, restore_phrase
    from services.database.connect import resolve_url
    from services.releases.actions import require_phrase
    from services.store.clock import local_now

    if database is None or not database.startswith("env:"):
        raise NotUnderstood(
            "No database to restore into was named by a variable." if database else "No database was named.",
            "Nothing was restored.",
            "Put its address into a variable and name that: --database env:NAME (a command line shows in ps).",
            place="--database",
        )
    known, opening = _opened(file, manifest, identity)
    url = resolve_url(database, os.environ)
    require_phrase(phrase, restore_phrase(known, url))
    with _watched() as cancelled:
        found = restore_backup(
            file,
            manifest=known,
            identities=opening,
            url=url,
            clock=local_now,
            emit=_tell_progress,
            cancelled=cancelled,
        )
    return _proved(found, file, known)


def _opened(file: Path, manifest: Path | None, identity: str | None) -> tuple[Manifest, tuple[Identity, ...]]:
    from services.database.backup.encryption import identities_of, read_identity
    from services.database.backup.manifest import manifest_path, read_manifest

    if identity is None:
        raise NotUnderstood(
            "Nothing was named that opens the file.",
            "Nothing was restored.",
            "Name the secret part of the key: --identity env:NAME, or a file.",
            place="--identity",
        )
    known = read_manifest(manifest or manifest_path(file))
    return known, identities_of(read_identity(identity, os.environ))


def _proved(found: Proof, file: Path, known: Manifest) -> Answer:
    document = {**found.to_json(), "file": str(file), "backup": known.id, "snapshot_at": known.snapshot_at.isoformat()}
    lines = [
        found.summary,
        f"It shows {known.target} as of {known.snapshot_at:%Y-%m-%d %H:%M} UTC.",
        *(f"not compared: {told}" for told in found.not_compared),
        found.verdict.value,
    ]
    return Answer.of(document, lines, OF_VERDICT[found.verdict.value])


@contextmanager
def _watched() -> Iterator[Callable[[], bool]]:
    """Within the block Ctrl-C is a wish to stop."""
    from dashboard.processes.signals import StopSignals
    from services.database.execution import Stopped

    with StopSignals() as signals:
        try:
            yield signals.event.is_set
        except Stopped:
            raise Refused("Stopped.", "Nothing was restored.", "Ask again when you want it done.") from None


def _tell_progress(kind: str, payload: dict[str, Any]) -> None:
    from dashboard.cli.following import sentence_of

    if sentence := sentence_of(kind, payload):
        tell(sentence)
