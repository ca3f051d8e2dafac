"""Trying one level: what a prover may use, and how an answer, a refusal or silence becomes something seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Generic, TypeVar

from services.app_definition import AppDefinition
from services.checks.caps import Purse
from services.checks.context import CheckContext
from services.checks.of_app import catalogue_of
from services.checks.runner import WITHIN_S, run_checks
from services.clients.http import Kind, UpstreamError
from services.connecting.seen import Seen
from services.errors import NotUnderstood, OpsError, Refused
from services.settings import Target
from services.store.database import Store
from services.verdict import Evidence, Verdict

T = TypeVar("T")

# What the other side understood and declined; anything else it did not answer says nothing about the key.
_DECLINED = frozenset({Kind.UNAUTHORISED, Kind.FORBIDDEN, Kind.MISSING})


@dataclass(frozen=True, slots=True)
class Told:
    """One thing seen. needed: the level stands on it, else it is only told; effect: it sums up what was seen."""

    seen: Seen
    needed: bool = True
    effect: bool = False


@dataclass
class Trial:
    """What a prover works with. store: our own records, where there are any; evidence: of the checks that it ran."""

    target: Target
    app: AppDefinition
    now: datetime
    store: Store | None = None
    evidence: list[Evidence] = field(default_factory=list)

    @cached_property
    def context(self) -> CheckContext:
        return CheckContext.create(self.target, self.app, self.now)

    def run(self, ids: Iterable[str], *, within_s: float = WITHIN_S) -> list[Evidence]:
        """Evidence of checks, kept with what else this trial has seen."""
        purse = None if self.store is None else Purse(self.store, self.target)
        fresh = CheckContext.create(self.target, self.app, self.now, purse=purse)
        context = replace(fresh, contacts=self.context.contacts)
        found = run_checks(catalogue_of(self.app), ids, context, self.now, within_s=within_s)
        self.evidence += found
        return found


def passed(what: str, text: str, *, needed: bool = True, effect: bool = False) -> Told:
    return Told(Seen(what, Verdict.PASS, text), needed, effect)


def failed(what: str, text: str, *, needed: bool = True) -> Told:
    return Told(Seen(what, Verdict.FAIL, text), needed)


def unknown(what: str, text: str, *, needed: bool = True) -> Told:
    return Told(Seen(what, Verdict.UNKNOWN, text), needed)


def declined(what: str, error: OpsError, *, needed: bool = True) -> Told:
    """What an error says: a refusal is a fail, silence and what is not understood are unknown."""
    said = " ".join(part for part in (error.what, error.do) if part)
    refused = isinstance(error, Refused | NotUnderstood)
    if isinstance(error, UpstreamError):
        refused = error.kind in _DECLINED
    return Told(Seen(what, Verdict.FAIL if refused else Verdict.UNKNOWN, said), needed)


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """One question: what was seen, and the answer where there was one."""

    told: Told
    answer: T | None = None


def asked(
    what: str, ask: Callable[[], T], tell: Callable[[T], str], *, needed: bool = True, effect: bool = False
) -> Asked[T]:
    """Ask once; an error becomes what was seen."""
    try:
        answer = ask()
    except OpsError as error:
        return Asked(declined(what, error, needed=needed))
    return Asked(passed(what, tell(answer), needed=needed, effect=effect), answer)


def of_evidence(one: Evidence, title: str, *, needed: bool) -> Told:
    """A check's evidence as something seen."""
    return Told(Seen(title, one.verdict, one.summary), needed)
