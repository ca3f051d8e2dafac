"""Knows the backups that our store has written down: the newest proved one, all of them, and which may go."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, insert, select, update

from services.access.permissions import Actor, Permission
from services.database.backup.folder import SUFFIX
from services.database.backup.manifest import manifest_path
from services.database.backup.take import Backup
from services.settings import Settings, Target
from services.store import audit
from services.store.database import Store
from services.store.tables import backups
from services.verdict import Verdict


@dataclass(frozen=True, slots=True)
class KeptBackup:
    """A backup as it was written down. there: whether its file is still in place; None where it lies on another
    machine than this one. removed: when it was deleted for its age. facts: what was written beside it."""

    id: str
    target: str
    job_id: str | None
    verdict: Verdict
    started: datetime
    finished: datetime
    file: Path
    host: str
    bytes: int
    digest: str
    keep_until: datetime
    removed: datetime | None
    there: bool | None
    facts: Mapping[str, Any]

    @property
    def counts(self) -> bool:
        """Whether one can go back to it: proved, not deleted, and not known to be gone."""
        return self.verdict is Verdict.PASS and self.removed is None and self.there is not False

    @property
    def rows(self) -> int:
        return int(self.facts["rows"])

    def as_fact(self) -> dict[str, Any]:
        """What a check is told of it; `at` is the moment that the backup shows."""
        return {
            "at": self.started.isoformat(),
            "rows": self.rows,
            "bytes": self.bytes,
            "file": str(self.file),
            "host": self.host,
            "there": self.there,
            "keep_until": self.keep_until.isoformat(),
            "proof": self.facts["proof"]["summary"],
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "verdict": self.verdict.value,
            "finished": self.finished.isoformat(),
            "rows": self.rows,
            "tables": self.facts["tables"],
            "bytes": self.bytes,
            "file": str(self.file),
            "host": self.host,
            "there": self.there,
            "keep_until": self.keep_until.isoformat(),
            "removed": self.removed.isoformat() if self.removed else None,
            "contains": self.facts["contains"],
            "not_contained": self.facts["not_contained"],
            "proof": self.facts["proof"]["summary"],
        }


def folder_of(settings: Settings, target: Target) -> Path:
    """Where a target's backups go: the folder it names, else one of its own below our home."""
    return target.backup_folder or settings.home / "backups" / target.name


def write_down(store: Store, done: Backup, *, target: str, job_id: str, actor: str, now: datetime) -> None:
    """Keep that a backup was taken, with what its proof showed; a job has one, whoever writes it down again."""
    manifest = done.manifest
    with store.write() as tx:
        if tx.execute(select(backups.c.id).where(backups.c.id == manifest.id)).first() is not None:
            return
        tx.execute(
            insert(backups).values(
                id=manifest.id,
                target=target,
                job_id=job_id,
                verdict=done.verdict.value,
                started=manifest.snapshot_at,
                finished=now,
                file=str(done.file),
                bytes=manifest.bytes,
                digest=manifest.sha256,
                keep_until=manifest.keep_until,
                body={**done.to_json(), "host": socket.gethostname()},
            )
        )
        audit.record(
            tx,
            actor=actor,
            action="take a backup",
            target=target,
            subject=manifest.id,
            now=now,
            detail={"verdict": done.verdict.value, "file": str(done.file), "sha256": manifest.sha256},
        )


def kept_backups(store: Store, target: str, *, limit: int = 200) -> list[KeptBackup]:
    """The newest first, those that have been deleted among them; looks whether their files are still there."""
    query = (
        select(backups)
        .where(backups.c.target == target)
        .order_by(backups.c.started.desc(), backups.c.id.desc())
        .limit(limit)
    )
    with store.read() as tx:
        return [_kept(row) for row in tx.execute(query)]


def newest_proved(store: Store, target: str) -> KeptBackup | None:
    """The newest backup that was proved and has not been deleted for its age."""
    query = (
        select(backups)
        .where(backups.c.target == target, backups.c.verdict == Verdict.PASS.value, backups.c.removed.is_(None))
        .order_by(backups.c.started.desc(), backups.c.id.desc())
        .limit(1)
    )
    with store.read() as tx:
        row = tx.execute(query).one_or_none()
    return None if row is None else _kept(row)


def _kept(row: Row[Any]) -> KeptBackup:
    file, host = Path(row.file), str(row.body["host"])
    return KeptBackup(
        id=row.id,
        target=row.target,
        job_id=row.job_id,
        verdict=Verdict(row.verdict),
        started=row.started,
        finished=row.finished,
        file=file,
        host=host,
        bytes=row.bytes,
        digest=row.digest,
        keep_until=row.keep_until,
        removed=row.removed,
        there=_has_size(file, row.bytes) or (False if host == socket.gethostname() else None),
        facts=row.body,
    )


def _has_size(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size == size
    except OSError:
        return False


def prune(store: Store, *, actor: Actor, target: Target, now: datetime) -> list[KeptBackup]:
    """Delete backups that are kept long enough, each only after a newer proved one is in place; returns them.

    Those on other machines are left to a worker there. Each deletion is audited.
    """
    actor.require(Permission.BACK_UP, target.name)
    gone = []
    newer_proved = False
    for one in kept_backups(store, target.name, limit=10_000):
        if newer_proved and one.removed is None and one.there is not None and _is_over(one, target, now):
            _delete(store, one, actor.id, now)
            gone.append(one)
        newer_proved = newer_proved or one.counts
    return gone


def _is_over(one: KeptBackup, target: Target, now: datetime) -> bool:
    """Kept as long as was promised when it was taken, and as long as is asked for now."""
    return now >= max(one.keep_until, one.started + timedelta(days=target.backup_keep_days))


def _delete(store: Store, one: KeptBackup, actor: str, now: datetime) -> None:
    if one.file.name.endswith(SUFFIX):
        one.file.unlink(missing_ok=True)
        manifest_path(one.file).unlink(missing_ok=True)
    with store.write() as tx:
        tx.execute(update(backups).where(backups.c.id == one.id, backups.c.removed.is_(None)).values(removed=now))
        audit.record(
            tx,
            actor=actor,
            action="delete a backup",
            target=one.target,
            subject=one.id,
            now=now,
            detail={"file": str(one.file), "keep_until": one.keep_until.isoformat()},
        )
