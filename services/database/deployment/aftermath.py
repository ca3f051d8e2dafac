"""Knows how to look at a deploy after COMMIT: verification on a fresh connection, and what each role really reads."""

from __future__ import annotations

from dataclasses import replace

from services.database.deployment.order import Deployment, Order
from services.database.deployment.role_trials import changed_relations, try_as_roles
from services.database.execution import Stopped
from services.database.verification import verify
from services.errors import OpsError
from services.verdict import Verdict, worst


def looked_at_again(order: Order, done: Deployment) -> Deployment:
    """The deployment with what a newcomer sees of it. This cannot undo; it can tell."""
    try:
        return _as_roles(order, _verified(order, done))
    except OpsError as error:
        return _not_known(done, f"Verification after COMMIT is not known: {error.what}")
    except Stopped:
        return _not_known(done, "Verification after COMMIT was stopped.")


def _verified(order: Order, done: Deployment) -> Deployment:
    if not order.queries:
        return done
    watch = order.watch
    watch.phase("verification-after")
    seen = verify(
        order.url,
        order.queries,
        timeout_s=watch.limits.query_timeout_s,
        emit=watch.emit,
        cancelled=watch.cancelled,
    )
    return replace(done, verdict=worst((done.verdict, seen.verdict)), verification=seen)


def _as_roles(order: Order, done: Deployment) -> Deployment:
    if done.before is None or done.after is None:
        return done
    relations = changed_relations(done.before, done.after)
    if not relations:
        return done
    order.watch.phase("roles")
    tried = try_as_roles(order.url, relations, cancelled=order.watch.cancelled)
    for trial in tried.trials:
        if trial.verdict is not Verdict.PASS:
            order.watch.emit("role", trial.to_json())
    return replace(done, verdict=worst((done.verdict, tried.verdict)), roles=tried)


def _not_known(done: Deployment, why: str) -> Deployment:
    return replace(done, verdict=Verdict.UNKNOWN, summary=f"{done.summary} {why}")
