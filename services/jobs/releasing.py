"""Jobs that change a database and those that prepare it: rehearse, verify, deploy, roll back, restore."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import SecretStr

from services.app_definition import load_app
from services.database.connect import connect, inspect_connection
from services.database.deployment.deploy import Deployment
from services.database.deployment.deploy import deploy as deploy_scripts
from services.database.deployment.receipts import HIDDEN, find_receipt, outcome
from services.database.deployment.receipts import Outcome as Found
from services.database.execution import Stopped
from services.database.rehearsal.meant_breaks import broken_sentence
from services.database.rehearsal.rehearse import rehearse as rehearse_scripts
from services.database.rehearsal.shadow import RowPolicy
from services.database.rollback.restoring import restore as restore_snapshot
from services.database.rollback.roll_back import KEEP_DAYS, RollbackResult
from services.database.rollback.roll_back import rollback as roll_back_scripts
from services.database.snapshots.kept import purge_kept
from services.database.verification import verify as verify_queries
from services.errors import Refused, Unavailable
from services.jobs.app_actions import refuse_while_needed, serving_now
from services.jobs.checking import STATE_OF, last_rehearsal, look_again, prove
from services.jobs.over_rest import RestAnswers, ask_over_rest, made_relations
from services.jobs.queue import JobState
from services.jobs.worker import JobContext, Outcome
from services.releases.approvals import require_approval, use_up
from services.releases.bundle import Release, load_release
from services.releases.catalogs import catalog_of, keep_catalog
from services.releases.ledger import get_run, pin, pinned_release
from services.releases.pending import pending_of
from services.releases.plans import refuse_another_plan, rehearsal_document
from services.settings import Target
from services.verdict import Verdict, worst

MOST_BYTES_COPIED = 200_000_000


def release_of(context: JobContext) -> Release:
    """The job's release: the one its run is pinned to, else the one its payload names."""
    if context.job.run_id is not None:
        return pinned_release(context.store, get_run(context.store, context.job.run_id).content_hash)
    folder = load_app(context.target.app).folder / "releases"
    return load_release(str(context.job.payload["release"]), root=folder)


def _url(target: Target, secret: SecretStr | None, what: str) -> str:
    if secret is None:
        raise Refused(
            f"{target.name} has no {what}.", "Nothing was done.", "Set it.", place=f"targets.{target.name}.{what}"
        )
    return secret.get_secret_value()


def reading_url(target: Target) -> str:
    return _url(target, target.database_url, "database_url")


def deploying_url(target: Target) -> str:
    return _url(target, target.deploy_url, "deploy_url")


def _best_url(target: Target) -> str:
    return deploying_url(target) if target.deploy_url else reading_url(target)


def rows_policy(target: Target, wanted: RowPolicy | None = None) -> RowPolicy:
    """How many of the target's rows a rehearsal may copy: all of a small one that is not production, else none.

    wanted: what was asked for. Raises Refused where it asks for rows of production.
    """
    if target.production:
        if wanted in (None, "none"):
            return "none"
        raise Refused(
            f"{target.name} is production: its rows are not copied.",
            "Nothing was rehearsed.",
            "Rehearse with --rows none, or on a target that is not production.",
            place="--rows",
        )
    if wanted is not None:
        return wanted
    with connect(reading_url(target), read_only=True) as conn:
        return "all" if inspect_connection(conn, reading_url(target)).size_bytes <= MOST_BYTES_COPIED else "none"


