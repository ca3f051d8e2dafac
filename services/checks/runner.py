"""Running checks side by side: a bounded number at once, all in bounded time; nothing escapes as an exception."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from services.checks.caps import CapReached, Reservation, cap_of
from services.checks.context import CheckContext
from services.checks.registry import Catalogue, CheckSpec
from services.clients.deadline import deadline
from services.clients.http import UpstreamError
from services.clients.metering import metered
from services.clients.redaction import redact, redact_data
from services.errors import OpsError
from services.settings import LEVEL_MEANS
from services.verdict import Evidence, Finding, Verdict, digest

Emit = Callable[[str, dict[str, Any]], None]
AT_ONCE = 32
GRACE_S = 3.0
WITHIN_S = 12.0
SETTLE_S = 0.5
"""Before the end of a run its checks end by themselves, so that each can still say what it waited for."""
CLEAN_UP_S = 2.0
"""What a check that writes needs to remove it again; its calls end this long before the run does."""
ALLOWANCE = "allowance"
"""The fact that says what an upstream still allows us, by its name: left, of, per, said."""
LITTLE = 0.5
"""The share of an allowance below which it is told with every check that spends of it."""
FEW_S = 4.0
"""With less than this left, nothing is written any more."""


def silent(kind: str, payload: dict[str, Any]) -> None:
    """The emit of somebody who only wants the result."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """A check under way; gives_up: when the run goes on without it."""

    spec: CheckSpec
    started: float
    gives_up: float


def run_checks(
    catalogue: Catalogue,
    ids: Iterable[str],
    context: CheckContext,
    now: datetime,
    emit: Emit = silent,
    *,
    within_s: float = WITHIN_S,
    at_once: int = AT_ONCE,
    grace_s: float = GRACE_S,
) -> list[Evidence]:
    """Evidence of every check in `ids`, in that order. Raises NotUnderstood for an unknown id, before anything runs.

    emit: called in this thread with ("check-started", {"id"}) and ("check-finished", evidence as JSON).
    within_s: the whole run ends by then; what has not ended is unknown, and nothing is written when little is left.
    Checks that disturb each other do not run together. A check that outlives its deadline by `grace_s` is left behind
    as unknown.
    """
    order = list(dict.fromkeys(ids))
    waiting = deque(catalogue[check_id].as_allowed(context.target) for check_id in order)
    done: dict[str, Evidence] = {}
    in_flight: dict[str, _Flight] = {}
    answers: SimpleQueue[tuple[str, Finding, float]] = SimpleQueue()
    begun = time.monotonic()
    ends = begun + within_s

    def finish(spec: CheckSpec, finding: Finding, started: float, took_s: float) -> None:
        when = now + timedelta(seconds=started - begun)
        done[spec.id] = _evidence(spec, finding, context, when, took_s)
        emit("check-finished", done[spec.id].to_json())

    while waiting or in_flight:
        while (spec := _next(waiting, in_flight.values(), at_once)) is not None:
            emit("check-started", {"id": spec.id, "title": spec.title})
            started = time.monotonic()
            seconds = _seconds_for(spec, ends - started)
            refused = _cannot_start(spec, context)
            if refused is not None or seconds is None:
                finish(spec, refused or _no_time(within_s), started, 0.0)
                continue
            held = _reserved(spec, context, now + timedelta(seconds=started - begun))
            if isinstance(held, Finding):
                finish(spec, held, started, 0.0)
                continue
            in_flight[spec.id] = _Flight(spec, started, min(started + seconds + grace_s, ends))
            _start(spec, seconds, context, answers, held)
        if not in_flight:
            continue
        nearest = min(flight.gives_up for flight in in_flight.values())
        try:
            check_id, finding, took_s = answers.get(timeout=max(0.01, nearest - time.monotonic()))
        except Empty:
            for late in [flight for flight in in_flight.values() if time.monotonic() >= flight.gives_up]:
                del in_flight[late.spec.id]
                took_s = time.monotonic() - late.started
                finish(late.spec, _too_late(took_s), late.started, took_s)
            continue
        flight = in_flight.pop(check_id, None)
        if flight is not None:
            finish(flight.spec, finding, flight.started, took_s)
    return [done[check_id] for check_id in order]


def _next(waiting: deque[CheckSpec], in_flight: Collection[_Flight], at_once: int) -> CheckSpec | None:
    """The next check that may start now: there is room, and nothing under way disturbs it. Of those first one that
    counts, while nobody moves anything yet; then one that others have to wait for, since waiting takes longest; else
    the one whose upstreams are asked by the fewest: so each upstream is met early, and one that hangs does not keep
    the others waiting."""
    if len(in_flight) >= at_once:
        return None
    asked = Counter(upstream for flight in in_flight for upstream in flight.spec.touches)
    free = [spec for spec in waiting if not any(spec.disturbs(flight.spec) for flight in in_flight)]
    if not free:
        return None
    chosen = min(free, key=lambda spec: (_rank(spec), sum(asked[upstream] for upstream in spec.touches)))
    waiting.remove(chosen)
    return chosen


def _rank(spec: CheckSpec) -> int:
    if spec.counts and not spec.moves:
        return 0
    return 1 if spec.moves or spec.lane is not None else 2


def _seconds_for(spec: CheckSpec, left: float) -> float | None:
    """How long a check may take when the run has `left` seconds; None where it had better not begin."""
    usable = left - (CLEAN_UP_S if spec.mutates else SETTLE_S)
    if usable < min(spec.deadline_s, FEW_S if spec.mutates else SETTLE_S):
        return None
    return min(spec.deadline_s, usable)


def _reserved(spec: CheckSpec, context: CheckContext, now: datetime) -> Reservation | Finding | None:
    """What the day's cap of a check that writes sets aside for it; a finding where it must not write; None where no
    cap holds."""
    if not spec.mutates or cap_of(context.target, spec.purpose) is None:
        return None
    cap: dict[str, Any] = {"cap": {"purpose": spec.purpose, "calls": spec.cost.calls, "cents": spec.cost.cents}}
    if context.purse is None:
        said = f"Not written: nobody counts here what '{spec.purpose}' spends on {context.target.name}."
        return Finding(Verdict.UNKNOWN, said, cap)
    try:
        return context.purse.reserve(spec.purpose, spec.cost.calls, spec.cost.cents, now)
    except CapReached as reached:
        return Finding(Verdict.UNKNOWN, reached.what, {**cap, "cap_reached": True})
    except OpsError as error:
        return Finding(Verdict.UNKNOWN, str(error), cap)


def _start(
    spec: CheckSpec,
    seconds: float,
    context: CheckContext,
    answers: SimpleQueue[tuple[str, Finding, float]],
    held: Reservation | None,
) -> None:
    surroundings = copy_context()

    def work() -> None:
        started = time.monotonic()
        finding = surroundings.run(_guarded, spec, seconds, context, held)
        answers.put((spec.id, finding, time.monotonic() - started))

    threading.Thread(target=work, name=f"check {spec.id}", daemon=True).start()


def _guarded(spec: CheckSpec, seconds: float, context: CheckContext, held: Reservation | None) -> Finding:
    with metered() as meter:
        finding = _looked(spec, seconds, context)
    if held is not None:
        held.settle(meter)
    return finding


def _looked(spec: CheckSpec, seconds: float, context: CheckContext) -> Finding:
    try:
        with context.contacts.in_use(), deadline(seconds):
            return spec.run(context)
    except UpstreamError as error:
        known: dict[str, Any] = {
            "reason": str(error.reason) if error.reason else None,
            "code": error.code,
            "retry_after_s": error.retry_after_s,
        }
        facts: dict[str, Any] = {"upstream": error.upstream, "kind": error.kind.value, "status": error.status}
        facts |= {name: value for name, value in known.items() if value}
        return Finding(Verdict.UNKNOWN, f"{error.what} {error.do}".strip(), facts)
    except OpsError as error:
        facts = {"error": type(error).__name__} | ({"reason": error.reason} if error.reason else {})
        return Finding(Verdict.UNKNOWN, str(error), facts)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        facts = {"error": type(error).__name__, "where": f"{Path(last.filename).name}:{last.lineno}"}
        return Finding(
            Verdict.UNKNOWN, f"The check could not make sense of what it saw ({type(error).__name__}).", facts
        )


def _cannot_start(spec: CheckSpec, context: CheckContext) -> Finding | None:
    target = context.target
    if not target.allows(spec.level):
        return Finding(
            Verdict.UNKNOWN,
            f"Not looked at: {target.name} has not been granted the level '{spec.level}', which allows us to "
            f"{LEVEL_MEANS[spec.level]}.",
            {"missing_level": spec.level.value},
        )
    missing = [name for name in spec.needs if getattr(target, name) is None]
    if missing == ["deploy_url"]:
        said = (
            f"Not looked at: it works as the owner of {target.name}'s database, whose address is held for one run "
            f"only. Arm {target.name}, then run this check."
        )
        return Finding(Verdict.UNKNOWN, said, {"missing_settings": missing})
    if missing:
        return Finding(
            Verdict.UNKNOWN,
            f"Not looked at: the settings of {target.name} have no {', '.join(missing)}.",
            {"missing_settings": missing},
        )
    return None


def _too_late(took_s: float) -> Finding:
    return Finding(Verdict.UNKNOWN, f"No answer within {took_s:.0f} s.", {"kind": "timeout"})


def _no_time(within_s: float) -> Finding:
    said = f"Not looked at: too little was left of the {within_s:g} s of this run. Run this check by itself."
    return Finding(Verdict.UNKNOWN, said, {"kind": "timeout"})


def _told_of_allowance(spec: CheckSpec, context: CheckContext) -> dict[str, Any]:
    """The fact that says how many calls an upstream of this check still allows, where less than half are left."""
    told = {
        name: {"left": budget.remaining, "of": budget.limit, "per": budget.per, "said": budget.sentence()}
        for name, budget in context.budgets().items()
        if name in spec.touches and budget.limit and budget.remaining is not None
        if budget.remaining < budget.limit * LITTLE
    }
    return {ALLOWANCE: told} if told else {}


def _evidence(spec: CheckSpec, finding: Finding, context: CheckContext, started: datetime, took_s: float) -> Evidence:
    secrets = context.secrets()
    given: dict[str, Any] = {"touches": list(spec.touches)}
    if spec.mutates:
        given["marker"] = context.marker
    return Evidence(
        check_id=spec.id,
        target=context.target.name,
        verdict=finding.verdict,
        summary=redact(finding.summary, secrets),
        facts=redact_data({**finding.facts, **_told_of_allowance(spec, context)}, secrets),
        input=given,
        digest=digest(finding.facts if finding.raw is None else finding.raw),
        started=started,
        took_ms=took_s * 1000,
        check_version=spec.version,
        expires=started + timedelta(seconds=spec.expires_s),
        link=finding.link,
    )
