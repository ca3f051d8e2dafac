"""`approve`: a second person's yes or no to the plan that was rehearsed on a target."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard.cli.answer import BAD, GOOD, Answer
from dashboard.cli.options import Json, ReleaseName, Target

if TYPE_CHECKING:
    from services.releases.approvals import Approval


def register(app: typer.Typer) -> None:
    app.command()(approve)


def approve(
    release: ReleaseName,
    ask: Annotated[bool, typer.Option("--ask", help="Ask a second person, instead of answering.")] = False,
    refuse: Annotated[
        str | None,
        typer.Option(
            "--refuse",
            metavar="REASON",
            help="Say no, and why; takes back a yes that no deploy has used.",
            show_default=False,
        ),
    ] = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Approve the plan of a release as it was last rehearsed on the target; not one's own, by whatever way."""
    from dashboard import composition
    from dashboard.cli.on_a_target import release_for
    from dashboard.cli.person import person
    from dashboard.cli.targets import target_to_change
    from services.errors import NotUnderstood, Refused
    from services.jobs.checking import last_rehearsal
    from services.releases.approvals import ask_for_approval, decide, newest_approval

    if ask and refuse is not None:
        raise NotUnderstood(
            "Either ask or answer.", "Nothing was decided.", "Give one of --ask and --refuse.", "--ask, --refuse"
        )
    place = target_to_change(target)
    found = release_for(release, place)
    store, now, actor = composition.store(), composition.now(), person(place)
    rehearsal = last_rehearsal(store, place.name, found) or {}
    plan = rehearsal.get("plan_hash")
    if not plan or rehearsal.get("verdict") != "pass":
        raise Refused(
            f"{found.id} has not passed a rehearsal on {place.name} in this content: there is no plan to approve.",
            "Nothing was decided.",
            f"`rehearse {release}` makes one.",
        )
    known = newest_approval(store, place.name, str(plan))
    if ask:
        known = ask_for_approval(store, actor=actor, target=place, release_id=found.id, rehearsal=rehearsal, now=now)
    elif known is None:
        raise Refused("Nobody has asked for this.", "Nothing was decided.", f"`approve {release} --ask` asks.")
    else:
        known = decide(
            store,
            actor=actor,
            target=place,
            approval_id=known.id,
            approve=refuse is None,
            reason=refuse or "",
            now=now,
        )
    return _told(known, now)


def _told(known: Approval, now: datetime) -> Answer:
    """What became of the question, and what a yes accepts."""
    from services.releases.approvals import ApprovalState

    state = known.state(now)
    document = {
        "approval": known.id,
        "state": state.value,
        "plan_hash": known.plan_hash,
        "content_hash": known.content_hash,
        "accepts": known.accepts.to_json(),
        "asked_by": known.asked_by.name,
        "decided_by": known.decided_by.name if known.decided_by else None,
        "expires": known.expires.isoformat(),
    }
    good = state in (ApprovalState.WAITING, ApprovalState.APPROVED)
    lines = [
        f"{known.release_id}: plan hash {known.plan_hash[:12]} of content {(known.content_hash or '')[:12]}.",
        *([known.accepts.sentence] if known.accepts.sentence else []),
        f"{known.id}: {state.value}, until {known.expires:%Y-%m-%d %H:%M} UTC.",
    ]
    return Answer.of(document, lines, GOOD if good else BAD)