def rehearse(context: JobContext) -> Outcome:
    """Execute the deploy twice on a shadow of the target; the target itself is only read.

    Where nobody has given an address that may deploy, it runs there as the owner of the target's tables: only their
    owner can be armed.
    """
    release = release_of(context)
    url = _best_url(context.target)
    wanted = pending_of(url, release, context.clock())
    result = rehearse_scripts(
        url,
        wanted.scripts,
        rows=rows_policy(context.target, context.job.payload.get("rows")),
        rollback=release.rollback,
        verify=release.verify,
        predict=bool(context.job.payload.get("predict")),
        stand_in=context.target.deploy_url is None,
        emit=context.emit,
    )
    for catalog in (result.before, result.after):
        if catalog is not None:
            keep_catalog(context.store, catalog, context.clock())
    document = {
        "release": release.id,
        "after_fingerprint": result.after.digest if result.after else None,
        **rehearsal_document(release, wanted, result),
    }
    if result.verdict is Verdict.PASS:
        count = len(result.statements)
        summary = f"{count} statement{'s' if count > 1 else ''} ran twice on a shadow without an error."
    elif result.failure is not None:
        summary = f"Fails at {result.failure.file}:{result.failure.line}: {result.failure.message}"
    elif result.second_run is not None:
        failed = result.second_run
        summary = f"Cannot run twice: {failed.file}:{failed.line}: {failed.message}"
    elif result.verdict is Verdict.FAIL:
        summary = broken_sentence(result.inspection)
    else:
        summary = "Not known: " + " ".join(result.unknown_because)
    prove(context, {**document, "finished": context.clock().isoformat(), "job_id": context.job.id})
    return Outcome(STATE_OF[result.verdict], summary, document)


def verify(context: JobContext) -> Outcome:
    """Run the release's verification queries on the target; rows are what is wrong."""
    release = release_of(context)
    url = _best_url(context.target)
    result = verify_queries(url, release.verify, emit=context.emit)
    bad = [query for query in result.queries if query.verdict is not Verdict.PASS]
    summary = f"{len(result.queries) - len(bad)} of {len(result.queries)} queries found nothing wrong."
    if bad:
        summary += f" First: {bad[0].id} ({bad[0].rows} rows)."
    prove(context)
    return Outcome(STATE_OF[result.verdict], summary, {"release": release.id, **result.to_json()})


def deploy(context: JobContext) -> Outcome:
    """Pin what serves now, then change the database in one verified transaction.

    Asked for again after its COMMIT, it only looks at what is there.
    """
    release = release_of(context)
    if context.job.attempt > 1 and _outcome(context, "job_id") == "applied":
        return _seen_again(context, release)
    rehearsal = last_rehearsal(context.store, context.target.name, release)
    if rehearsal is None or rehearsal["verdict"] != Verdict.PASS.value:
        raise Refused(
            f"{release.id} has not passed a rehearsal on {context.target.name} in this content.",
            "Nothing was changed.",
            "Rehearse it, then deploy.",
        )
    require_approval(
        context.store,
        actor=context.job.actor,
        target=context.target,
        plan_hash=rehearsal.get("plan_hash") or release.content_hash,
        now=context.clock(),
    )
    wanted = pending_of(deploying_url(context.target), release, context.clock())
    refuse_another_plan(rehearsal, release, wanted)
    if context.job.run_id is not None:
        pin(
            context.store,
            run_id=context.job.run_id,
            actor=context.job.actor,
            serving=serving_now(context),
            now=context.clock(),
            job_id=context.job.id,
        )
    digest = rehearsal.get("target_fingerprint")
    if rehearsal.get("predicted_at"):
        then = datetime.fromisoformat(rehearsal["predicted_at"])
        said = f"The newest rehearsal predicted no times: those of the one of {then:%Y-%m-%d %H:%M} UTC count."
        context.emit("notice", {"message": said, "severity": "INFO"})
    try:
        done = deploy_scripts(
            deploying_url(context.target),
            wanted.scripts,
            release.verify,
            release_id=release.id,
            plan_hash=release.content_hash,
            actor=context.job.actor.id,
            job_id=context.job.id,
            emit=context.emit,
            cancelled=context.cancelled,
            expected_fingerprint=(catalog_of(context.store, digest) or digest) if digest else None,
            order=rehearsal.get("order"),
            predicted=rehearsal["statements"],
            accept_stall_ms=context.job.payload.get("accept_stall_ms"),
            keep_inverse=not release.rollback,
            listings=wanted.listings,
        )
    except Stopped:
        return Outcome(JobState.CANCELLED, "Stopped before COMMIT: nothing was applied.", {"applied": False})
    if done.applied:
        _use_up_approval(context, release, context.clock())
    context.emit("applied", {"applied": done.applied, "receipt_id": done.receipt_id})
    return _deployed(context, release, done)


