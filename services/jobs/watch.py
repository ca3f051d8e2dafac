"""Keeping fresh what open pages look at: pages say what they show, the worker looks, and nothing else is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.app_definition import AppDefinition, load_app
from services.checks.of_app import catalogue_of
from services.checks.registry import CheckSpec
from services.checks.runner import WITHIN_S, run_checks
from services.jobs.checking import check_context
from services.jobs.pace import intervals
from services.jobs.turns import take_turn
from services.releases.ledger import newest_evidence, record_evidence
from services.settings import Settings
from services.store.database import Store
from services.store.tables import evidence, interests

INTEREST = timedelta(seconds=30)
KEEP = timedelta(hours=24)
HOUR = timedelta(hours=1)
WATCHES = timedelta(seconds=WITHIN_S) * 1.5
"""How long a worker has a target to itself: longer than one run of checks may take."""


def show_interest(store: Store, target: str, view: str, now: datetime) -> None:
    """A page tells that somebody looks at it now; it says so again while it stays open.

    Written at most once in a third of the span, so that fifty viewers cost what one does.
    """
    key = (interests.c.target == target, interests.c.view == view)
    with store.read() as tx:
        until = tx.execute(select(interests.c.until).where(*key)).scalar()
    if until is not None and until - now > INTEREST * 2 / 3:
        return
    try:
        with store.write() as tx:
            if not tx.execute(update(interests).where(*key).values(until=now + INTEREST)).rowcount:
                tx.execute(insert(interests).values(target=target, view=view, until=now + INTEREST))
    except IntegrityError:
        # Somebody else's page said the same at the same moment; that is enough.
        return


def watched_checks(app: AppDefinition) -> list[str]:
    """The checks that speak for the services of the war room, in order, each once."""
    return list(dict.fromkeys(check for service in app.watch for check in service.checks))


def refresh(settings: Settings, store: Store, now: datetime, *, holder: str = "") -> bool:
    """Look again at what is looked at and has grown old; False where nothing was due. Never writes to a target.

    holder: who looks; of several that share a store one has a target at a time, so that all cost what one does
    """
    with store.read() as tx:
        wanted = tx.execute(select(interests.c.target).where(interests.c.until > now).distinct()).scalars().all()
    worked = False
    for name in wanted:
        if name in settings.targets:
            worked = _refresh_target(settings, store, name, now, holder) or worked
    return worked


def _refresh_target(settings: Settings, store: Store, name: str, now: datetime, holder: str) -> bool:
    target = settings.target(name)
    app = load_app(target.app)
    catalogue = catalogue_of(app)
    watched = [catalogue[check] for check in watched_checks(app) if check in catalogue]
    if not _due(store, name, watched, now) or not take_turn(store, f"watch {name}", holder, now, WATCHES):
        return False
    # Asked again: whoever had the turn before may have looked since.
    due = _due(store, name, watched, now)
    if not due:
        return False
    taken = run_checks(catalogue, due, check_context(store, target, app, now), now)
    record_evidence(store, taken)
    _forget_old(store, [spec.id for spec in catalogue if spec.trend], now)
    return True


def _due(store: Store, target: str, watched: Sequence[CheckSpec], now: datetime) -> list[str]:
    newest = newest_evidence(store, target, [spec.id for spec in watched])
    pauses = intervals([spec for spec in watched if not spec.mutates], newest)
    return [check for check, pause in pauses.items() if check not in newest or now - newest[check].started >= pause]


def _forget_old(store: Store, trends: Sequence[str], now: datetime) -> None:
    """What was only watched is kept for a day, what belongs to a run for good.

    trends: checks whose numbers are compared over time; of their looks the last of each hour is kept.
    """
    watched, old = evidence.c.run_id.is_(None), evidence.c.started < now - KEEP
    with store.write() as tx:
        tx.execute(delete(evidence).where(watched, old, evidence.c.check_id.not_in(trends)))
        recent = evidence.c.started >= now - KEEP - 2 * HOUR
        found = tx.execute(
            select(evidence.c.seq, evidence.c.target, evidence.c.check_id, evidence.c.started)
            .where(watched, old, recent, evidence.c.check_id.in_(trends))
            .order_by(evidence.c.seq)
        ).all()
        last = {(row.target, row.check_id, row.started.strftime("%Y%m%d%H")): row.seq for row in found}
        kept = set(last.values())
        thinned = [row.seq for row in found if row.seq not in kept]
        if thinned:
            tx.execute(delete(evidence).where(evidence.c.seq.in_(thinned)))
        tx.execute(delete(interests).where(interests.c.until < now - KEEP))
