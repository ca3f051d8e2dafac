"""A release on a database given by its URL: no target, no store, no role; the phrase calls it `database`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dashboard import composition
from dashboard.cli import told, told_rehearsal
from dashboard.cli.answer import Answer, tell
from dashboard.cli.following import sentence_of
from dashboard.cli.on_a_target import release_for
from dashboard.cli.person import account
from dashboard.cli.rehearsal_file import rehearsal_in
from dashboard.processes.signals import StopSignals
from services.database.connect import resolve_url
from services.database.execution import Stopped
from services.database.fingerprint import Fingerprint
from services.errors import NotUnderstood, OpsError, Refused
from services.releases.actions import deploy_phrase, require_phrase, rollback_phrase, undo_phrase
from services.releases.bundle import Release
from services.releases.pending import Pending, pending_of
from services.releases.plans import refuse_another_plan, rehearsal_document
from services.releases.protected import refuse_unapproved_way
from services.settings import Target

if TYPE_CHECKING:
    from services.database.rehearsal.result import Rehearsal
    from services.database.rehearsal.shadow import RowPolicy

DATABASE = "database"


def given_address(url: str, named: str | None) -> str:
    """The database's URL. Raises NotUnderstood where a target is named beside it."""
    if named is not None:
        raise NotUnderstood(
            "Both a target and a database were given.", "Nothing was done.", "Give one of them.", "--target, --database"
        )
    return resolve_url(url, os.environ)


def given(reference: str, url: str, named: str | None) -> tuple[Release, str]:
    """The release and the database's URL."""
    address = given_address(url, named)
    return release_for(reference, Target(name=DATABASE)), address


def given_to_deploy(reference: str, url: str, named: str | None) -> tuple[Release, str]:
    """As `given`. Raises Refused where the address is that of a target on which a second person has to approve."""
    release, address = given(reference, url, named)
    refuse_unapproved_way(composition.settings(), address, release_id=release.id)
    return release, address


def rehearse(reference: str, url: str, named: str | None, rows: str | None, *, predict: bool = False) -> Answer:
    release, address = given(reference, url, named)
    policy = cast("RowPolicy | None", rows)
    result, wanted = rehearsed_now(release, address, composition.now(), rows=policy, predict=predict)
    if result.before is not None:
        _keep_catalog(result.before)
    return told_rehearsal.rehearsal(rehearsal_document(release, wanted, result))


def rehearsed_now(
    release: Release, address: str, now: datetime, *, rows: RowPolicy | None = None, predict: bool = False
) -> tuple[Rehearsal, Pending]:
    """Rehearse what the database has not had of the release. Raises as `rehearse` and `pending_of`."""
    from services.database.rehearsal.rehearse import rehearse as rehearse_scripts

    wanted = pending_of(address, release, now)
    with _watched() as cancelled:
        result = rehearse_scripts(
            address,
            wanted.scripts,
            rows=rows,
            rollback=release.rollback,
            verify=release.verify,
            predict=predict,
            emit=_tell,
            cancelled=cancelled,
        )
    return result, wanted


def _keep_catalog(catalog: Fingerprint) -> None:
    """Keep what was rehearsed against, so that a deploy can say what has changed since. Where our own store cannot be
    opened, it can still say that something has."""
    from services.releases.catalogs import keep_catalog

    with suppress(OpsError):
        keep_catalog(composition.store(), catalog, composition.now())


def _kept_catalog(digest: str) -> Fingerprint | None:
    from services.releases.catalogs import catalog_of

    with suppress(OpsError):
        return catalog_of(composition.store(), digest)
    return None


def deploy(
    reference: str,
    url: str,
    named: str | None,
    phrase: str | None,
    rehearsal: Path | None = None,
    accept_stall_ms: float | None = None,
) -> Answer:
    """rehearsal: the file with what `rehearse --json` printed; the deploy is then bound to it."""
    from services.database.deployment import deploy as database_deploy

    release, address = given_to_deploy(reference, url, named)
    require_phrase(phrase, deploy_phrase(release.id, DATABASE))
    plan = rehearsal_in(rehearsal, release) if rehearsal is not None else {}
    digest = plan.get("target_fingerprint")
    wanted = pending_of(address, release, composition.now())
    if rehearsal is not None:
        refuse_another_plan(plan, release, wanted)
    with _watched() as cancelled:
        done = database_deploy.deploy(
            address,
            wanted.scripts,
            release.verify,
            release_id=release.id,
            plan_hash=release.content_hash,
            actor=actor_here(),
            emit=_tell,
            cancelled=cancelled,
            expected_fingerprint=(_kept_catalog(digest) or digest) if digest else None,
            order=plan.get("order"),
            predicted=plan.get("statements"),
            accept_stall_ms=accept_stall_ms,
            keep_inverse=not release.rollback,
            listings=wanted.listings,
        )
    return told.deployment(done.to_json())


def verify(reference: str, url: str, named: str | None) -> Answer:
    from services.database import verification

    release, address = given(reference, url, named)
    with _watched() as cancelled:
        result = verification.verify(address, release.verify, emit=_tell, cancelled=cancelled)
    return told.verification(result.to_json())


def rollback(reference: str, url: str, named: str | None, phrase: str | None, keep_days: int | None = None) -> Answer:
    """Roll back, or only say what would go (phrase None). A release without scripts goes back by those derived."""
    from services.database.rollback import roll_back as database_rollback

    release, address = given(reference, url, named)
    if phrase is None:
        seen = database_rollback.preview_of(address, release.id, release.rollback, on_a_copy=True, emit=_tell)
        return told.previewed(seen)
    require_phrase(phrase, rollback_phrase(release.id, DATABASE))
    with _watched() as cancelled:
        done = database_rollback.rollback(
            address,
            release.id,
            release.rollback,
            actor=actor_here(),
            emit=_tell,
            cancelled=cancelled,
            keep_days=keep_days or database_rollback.KEEP_DAYS,
        )
    return told.rolled_back(done.to_json())


def restore(snapshot: str, url: str, named: str | None, *, undo: bool = False, phrase: str | None = None) -> Answer:
    """Put back what the snapshot keeps; undo, with its phrase: also remove what the change had made."""
    from services.database.rollback import restoring as database_restore

    if named is not None:
        raise NotUnderstood("Both a target and a database were given.", "Nothing was done.", "Give one of them.")
    if undo:
        require_phrase(phrase, undo_phrase(snapshot, DATABASE))
    with _watched() as cancelled:
        address = resolve_url(url, os.environ)
        done = database_restore.restore(
            address, snapshot, undo=undo, actor=actor_here(), emit=_tell, cancelled=cancelled
        )
    return told.restored(done.to_json())


@contextmanager
def _watched() -> Iterator[Callable[[], bool]]:
    """Within the block Ctrl-C is a wish to stop at the next safe point, where all is applied or nothing."""
    with StopSignals() as signals:
        try:
            yield signals.event.is_set
        except Stopped:
            raise Refused(
                "Stopped before COMMIT.", "Nothing was changed.", "Ask again when you want it done."
            ) from None


def _tell(kind: str, payload: Mapping[str, Any]) -> None:
    sentence = sentence_of(kind, payload)
    if sentence:
        tell(sentence)


def actor_here() -> str:
    return f"cli:{account()}"
