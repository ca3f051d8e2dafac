"""Standard check of the clocks: ours, the database's and the app's; ages and expiries are worth what these are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.errors import OpsError, Unavailable
from services.settings import Level
from services.verdict import Finding, Verdict, worst

LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Clock:
    """What another clock said, between two looks at ours."""

    name: str
    before: datetime
    said: datetime
    after: datetime

    @property
    def off_s(self) -> float:
        """Seconds by which it is ahead of ours; 0 where it spoke between our two looks."""
        if self.said < self.before:
            return (self.said - self.before).total_seconds()
        return max(0.0, (self.said - self.after).total_seconds())


def clock_agrees(context: CheckContext) -> Finding:
    """Our clock, the database's now() and the Date of the app's answer, within half a minute."""
    looks: list[tuple[str, Callable[[CheckContext], Clock]]] = [("app", _app)]
    if context.target.database_url is not None and context.target.allows(Level.OBSERVE):
        looks.append(("database", _database))
    seen: list[Clock] = []
    silent: dict[str, OpsError] = {}
    for name, look in looks:
        try:
            seen.append(look(context))
        except OpsError as error:
            silent[name] = error
    found = agreement(seen, tuple(silent))
    if found.verdict is Verdict.UNKNOWN and silent:
        raise next(iter(silent.values()))
    return found


def agreement(seen: list[Clock], silent: tuple[str, ...]) -> Finding:
    """Judge what was read; a clock that could not be read leaves the claim unknown, unless another is wrong."""
    off = {clock.name: round(clock.off_s, 1) for clock in seen}
    facts: dict[str, Any] = {
        "database_off_s": off.get("database"),
        "app_off_s": off.get("app"),
        "limit_s": LIMIT_S,
        "not_read": list(silent),
    }
    wrong = {name: seconds for name, seconds in off.items() if abs(seconds) > LIMIT_S}
    verdict = worst([Verdict.FAIL] if wrong else [Verdict.PASS] * len(off) + [Verdict.UNKNOWN] * len(silent))
    if wrong:
        named = " and ".join(
            f"the {name}'s clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
            for name, seconds in wrong.items()
        )
        return Finding(verdict, f"Measured by ours, {named}.", facts)
    if verdict is Verdict.UNKNOWN:
        return Finding(verdict, f"Not every clock could be read: {', '.join(silent) or 'none'}.", facts)
    return Finding(verdict, f"Ours and {len(off)} other clocks agree within {LIMIT_S:g} s.", facts)


def _database(context: CheckContext) -> Clock:
    with context.database() as conn:
        before = _ours()
        row = conn.execute("select clock_timestamp()", binary=True).fetchone()
        after = _ours()
    if row is None:
        raise Unavailable("The database did not tell the time.")
    return Clock("database", before, row[0].astimezone(UTC), after)


def _app(context: CheckContext) -> Clock:
    before = _ours()
    answer = context.api.get("/")
    after = _ours()
    # A path that is not there is an answer of the app too; a failing one may be the platform's.
    answer.expect(404, 405)
    if any("/" in path[1:] for path in (context.app.builds[0].adds if context.app.builds else ())):
        # An app with an API answers in JSON objects; what stands in their place has a clock of its own.
        answer.read(_object)
    try:
        said = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        raise Unavailable("The app's answer bears no date that can be read.") from None
    # The header has whole seconds, cut off.
    return Clock("app", before.replace(microsecond=0), said.astimezone(UTC), after)


def _object(body: Any) -> None:
    if not isinstance(body, dict):
        raise TypeError


def _ours() -> datetime:
    """The clock itself is what is checked here, so that the run's moment will not do."""
    return datetime.now(UTC)


SPECS = (
    CheckSpec(
        "clock-agrees",
        "The clocks agree",
        "Our clock, the database's and the app's are within half a minute.",
        clock_agrees,
        ("before", "week"),
        ("app", "database"),
        ("app_url",),
        Level.LOOK,
        blocking=False,
        cost=Cost(2),
        expires_s=3600,
    ),
)
