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
from services.database.by_hand.editor_script import EDITOR_S, EditorScript, at_most_of, whole_time
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


def refuse_useless(
    *, as_script: bool, look: bool, rehearsal: Path | None, accept_stall_ms: float | None, out: Path | None, loss: bool
) -> None:
    """Raise NotUnderstood for an option that would not be heeded: whoever gave it believes that it is."""
    useless = (
        ("--look", look and as_script, "does not go with --as-script"),
        (
            "--rehearsal",
            rehearsal is not None and (as_script or look),
            "goes with a deploy of our own, not with --as-script or --look",
        ),
        ("--accept-stall", accept_stall_ms is not None and look, "does not go with --look"),
        ("--out", out is not None and not as_script, "goes with --as-script"),
        ("--accept-loss", loss and not as_script, "goes with --as-script"),
    )
    for option, given, why in useless:
        if given:
            raise NotUnderstood(
                f"{option} {why}.",
                "Nothing was changed and no script was written.",
                f"Leave {option} out.",
                place=option,
            )


def write(
    reference: str, named: str | None, folder: Path, *, accept_loss: bool, accept_stall_ms: float | None = None
) -> Answer:
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
        accept_stall_ms=accept_stall_ms,
    )
    return _told(files, folder)


def write_for(
    reference: str,
    url: str,
    named: str | None,
    folder: Path,
    *,
    accept_loss: bool,
    accept_stall_ms: float | None = None,
) -> Answer:
    """The same for a database given by its URL, rehearsed now, with a prediction of its times; the script runs as the
    role that it was rehearsed as."""
    from dashboard.cli.on_a_database import DATABASE, actor_here, given_to_deploy, rehearsed_now
    from services.database.by_hand.editor_script import editor_scripts
    from services.database.by_hand.plan import plan_of

    release, address = given_to_deploy(reference, url, named)
    now = composition.now()
    result, wanted = rehearsed_now(release, address, now, predict=True)
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
        accept_loss=accept_loss,
        accept_stall_ms=accept_stall_ms,
        listings=wanted.listings,
    )
    return _told(editor_scripts(plan, now), folder)


def _told(files: Sequence[EditorScript], folder: Path) -> Answer:
    paths = _written(files, folder)
    took = sum(one.took_ms for one in files)
    at_most = at_most_of(files)
    document: dict[str, Any] = {
        "files": [
            {
                "path": str(path),
                "alone": one.alone,
                "rehearsed_ms": round(one.took_ms, 1),
                "at_most_ms": None if one.at_most_ms is None else round(one.at_most_ms, 1),
            }
            for one, path in zip(files, paths, strict=True)
        ],
        "rehearsed_ms": round(took, 1),
        "at_most_ms": None if at_most is None else round(at_most, 1),
        "editor_s": EDITOR_S,
        "way_back": files[0].way_back,
    }
    lines = [*(str(path) for path in paths), whole_time(files)]
    if len(files) > 1:
        lines.append("Run them one after the other: each stops unless those before it were run.")
    if files[0].way_back:
        lines.append(files[0].way_back)
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
