"""A second person's yes to one plan: who may give it, how long it holds, and what it does not hold for."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, or_, select, update

from services.access.notices import take_down, tell
from services.access.permissions import Actor, Permission
from services.database.deployment.stalls import longest_stall_ms
from services.errors import NotUnderstood, Refused
from services.releases.second_person import cannot_be_told_apart
from services.settings import Target
from services.store import audit
from services.store.database import Store
from services.store.tables import approvals

NOTICE = "approval"
SKEW = timedelta(seconds=60)
"""By how much the clocks of a target's server and of ours may be apart."""


class ApprovalState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    USED = "used"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Accepts:
    """What whoever says yes accepts beside the change itself.

    loss: where rows go; stall_ms: for how long writers wait, as predicted then, None where nobody waits for long.
    """

    loss: tuple[str, ...] = ()
    stall_ms: float | None = None

    @property
    def sentence(self) -> str:
        """In words; empty where there is nothing to accept."""
        said = [f"it destroys what stands in {', '.join(self.loss)}"] if self.loss else []
        said += [f"writers wait for about {self.stall_ms:.0f} ms"] if self.stall_ms is not None else []
        return f"A yes accepts that {' and that '.join(said)}." if said else ""

    def to_json(self) -> dict[str, Any]:
        return {"loss": list(self.loss), "stall_ms": self.stall_ms}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Accepts:
        return cls(tuple(data.get("loss") or ()), data.get("stall_ms"))

    @classmethod
    def of(cls, rehearsal: Mapping[str, Any]) -> Accepts:
        """What a rehearsal found that has to be accepted. rehearsal: its document."""
        loss = {str(one["object"]) for one in rehearsal.get("dangers") or () if one.get("class") == "loss"}
        return cls(tuple(sorted(loss)), longest_stall_ms(rehearsal))


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to a second person, and the answer.

    plan_hash: of the release's whole content, what is to run of it, and the catalog it was rehearsed on; content_hash:
    of the content alone, None for what was asked before it was kept. expires: when the question, or the yes, is void.
    used_by: the job by which the receipt knows the deploy that a yes was for; a yes is for one deploy.
    """

    id: str
    target: str
    run_id: str | None
    release_id: str
    plan_hash: str
    asked_by: Actor
    asked: datetime
    decided_by: Actor | None
    decision: bool | None
    reason: str
    decided: datetime | None
    expires: datetime
    content_hash: str | None = None
    accepts: Accepts = Accepts()
    used: datetime | None = None
    used_by: str | None = None
    withdrawn: datetime | None = None
    withdrawn_by: Actor | None = None
    withdrawn_because: str = ""

    def state(self, now: datetime) -> ApprovalState:
        if self.decision is False:
            return ApprovalState.REFUSED
        if self.withdrawn is not None:
            return ApprovalState.WITHDRAWN
        if self.used is not None:
            return ApprovalState.USED
        if now >= self.expires:
            return ApprovalState.EXPIRED
        return ApprovalState.WAITING if self.decision is None else ApprovalState.APPROVED


def ask_for_approval(
    store: Store,
    *,
    actor: Actor,
    target: Target,
    release_id: str,
    rehearsal: Mapping[str, Any],
    now: datetime,
    run_id: str | None = None,
) -> Approval:
    """Ask a second person; a question that waits already, or a yes that still holds, is returned as it is.

    rehearsal: the document of the one whose plan is to be approved.
    """
    actor.require(Permission.DEPLOY, target.name)
    plan_hash, content_hash, accepts = str(rehearsal["plan_hash"]), rehearsal.get("content_hash"), Accepts.of(rehearsal)
    known = newest_approval(store, target.name, plan_hash)
    if known is not None and known.state(now) in (ApprovalState.WAITING, ApprovalState.APPROVED):
        return known
    approval_id = f"approval-{secrets.token_hex(5)}"
    until = now + timedelta(hours=target.approval_hours)
    with store.write() as tx:
        tx.execute(
            insert(approvals).values(
                id=approval_id,
                target=target.name,
                run_id=run_id,
                release_id=release_id,
                plan_hash=plan_hash,
                asked_by=actor.to_json(),
                asked=now,
                expires=until,
                content_hash=content_hash,
                accepts=accepts.to_json(),
            )
        )
        audit.record(
            tx,
            actor=actor.id,
            action="ask for approval",
            target=target.name,
            subject=approval_id,
            now=now,
            detail={
                "release": release_id,
                "plan_hash": plan_hash,
                "content_hash": content_hash,
                "accepts": accepts.to_json(),
            },
        )
        text = _question(actor, release_id, target)
        tell(tx, target=target.name, kind=NOTICE, text=text, now=now, until=until)
    return approval(store, approval_id)


def _question(actor: Actor, release_id: str, target: Target) -> str:
    return f"{actor.name} asks a second person to approve the deploy of {release_id} to {target.name}."


def decide(
    store: Store, *, actor: Actor, target: Target, approval_id: str, approve: bool, reason: str, now: datetime
) -> Approval:
    """Answer yes or no, once; a no to what was approved takes the yes back, before a deploy has used it up.

    A deploy that is under way then goes on. Raises NotUnderstood for a no without a reason, Refused for a yes of
    whoever asked, by whatever way, and for what is decided, used up or expired.
    """
    actor.require(Permission.APPROVE, target.name)
    known = approval(store, approval_id)
    if known.target != target.name:
        raise Refused(f"This question is about {known.target}.", "Nothing was decided.", "Open that target.")
    if approve and (why := cannot_be_told_apart(known.asked_by, actor)):
        raise Refused(
            f"A second person has to approve this, and {why}.",
            "Nothing was approved.",
            "Ask somebody else, who signs in the same way as the one who asked.",
        )
    if not approve and not reason.strip():
        raise NotUnderstood("A no needs its reason.", "Nothing was decided.", "Say what has to change.", "reason")
    if not approve and known.decision:
        return _withdraw(store, known, actor=actor, target=target, reason=reason, now=now)
    with store.write() as tx:
        mine = tx.execute(
            update(approvals)
            .where(approvals.c.id == approval_id, approvals.c.decision.is_(None), approvals.c.expires > now)
            .values(
                decided_by=actor.to_json(),
                decision="yes" if approve else "no",
                reason=reason.strip(),
                decided=now,
                expires=now + timedelta(hours=target.approval_hours),
            )
        ).rowcount
        if not mine:
            raise Refused(
                "This question is decided already, or it has expired.",
                "Your answer was not counted.",
                "Look at what it says now; if need be, ask again.",
            )
        question = _question(known.asked_by, known.release_id, target)
        take_down(tx, target=target.name, kind=NOTICE, text=question, now=now)
        audit.record(
            tx,
            actor=actor.id,
            action="approve a deploy" if approve else "refuse a deploy",
            target=target.name,
            subject=approval_id,
            now=now,
            detail=_told(known, reason),
        )
    return approval(store, approval_id)


def _withdraw(store: Store, known: Approval, *, actor: Actor, target: Target, reason: str, now: datetime) -> Approval:
    """Take a yes back; anybody may who may approve. What was said stays written."""
    with store.write() as tx:
        mine = tx.execute(
            update(approvals)
            .where(approvals.c.id == known.id, *_held(now))
            .values(withdrawn=now, withdrawn_by=actor.to_json(), withdrawn_because=reason.strip())
        ).rowcount
        if not mine:
            raise Refused(
                "There is no yes (any more) that could be taken back.",
                "Nothing was decided.",
                "What is deployed is taken out by a rollback.",
            )
        audit.record(
            tx,
            actor=actor.id,
            action="take an approval back",
            target=target.name,
            subject=known.id,
            now=now,
            detail=_told(known, reason),
        )
    return approval(store, known.id)


def use_up(
    store: Store, *, target: str, content_hash: str, job_id: str, actor: str, at: datetime, now: datetime
) -> None:
    """Once a deploy is in: every yes to this content that held then is used up by it, whichever plan it was for.

    job_id: as in the receipt; at: when it was deployed. Asked for again, it changes nothing.
    """
    with store.write() as tx:
        used = tx.execute(
            update(approvals)
            .where(approvals.c.target == target, approvals.c.content_hash == content_hash, *_held(at))
            .values(used=now, used_by=job_id)
        ).rowcount
        if used:
            audit.record(
                tx,
                actor=actor,
                action="use an approval up",
                target=target,
                subject=job_id,
                now=now,
                detail={"content_hash": content_hash, "count": used},
            )


def approval_of_deploy(store: Store, *, target: str, content_hash: str, job_id: str, at: datetime) -> Approval | None:
    """The yes that a deploy was made on, by what its receipt says: its job and its time. None where there was none.

    The receipt's time is the target's: within SKEW it counts as ours.
    """
    free = or_(approvals.c.used.is_(None), approvals.c.used_by == job_id)
    given = or_(approvals.c.withdrawn.is_(None), approvals.c.withdrawn > at)
    query = (
        select(approvals)
        .where(approvals.c.target == target, approvals.c.content_hash == content_hash, *_decided(at), free, given)
        .order_by(approvals.c.decided.desc())
        .limit(1)
    )
    with store.read() as tx:
        row = tx.execute(query).one_or_none()
    return _approval(row) if row is not None else None


def _decided(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """A yes that was given by then and had not expired."""
    return (approvals.c.decision == "yes", approvals.c.decided <= at + SKEW, approvals.c.expires > at - SKEW)


def _held(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """A yes on which a deploy could be made then, and that none has used up."""
    return (*_decided(at), approvals.c.used.is_(None), approvals.c.withdrawn.is_(None))


def _told(known: Approval, reason: str) -> dict[str, Any]:
    """What the audit keeps of a decision."""
    return {
        "release": known.release_id,
        "plan_hash": known.plan_hash,
        "content_hash": known.content_hash,
        "accepts": known.accepts.to_json(),
        "reason": reason.strip(),
    }


def require_approval(store: Store, *, actor: Actor, target: Target, plan_hash: str, now: datetime) -> None:
    """Raise Refused where the target wants a second person's yes to this very plan and there is none that holds.

    actor: who is about to deploy; their own yes does not count, whoever asked for it.
    """
    if not target.second_approval:
        return
    known = newest_approval(store, target.name, plan_hash)
    means = "Nothing was changed."
    if known is None:
        raise Refused(
            f"{target.name} wants a second person's approval of this plan, and nobody was asked.",
            means,
            "Ask for it on /database, under Deploy. What was approved before the plan changed does not count.",
        )
    state = known.state(now)
    if state is not ApprovalState.APPROVED:
        said = {
            ApprovalState.WAITING: f"It has been waiting for a second person since {known.asked:%Y-%m-%d %H:%M} UTC.",
            ApprovalState.REFUSED: f"{known.decided_by.name if known.decided_by else ''} said no: {known.reason}",
            ApprovalState.EXPIRED: f"The approval expired at {known.expires:%Y-%m-%d %H:%M} UTC.",
            ApprovalState.USED: f"The approval was for one deploy, which was made ({known.used_by}).",
            ApprovalState.WITHDRAWN: f"{known.withdrawn_by.name if known.withdrawn_by else ''} took the yes back: "
            f"{known.withdrawn_because}",
        }[state]
        raise Refused(f"This plan is not approved. {said}", means, "Ask again, or change what was objected to.")
    if known.decided_by is not None and (why := cannot_be_told_apart(known.decided_by, actor)):
        raise Refused(
            f"Whoever approves does not deploy, and {why}.", means, "Let the one who asked deploy, or a third person."
        )


def approval(store: Store, approval_id: str) -> Approval:
    """Raises NotUnderstood for an id that is not there."""
    with store.read() as tx:
        row = tx.execute(select(approvals).where(approvals.c.id == approval_id)).one_or_none()
    if row is None:
        raise NotUnderstood(f"There is no approval '{approval_id}'.", "Nothing was decided.", "Copy its id.")
    return _approval(row)


def newest_approval(store: Store, target: str, plan_hash: str) -> Approval | None:
    """The newest question about this plan, whatever became of it."""
    with store.read() as tx:
        row = tx.execute(
            select(approvals)
            .where(approvals.c.target == target, approvals.c.plan_hash == plan_hash)
            .order_by(approvals.c.asked.desc(), approvals.c.id.desc())
            .limit(1)
        ).one_or_none()
    return _approval(row) if row is not None else None


def recent_approvals(store: Store, target: str, *, limit: int = 20) -> list[Approval]:
    """Questions about any plan of a target, the newest first."""
    query = select(approvals).where(approvals.c.target == target).order_by(approvals.c.asked.desc()).limit(limit)
    with store.read() as tx:
        return [_approval(row) for row in tx.execute(query)]


def _approval(row: Row[Any]) -> Approval:
    return Approval(
        row.id,
        row.target,
        row.run_id,
        row.release_id,
        row.plan_hash,
        Actor.from_json(row.asked_by),
        row.asked,
        Actor.from_json(row.decided_by) if row.decided_by else None,
        None if row.decision is None else row.decision == "yes",
        row.reason or "",
        row.decided,
        row.expires,
        row.content_hash,
        Accepts.from_json(row.accepts or {}),
        row.used,
        row.used_by,
        row.withdrawn,
        Actor.from_json(row.withdrawn_by) if row.withdrawn_by else None,
        row.withdrawn_because or "",
    )
