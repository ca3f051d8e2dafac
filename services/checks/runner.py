"""Running checks side by side: a bounded number at once, each with a deadline, and nothing escapes as an exception."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import Catalogue, CheckSpec
from services.clients.deadline import deadline
from services.clients.http import UpstreamError
from services.clients.redaction import redact, redact_data
from services.errors import OpsError
from services.settings import LEVEL_MEANS
from services.verdict import Evidence, Finding, Verdict, digest

Emit = Callable[[str, dict[str, Any]], None]
AT_ONCE = 8
GRACE_S = 3.0


def silent(kind: str, payload: dict[str, Any]) -> None:
    """The emit of somebody who only wants the result."""


@dataclass
class _Flight:
    spec: CheckSpec
    started: float


def run_checks(
    catalogue: Catalogue,
    ids: Iterable[str],
    context: CheckContext,
    now: datetime,
    emit: Emit = silent,
    *,
    at_once: int = AT_ONCE,
    grace_s: float = GRACE_S,
) -> list[Evidence]:
    """Evidence of every check in `ids`, in that order. Raises NotUnderstood for an unknown id, before anything runs.

    emit: called in this thread with ("check-started", {"id"}) and ("check-finished", evidence as JSON).
    Checks of one lane run one at a time. A check that outlives its deadline by `grace_s` is left behind as unknown.
    """
    order = list(dict.fromkeys(ids))
    waiting = deque(catalogue[check_id] for check_id in order)
    done: dict[str, Evidence] = {}
    in_flight: dict[str, _Flight] = {}
    answers: SimpleQueue[tuple[str, Finding, float]] = SimpleQueue()
    begun = time.monotonic()

    def finish(spec: CheckSpec, finding: Finding, started: float, took_s: float) -> None:
        when = now + timedelta(seconds=started - begun)
        done[spec.id] = _evidence(spec, finding, context, when, took_s)
        emit("check-finished", done[spec.id].to_json())

    while waiting or in_flight:
        while (spec := _next(waiting, in_flight, at_once)) is not None:
            emit("check-started", {"id": spec.id, "title": spec.title})
            refused = _cannot_start(spec, context)
            if refused is not None:
                finish(spec, refused, time.monotonic(), 0.0)
                continue
            in_flight[spec.id] = _Flight(spec, time.monotonic())
            _start(spec, context, answers)
        if not in_flight:
            continue
        nearest = min(f.started + f.spec.deadline_s + grace_s for f in in_flight.values())
        try:
            check_id, finding, took_s = answers.get(timeout=max(0.01, nearest - time.monotonic()))
        except Empty:
            for late in [f for f in in_flight.values() if time.monotonic() >= f.started + f.spec.deadline_s + grace_s]:
                del in_flight[late.spec.id]
                finish(late.spec, _too_late(late.spec), late.started, time.monotonic() - late.started)
            continue
        flight = in_flight.pop(check_id, None)
        if flight is not None:
            finish(flight.spec, finding, flight.started, took_s)
    return [done[check_id] for check_id in order]


def _next(waiting: deque[CheckSpec], in_flight: Mapping[str, _Flight], at_once: int) -> CheckSpec | None:
    """The next check that may start now: there is room, and its lane is free."""
    if len(in_flight) >= at_once:
        return None
    taken = {flight.spec.lane for flight in in_flight.values()} - {None}
    for spec in waiting:
        if spec.lane not in taken:
            waiting.remove(spec)
            return spec
    return None


def _start(spec: CheckSpec, context: CheckContext, answers: SimpleQueue[tuple[str, Finding, float]]) -> None:
    surroundings = copy_context()

    def work() -> None:
        started = time.monotonic()
        finding = surroundings.run(_guarded, spec, context)
        answers.put((spec.id, finding, time.monotonic() - started))

    threading.Thread(target=work, name=f"check {spec.id}", daemon=True).start()


def _guarded(spec: CheckSpec, context: CheckContext) -> Finding:
    try:
        with deadline(spec.deadline_s):
            return spec.run(context)
    except UpstreamError as error:
        facts = {"upstream": error.upstream, "kind": error.kind.value, "status": error.status}
        return Finding(Verdict.UNKNOWN, f"{error.what} {error.do}".strip(), facts)
    except OpsError as error:
        return Finding(Verdict.UNKNOWN, str(error), {"error": type(error).__name__})
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
    if missing:
        return Finding(
            Verdict.UNKNOWN,
            f"Not looked at: the settings of {target.name} have no {', '.join(missing)}.",
            {"missing_settings": missing},
        )
    return None


def _too_late(spec: CheckSpec) -> Finding:
    return Finding(Verdict.UNKNOWN, f"No answer within {spec.deadline_s:.0f} s.", {"kind": "timeout"})


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
        facts=redact_data(dict(finding.facts), secrets),
        input=given,
        digest=digest(finding.facts if finding.raw is None else finding.raw),
        started=started,
        took_ms=took_s * 1000,
        check_version=spec.version,
        expires=started + timedelta(seconds=spec.expires_s),
        link=finding.link,
    )
