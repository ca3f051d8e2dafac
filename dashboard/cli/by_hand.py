"""`deploy --as-script` and `deploy --look`: a deploy as files for an editor, and whether they were run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dashboard import composition
from dashboard.cli.answer import OF_VERDICT, Answer
from dashboard.cli.on_a_target import ended_job, release_for, require_rehearsal
from dashboard.cli.person import person
from dashboard.cli.targets import target_of
from services.database.by_hand.editor_script import EDITOR_S, EditorScript
from services.database.by_hand.plan import EDITOR_ROLE
from services.errors import NotUnderstood, Refused


def refuse_phrase(phrase: str | None) -> None:
    """Raise NotUnderstood for a phrase: what is written here changes nothing by itself."""
    if phrase is not None:
        raise NotUnderstood(
            "Nothing is changed here, so there is nothing to confirm.",
            "No script was written.",
            "Leave --confirm out, or leave --as-script out to deploy.",
            place="--confirm",
        )


def write(reference: str, named: str | None, folder: Path, *, accept_loss: bool) -> Answer:
    """Write the files into `folder`; a release that has not passed a rehearsal on the target is rehearsed first."""
    from services.jobs.by_hand import scripts_by_hand

    target = target_of(named)
    release = release_for(reference, target)
    actor = person(target)
    require_rehearsal(reference, target, release)
    files = scripts_by_hand(
        composition.store(),
        actor=actor,
        target=target,
        release=release,
        now=composition.now(),
        accept_loss=accept_loss,
    )
    return _told(files, folder)


def write_for(reference: str, url: str, named: str | None, folder: Path, *, accept_loss: bool) -> Answer:
    """The same for a database given by its URL, rehearsed now; the script runs as the role of that URL."""
    from dashboard.cli.on_a_database import DATABASE, actor_here, given, rehearsed_now
    from services.database.by_hand.editor_script import editor_scripts
    from services.database.by_hand.plan import plan_of
    from services.database.connect import connection_parameters

    release, address = given(reference, url, named)
    now = composition.now()
    result, wanted = rehearsed_now(release, address, now)
    plan = plan_of(
        result.to_json(),
        result.before,
        result.after,
        wanted.scripts,
        release.verify,
        release_id=release.id,
        target=DATABASE,
        plan_hash=release.content_hash,
        actor=actor_here(),
        role=connection_parameters(address).get("user", EDITOR_ROLE),
        accept_loss=accept_loss,
        listings=wanted.listings,
    )
    return _told(editor_scripts(plan, now), folder)


def _told(files: Sequence[EditorScript], folder: Path) -> Answer:
    paths = _written(files, folder)
    took = sum(one.took_ms for one in files)
    document: dict[str, Any] = {
        "files": [
            {"path": str(path), "alone": one.alone, "rehearsed_ms": round(one.took_ms, 1)}
            for one, path in zip(files, paths, strict=True)
        ],
        "rehearsed_ms": round(took, 1),
        "editor_s": EDITOR_S,
    }
    fits = "which fits" if took < EDITOR_S * 1000 / 2 else "which may not fit: use psql on a direct connection"
    lines = [str(path) for path in paths]
    lines.append(f"On the copy it took {took / 1000:.1f} s; the SQL Editor gives up after about {EDITOR_S} s, {fits}.")
    return Answer.of(document, lines)


def _written(files: Sequence[EditorScript], folder: Path) -> list[Path]:
    paths = [folder / one.name for one in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one, path in zip(files, paths, strict=True):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(one.sql)
    except OSError as error:
        raise Refused(
            f"The script cannot be written to {folder} ({error.strerror}).",
            "Nothing was changed on the target.",
            "Name another folder with --out.",
            place="--out",
        ) from None
    return paths


def look(reference: str, named: str | None) -> Answer:
    """Whether a deploy that was run by hand is there: the receipt and the rehearsed catalog, by the reading role."""
    target = target_of(named)
    release = release_for(reference, target)
    result = dict(ended_job("find_deploy", target, release, reference, {}).result or {})
    return Answer.of(result, [str(result["summary"])], OF_VERDICT[str(result["verdict"])])


def look_at(reference: str, url: str, named: str | None) -> Answer:
    """The same of a database given by its URL."""
    from dashboard.cli.on_a_database import given
    from services.database.by_hand.seen import seen_by_hand

    release, address = given(reference, url, named)
    found = seen_by_hand(address, release.id, release.content_hash)
    return Answer.of(found.to_json(), [found.summary], OF_VERDICT[found.verdict.value])
