"""A deploy by a person's own hand: its script, from the last rehearsal, and a job that looks for its receipt."""

from __future__ import annotations

from datetime import datetime

from services.access.permissions import Actor, Permission
from services.database.by_hand.editor_script import EditorScript, editor_scripts
from services.database.by_hand.plan import plan_of
from services.database.by_hand.seen import SeenByHand, seen_by_hand
from services.database.deployment.receipts import find_receipt
from services.errors import Refused
from services.jobs.app_actions import serving_now
from services.jobs.checking import STATE_OF, last_rehearsal, prove
from services.jobs.releasing import reading_url, release_of
from services.jobs.worker import JobContext, Outcome
from services.releases.approvals import approval_of_deploy, require_approval, use_up
from services.releases.bundle import Release
from services.releases.catalogs import catalog_of
from services.releases.ledger import pin
from services.releases.pending import pending_of
from services.releases.plans import refuse_another_plan
from services.settings import Target
from services.store import audit
from services.store.database import Store
from services.verdict import Verdict


def scripts_by_hand(
    store: Store,
    *,
    actor: Actor,
    target: Target,
    release: Release,
    now: datetime,
    accept_loss: bool = False,
    accept_stall_ms: float | None = None,
) -> tuple[EditorScript, ...]:
    """The files that deploy the release, as it was last rehearsed on this target, through an editor.

    accept_stall_ms: how long writers may be kept waiting, in milliseconds.
    Changes nothing, and needs no level that could. Raises Refused without a passed rehearsal of this content, without
    the approval that the target asks for, and as `plan_of`; Unavailable where the target cannot be read.
    """
    actor.require(Permission.DEPLOY, target.name)
    rehearsal = last_rehearsal(store, target.name, release)
    if rehearsal is None or rehearsal["verdict"] != Verdict.PASS.value:
        raise Refused(
            f"{release.id} has not passed a rehearsal on {target.name} in this content.",
            "No script was written.",
            "Rehearse it, then ask again.",
        )
    plan_hash = str(rehearsal.get("plan_hash") or release.content_hash)
    require_approval(store, actor=actor, target=target, plan_hash=plan_hash, now=now)
    before = catalog_of(store, str(rehearsal.get("target_fingerprint")))
    after = catalog_of(store, str(rehearsal.get("after_fingerprint")))
    if before is None or after is None:
        raise Refused(
            "The catalogs of that rehearsal are not kept any more.", "No script was written.", "Rehearse it once more."
        )
    wanted = pending_of(reading_url(target), release, now)
    refuse_another_plan(rehearsal, release, wanted)
    plan = plan_of(
        rehearsal,
        before,
        after,
        wanted.scripts,
        release.verify,
        release_id=release.id,
        target=target.name,
        plan_hash=release.content_hash,
        actor=actor.id,
        accept_loss=accept_loss,
        accept_stall_ms=accept_stall_ms,
        listings=wanted.listings,
    )
    files = editor_scripts(plan, now)
    with store.write() as tx:
        audit.record(
            tx,
            actor=actor.id,
            action="write a deploy script",
            target=target.name,
            subject=release.id,
            now=now,
            detail={
                "plan_hash": plan_hash,
                "receipt_id": plan.receipt_id,
                "accept_loss": accept_loss,
                "accept_stall_ms": accept_stall_ms,
            },
        )
    return files


def find_deploy(context: JobContext) -> Outcome:
    """Look for a deploy that somebody ran by hand: its receipt and the rehearsed catalog, by the reading connection.

    Where a second person has to approve, it fails unless the yes was there when it was deployed.
    """
    release = release_of(context)
    found = seen_by_hand(reading_url(context.target), release.id, release.content_hash)
    if found.verdict is Verdict.PASS:
        found = _as_approved(context, release, found)
    applied = found.verdict is Verdict.PASS
    if applied and context.job.run_id is not None:
        pin(
            context.store,
            run_id=context.job.run_id,
            actor=context.job.actor,
            serving=serving_now(context),
            now=context.clock(),
            job_id=context.job.id,
        )
        prove(context)
    return Outcome(
        STATE_OF[found.verdict],
        found.summary,
        {"release": release.id, "applied": applied, "by_hand": True, **found.to_json()},
    )


def _as_approved(context: JobContext, release: Release, found: SeenByHand) -> SeenByHand:
    """What was found; a fail where the target asks for a yes and the deploy was made without. Else it uses that up."""
    if not context.target.second_approval:
        return found
    receipt = find_receipt(reading_url(context.target), release.id)
    if receipt is None or receipt.id != found.receipt_id:
        return found
    name, content, by, at = context.target.name, release.content_hash, receipt.job_id, receipt.deployed_at
    if approval_of_deploy(context.store, target=name, content_hash=content, job_id=by, at=at) is None:
        said = (
            f"It was deployed by hand at {at:%Y-%m-%d %H:%M} UTC without a second person's approval, which {name}"
            " wants: no yes to this plan held then, or another deploy had used it up. Roll it back, or have it looked"
            " through and waive this step with the reason."
        )
        return SeenByHand(Verdict.FAIL, said, receipt.id)
    actor = context.job.actor.id
    use_up(context.store, target=name, content_hash=content, job_id=by, actor=actor, at=at, now=context.clock())
    return found
