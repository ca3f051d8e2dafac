"""Knows what a change left behind, by trying it: what works no longer, and what is more open than it was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.database.connect import connect
from services.database.execution import Cancelled, Emit, never, silent
from services.database.fingerprint import Fingerprint, catalog_fingerprint
from services.database.inspection.access import some_person, try_access
from services.database.inspection.access_changes import compare_access
from services.database.inspection.advice import Advice
from services.database.inspection.advisors import advise, new_advice
from services.database.inspection.catalog import Catalog, read_catalog
from services.database.inspection.finding import InspectionFinding, broken, unclear
from services.database.inspection.functions import check_functions
from services.database.inspection.inserts import NO_ROW, check_rows
from services.database.inspection.overloads import check_overloads
from services.database.inspection.probing import TOO_LONG, Budget, Prober, probers
from services.database.inspection.rows import RowMaker
from services.database.inspection.scope import Scope, scope_of
from services.database.inspection.sign_up import compare_sign_ups, sign_up
from services.database.inspection.view_totals import check_view_totals
from services.database.inspection.views import check_views
from services.verdict import Verdict

BUDGET_S = 10.0
"""How long a whole inspection may take by default, in seconds; what it had no time for is unknown."""


_PLURALS = {"piece of advice": "pieces of advice"}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What trying a changed database showed that trying the untouched one does not.

    findings: tried objects; a `fail` is new. advice: new offences against the advisors' rules, which break nothing.
    old: how many objects of each kind failed before the change as well. took_ms is milliseconds.
    """

    findings: tuple[InspectionFinding, ...]
    advice: tuple[Advice, ...] = ()
    old: dict[str, int] = field(default_factory=dict)
    took_ms: float = 0.0

    @property
    def failed(self) -> tuple[InspectionFinding, ...]:
        return tuple(one for one in self.findings if one.verdict is Verdict.FAIL)

    @property
    def old_sentence(self) -> str:
        """What is not the change's fault, such as "2 functions, 1 view were like this before."; empty where nothing."""
        words = {"advisor": "piece of advice"}
        parts = []
        for kind, count in sorted(self.old.items()):
            word = words.get(kind, kind)
            parts.append(f"{count} {word if count == 1 else _PLURALS.get(word, word + 's')}")
        is_one = list(self.old.values()) == [1]
        return f"{', '.join(parts)} {'was' if is_one else 'were'} like this before." if parts else ""


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two databases: a superuser's session for reading the catalog, and a prober for trying."""

    admin: psycopg.Connection[Any]
    catalog: Catalog
    prober: Prober
    maker: RowMaker


_Check = Callable[[_Side, set[str]], list[InspectionFinding]]