def _use_up_approval(context: JobContext, release: Release, at: datetime) -> None:
    """A yes is for one deploy: what it brought in and a rollback took out again is asked for anew."""
    use_up(
        context.store,
        target=context.target.name,
        content_hash=release.content_hash,
        job_id=context.job.id,
        actor=context.job.actor.id,
        at=at,
        now=context.clock(),
    )


def _use_up_by_receipt(context: JobContext, release: Release) -> None:
    """The same for a job that did not live to see its COMMIT: what has been approved since is for another deploy."""
    receipt = find_receipt(_best_url(context.target), release.id)
    if receipt is not None and receipt.job_id == context.job.id:
        _use_up_approval(context, release, receipt.deployed_at)


def _seen_again(context: JobContext, release: Release) -> Outcome:
    _use_up_by_receipt(context, release)
    done = deploy_scripts(
        deploying_url(context.target),
        release.deploy,
        release.verify,
        release_id=release.id,
        plan_hash=release.content_hash,
        actor=context.job.actor.id,
        job_id=context.job.id,
        emit=context.emit,
        cancelled=context.cancelled,
    )
    return _deployed(context, release, done)


def _deployed(context: JobContext, release: Release, done: Deployment) -> Outcome:
    """The deploy's outcome, with what the Data API says about the tables that it made."""
    if not done.applied:
        return Outcome(STATE_OF[done.verdict], done.summary, {"release": release.id, **done.to_json(), "rest": None})
    answers = _over_rest(context, done)
    prove(context)
    verdict = worst((done.verdict, answers.verdict)) if answers.counts else done.verdict
    summary = f"{done.summary} {answers.sentence()}".strip()
    document = {**done.to_json(), "verdict": verdict.value, "summary": summary, "rest": answers.to_json()}
    return Outcome(STATE_OF[verdict], summary, {"release": release.id, **document})


def _over_rest(context: JobContext, done: Deployment) -> RestAnswers:
    if done.before is None or done.after is None:
        return RestAnswers()
    context.emit("phase", {"name": "rest"})
    return ask_over_rest(context.target, made_relations(done.before, done.after), cancelled=context.cancelled)


def settle_deploy(context: JobContext) -> Outcome | None:
    """What became of a deploy whose worker died: its receipt in the target tells."""
    found = _outcome(context, "job_id")
    if found == "in-progress":
        return None
    if found == "not-applied":
        return Outcome(
            JobState.INTERRUPTED,
            "The worker died before COMMIT: nothing was applied. It can be resumed.",
            {"applied": False},
        )
    if found == "begun":
        return Outcome(
            JobState.INTERRUPTED,
            "The worker died half-way: some parts of the deploy are in. Resumed, it goes on from there.",
            {"applied": False, "state": "begun"},
        )
    _use_up_by_receipt(context, release_of(context))
    evidence = prove(context)
    return Outcome(
        JobState.PASSED,
        "The worker died, but the deploy receipt is in the target: all was applied.",
        {"applied": True, "proved_by": [item.to_json() for item in evidence]},
    )


def _outcome(context: JobContext, column: Literal["job_id", "rollback_job_id"]) -> Found:
    """As `outcome`; without the owner's address by the reading role, where that may see the receipts.

    Raises Unavailable where it may not: what became of the job is never guessed.
    """
    try:
        return outcome(_best_url(context.target), context.job.id, column)
    except Unavailable as error:
        if error.reason != HIDDEN:
            raise
        name = context.target.name
        raise Unavailable(
            f"Its process died, and whether it was applied is told by the deploy receipts, which the role of "
            f"{name}'s database_url may not read.",
            f"Its outcome is not known; until it is, nothing else may change {name}.",
            f"Arm again to find out: `python -m dashboard arm --target {name}`.",
        ) from None


