"""Knows how a question becomes a verification query of a release: a file that says what an empty answer proves."""

from __future__ import annotations

import os
import re
import textwrap
from datetime import datetime
from pathlib import Path

from services.access.permissions import Actor, Permission
from services.clients.redaction import redact
from services.console.history import mark_saved
from services.console.question import read_question
from services.errors import NotUnderstood, Refused
from services.releases.bundle import Release
from services.store import audit
from services.store.database import Store

_NAME = re.compile(r"[a-z][a-z0-9_]{2,50}")
_WIDTH = 116


def query_text(text: str, proves: str) -> str:
    """The file's text. Raises as `read_question`, and NotUnderstood without a sentence on what it proves."""
    read_question(text)
    sentence = " ".join(proves.split())
    if len(sentence) < 10:
        raise NotUnderstood(
            "A verification query says what an empty answer proves.", "Nothing was saved.", "Write it.", "proves"
        )
    comment = textwrap.fill(sentence, _WIDTH, initial_indent="-- ", subsequent_indent="-- ")
    return f"{comment}\n{text.strip().rstrip(';').rstrip()}\n;\n"


def file_name(release: Release, name: str) -> str:
    """The name with the next free number before it, as the release's own files have. Raises NotUnderstood."""
    if not _NAME.fullmatch(name):
        raise NotUnderstood(
            "The name is not understood.",
            "Nothing was saved.",
            "Use lower-case letters, digits and underscores: premium_kept.",
            "name",
        )
    numbers = [int(found[1]) for query in release.verify if (found := re.match(r"(\d+)_", Path(query.file).name))]
    return f"{(max(numbers, default=0) // 10 + 1) * 10:03}_{name}.sql"


def save_query(
    store: Store,
    release: Release,
    *,
    actor: Actor,
    target: str,
    name: str,
    text: str,
    proves: str,
    now: datetime,
    asked_id: str | None = None,
) -> Path:
    """Write the query into the release's folder; returns its path. A file that is there is never written over.

    The release has another content afterwards: it has to be rehearsed again, and runs that are pinned go on as they
    were. Raises NotUnderstood, and Refused where the folder cannot be written.
    """
    actor.require(Permission.REHEARSE, target)
    body = query_text(text, proves)
    if release.folder is None:
        raise Refused(f"{release.id} is not a folder.", "Nothing was saved.", "Take the query as a file instead.")
    path = release.folder / "verify" / file_name(release, name)
    try:
        path.parent.mkdir(exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(body)
    except OSError as error:
        raise Refused(
            f"The release's folder cannot be written to ({error.strerror}).",
            "Nothing was saved.",
            "Take the query as a file, and put it into the release where it is kept.",
        ) from None
    with store.write() as tx:
        audit.record(
            tx,
            actor=actor.id,
            action="save a verification query",
            target=target,
            subject=f"{release.id}/{path.name}",
            now=now,
            detail={"sql": redact(body)},
        )
    if asked_id is not None:
        mark_saved(store, asked_id, path.name)
    return path