def inspect_change(
    untouched: str,
    changed: str,
    *,
    before: Fingerprint | None = None,
    after: Fingerprint | None = None,
    budget_s: float = BUDGET_S,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Inspection:
    """Try what a script changed, and what depends on it, in both databases, and tell the difference.

    untouched, changed: superuser's addresses of two databases on one scratch server, of which nobody else makes a
    template meanwhile. before, after: their fingerprints, where they are known already. All that is tried is rolled
    back; positions of sequences move. Raises Stopped once `cancelled()` is true.
    """
    started = time.monotonic()
    budget = Budget.of(budget_s, cancelled)
    emit("phase", {"name": "inspection"})
    with ExitStack() as stack:
        admins = [stack.enter_context(connect(url)) for url in (untouched, changed)]
        catalogs = [read_catalog(admin) for admin in admins]
        facts_before = before or catalog_fingerprint(admins[0])
        facts_after = after or catalog_fingerprint(admins[1])
        scope = scope_of(catalogs[0], catalogs[1], facts_before, facts_after)
        # Advice is read before anything is tried, so that no try stands in its way.
        old_advice, all_advice = advise(admins[0]), advise(admins[1])
        tried = stack.enter_context(probers((untouched, changed), budget))
        makers = [RowMaker(*parts) for parts in zip(catalogs, tried, strict=True)]
        sides = [_Side(*parts) for parts in zip(admins, catalogs, tried, makers, strict=True)]
        findings, old = _difference(sides[0], sides[1], scope)
        old["advisor"] = len(old_advice)
    if budget.not_tried:
        said = f"{budget.not_tried} tries had no time: the inspection has {budget_s:g} s."
        findings.append(unclear("inspection", "", said, "budget"))
    advice = new_advice(old_advice, all_advice)
    for finding in findings:
        emit("inspection", finding.to_json())
    return Inspection(tuple(findings), tuple(advice), dict(+old), (time.monotonic() - started) * 1000)


def _difference(before: _Side, after: _Side, scope: Scope) -> tuple[list[InspectionFinding], Counter[str]]:
    """All findings on the changed side that the untouched one does not have too, and how many it has."""
    found: list[InspectionFinding] = []
    old: Counter[str] = Counter()
    relations, routines = set(scope.relations), set(scope.routines)
    # A person who cannot sign up is the worst, so that is tried first.
    signed = [sign_up(side.catalog, side.prober) for side in (before, after)]
    found += compare_sign_ups(*signed)
    old["sign-up"] += sum(one is not None and not one.answer.good for one in signed) == len(signed)
    for check, names, own in (
        (_functions, routines, True),
        (_overloads, {one.call for name, one in scope.routines.items() if scope.is_new_or_changed(name)}, False),
        (_rows, relations, False),
        (_views, relations, True),
        (_view_totals, {name for name in relations if scope.is_new_or_changed(name)}, False),
    ):
        told, before_too = _newly_failing(check, before, after, names)
        found += [one for one in told if not own or _worth_telling(one, scope)]
        old += before_too
    return [*found, *_access(before, after, scope)], old


def _worth_telling(finding: InspectionFinding, scope: Scope) -> bool:
    """What the script did not touch is told of only where it is broken now, or had no time to be tried."""
    return finding.verdict is Verdict.FAIL or scope.is_new_or_changed(finding.object)


def _newly_failing(
    check: _Check, before: _Side, after: _Side, names: set[str]
) -> tuple[list[InspectionFinding], Counter[str]]:
    told = check(after, names)
    doubtful = {one.object for one in told if one.verdict is Verdict.FAIL or _may_be_new(one)}
    known = check(before, doubtful) if doubtful else []
    was = {(one.kind, one.object): one.verdict for one in known}
    fresh, old = [], Counter[str]()
    for one in told:
        verdict = was.get((one.kind, one.object))
        if one.verdict is Verdict.FAIL and verdict is Verdict.FAIL:
            old[one.kind] += 1
        elif _may_be_new(one) and verdict is Verdict.PASS:
            fresh.append(broken(one.kind, one.object, f"{one.message} It went through before.", one.rule))
        else:
            fresh.append(one)
    return fresh, old


def _may_be_new(finding: InspectionFinding) -> bool:
    """A row that a trigger's function refuses for its values is its fault only if the like went through before."""
    of_row = finding.kind in ("insert", "update", "delete") and finding.verdict is Verdict.UNKNOWN
    return of_row and finding.rule.startswith(("22", "23")) and finding.rule not in (NO_ROW, *TOO_LONG)


def _functions(side: _Side, names: set[str]) -> list[InspectionFinding]:
    wanted = [one for name, one in sorted(side.catalog.routines.items()) if name in names]
    return check_functions(side.catalog, side.prober, wanted, side.admin)


def _overloads(side: _Side, names: set[str]) -> list[InspectionFinding]:
    return check_overloads(side.catalog, side.prober, names)


def _rows(side: _Side, names: set[str]) -> list[InspectionFinding]:
    wanted = [one for name, one in sorted(side.catalog.relations.items()) if name in names]
    return check_rows(side.catalog, side.prober, wanted, side.maker)


def _access(before: _Side, after: _Side, scope: Scope) -> list[InspectionFinding]:
    """What callers can do now and could not, or no more, with what is in scope."""
    person = some_person(before.prober, before.catalog)
    routines = {name for name in scope.routines if scope.is_new_or_changed(name)}
    was, now = (
        try_access(
            side.catalog, side.prober, side.maker,
            [one for name, one in side.catalog.relations.items() if name in scope.relations],
            [one for name, one in side.catalog.routines.items() if name in routines],
            person,
        )
        for side in (before, after)
    )  # fmt: skip
    return compare_access(
        was,
        now,
        there_before={*before.catalog.relations, *before.catalog.routines},
        secured={name for name, one in scope.relations.items() if one.secured or one.invoker},
        definers={name for name, one in scope.routines.items() if one.definer},
    )


def _view_totals(side: _Side, names: set[str]) -> list[InspectionFinding]:
    views = [one for name, one in sorted(side.catalog.relations.items()) if name in names]
    return check_view_totals(side.catalog, side.prober, views, side.maker)


def _views(side: _Side, names: set[str]) -> list[InspectionFinding]:
    return check_views(side.prober, [one for name, one in sorted(side.catalog.relations.items()) if name in names])