def rollback(context: JobContext) -> Outcome:
    """Take the release out of the database, with a proved snapshot of every row that goes."""
    refuse_while_needed(context)
    try:
        return _rolled_back(context, _roll_back(context))
    except Stopped:
        return Outcome(JobState.CANCELLED, "Stopped before COMMIT: nothing was rolled back.", {"applied": False})


def _roll_back(context: JobContext) -> RollbackResult:
    release = release_of(context)
    return roll_back_scripts(
        deploying_url(context.target),
        release.id,
        release.rollback,
        actor=context.job.actor.id,
        job_id=context.job.id,
        emit=context.emit,
        cancelled=context.cancelled,
        keep_days=int(context.job.payload.get("keep_days") or KEEP_DAYS),
        # Rows of production are not copied, not even to try whether they could be restored.
        may_copy=not context.target.production,
    )


def _rolled_back(context: JobContext, done: RollbackResult) -> Outcome:
    """The rollback's outcome, once the deploy's step was looked at again: it stands on what is gone."""
    look_again(context, "deploy")
    catalog = {
        True: "is exactly as before the deploy",
        False: f"is NOT as before the deploy ({done.not_restored})",
        None: "cannot be compared: there is no deploy receipt",
    }[done.fingerprint_restored]
    kept = f"{done.rows_kept} rows are kept in snapshot {done.snapshot_id}" if done.snapshot_id else "no row was lost"
    back = f" {done.merged} rows were put back." if done.merged is not None else ""
    if done.conflicts:
        count = "1 conflict was" if len(done.conflicts) == 1 else f"{len(done.conflicts)} conflicts were"
        back += f" {count} left as now, for a person to decide."
    tried = f" {done.proof.reason}" if done.proof else ""
    summary = f"Rolled back. The catalog {catalog}; {kept}; {done.rows_lost} rows lost.{back}{tried}"
    return Outcome(STATE_OF[done.verdict], summary, {"applied": True, **done.to_json()})


def settle_rollback(context: JobContext) -> Outcome | None:
    """What became of a rollback whose worker died: the deploy receipt tells whether it was taken back."""
    found = _outcome(context, "rollback_job_id")
    if found == "in-progress":
        return None
    if found == "applied":
        # Asked again under the same job, the engine changes nothing and tells what was done.
        return _rolled_back(context, _roll_back(context))
    return Outcome(
        JobState.INTERRUPTED, "The worker died before COMMIT: nothing was rolled back. It can be resumed.", {}
    )


def restore(context: JobContext) -> Outcome:
    """Put back what a snapshot keeps; with "undo" in the payload also remove what its change had made."""
    payload = context.job.payload
    try:
        done = restore_snapshot(
            deploying_url(context.target),
            str(payload["snapshot_id"]),
            undo=payload.get("undo") is True,
            actor=context.job.actor.id,
            emit=context.emit,
            cancelled=context.cancelled,
        )
    except Stopped:
        return Outcome(JobState.CANCELLED, "Stopped before COMMIT: nothing was restored.", {"applied": False})
    gone = f" {done.rows_taken_out} rows that the change had added are gone;" if payload.get("undo") is True else ""
    again = f" {len(done.recreated)} tables and columns stand again;" if done.recreated else ""
    return Outcome(
        STATE_OF[done.verdict],
        f"{done.rows_restored} rows are back;{again}{gone} {len(done.conflicts)} conflicts."
        + (f" What lay in what went is kept in snapshot {done.kept_snapshot_id}." if done.kept_snapshot_id else ""),
        {"applied": True, **done.to_json()},
    )


def purge(context: JobContext) -> Outcome:
    """Drop for good what was kept as long as it was to be."""
    dropped = purge_kept(deploying_url(context.target), context.clock())
    told = f"Dropped for good: {', '.join(dropped)}." if dropped else "Nothing had been kept as long as it was to be."
    return Outcome(JobState.PASSED, told, {"purged": dropped})
