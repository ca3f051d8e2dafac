"""Generic kinds of check, as functions of what was seen; an app sets them up with its own routes, names and queries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.clients.http import Answer, failure, kind_of
from services.verdict import Finding, Verdict, worst

NOT_LET_IN = (401, 403, 429)


def answered(answer: Answer, what: str, *, accept: Iterable[int] = (200,)) -> Finding:
    """Status: pass for an accepted status; fail for 4xx and 5xx, which are the app's own answers; else unknown.

    401, 403 and 429 are unknown too: we were not let in, so nothing was seen.
    """
    facts: dict[str, Any] = {"status": answer.status, "took_ms": round(answer.took_s * 1000)}
    if answer.status in tuple(accept):
        return Finding(Verdict.PASS, f"{what} answered {answer.status} in {facts['took_ms']} ms.", facts, answer.body)
    facts["kind"] = kind_of(answer.status).value
    if answer.status in NOT_LET_IN:
        return Finding(Verdict.UNKNOWN, f"{what} was not shown to us: {failure(answer).what}", facts, answer.body)
    if 400 <= answer.status < 600:
        return Finding(Verdict.FAIL, f"{what}: {failure(answer).what}", facts, answer.body)
    return Finding(Verdict.UNKNOWN, f"{what} answered {answer.status}, which is not understood.", facts, answer.body)


@dataclass(frozen=True, slots=True)
class RouteInventory:
    """Which of a build's paths are served; `broken` are served but answered 5xx when called."""

    expected: tuple[str, ...]
    served: frozenset[str]
    not_answering: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(p for p in self.expected if p not in self.served or p in self.not_answering)


def missing_keys(body: object, keys: Iterable[str]) -> tuple[str, ...]:
    """JSON shape: the keys that the object, or the first of a list of objects, does not have."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, Mapping):
        return tuple(keys)
    return tuple(key for key in keys if key not in first)


def shaped(answer: Answer, keys: Iterable[str], what: str) -> Finding:
    """Status and JSON shape: pass for 200 with all the keys, fail where one is missing or another status came.

    Raises UpstreamError(not-understood) for a body that is no JSON.
    """
    finding = answered(answer, what)
    if finding.verdict is not Verdict.PASS:
        return finding
    missing = missing_keys(answer.json(), keys)
    if missing:
        facts = {**finding.facts, "missing": list(missing)}
        return Finding(Verdict.FAIL, f"{what} lacks {', '.join(missing)}.", facts, answer.body)
    return finding


@dataclass(frozen=True, slots=True)
class Compared:
    """One number as two sources give it; `low` and `high` bound ours where it moved while we looked."""

    name: str
    low: float
    high: float
    theirs: float | None
    tolerance: float = 0.0

    @property
    def equal(self) -> bool:
        return self.theirs is not None and self.low - self.tolerance <= self.theirs <= self.high + self.tolerance

    def sentence(self) -> str:
        ours = f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"
        theirs = "nothing" if self.theirs is None else f"{self.theirs:g}"
        return f"{self.name} says {theirs}, we count {ours}"


def numbers_agree(pairs: Sequence[Compared], what: str) -> Finding:
    """Same numbers from two sources: any difference is a fail that names it; nothing compared is unknown."""
    if not pairs:
        return Finding(Verdict.UNKNOWN, f"{what}: there was no number to compare.")
    wrong = [pair for pair in pairs if not pair.equal]
    facts: dict[str, Any] = {
        "compared": {p.name: {"theirs": p.theirs, "ours": p.low if p.low == p.high else [p.low, p.high]} for p in pairs}
    }
    if wrong:
        return Finding(Verdict.FAIL, f"{what}: " + "; ".join(pair.sentence() for pair in wrong) + ".", facts)
    return Finding(Verdict.PASS, f"{what}: {len(pairs)} numbers equal our own count.", facts)


def names_present(required: Iterable[str], present: Iterable[str], what: str, link: str | None = None) -> Finding:
    """Names by set, never values: fail where one is missing."""
    there = set(present)
    needed = list(required)
    missing = [name for name in needed if name not in there]
    facts = {"required": needed, "missing": missing}
    if missing:
        return Finding(Verdict.FAIL, f"{what}: {', '.join(missing)} missing.", facts, link=link)
    return Finding(Verdict.PASS, f"{what}: all {len(needed)} are set.", facts, link=link)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a write-then-find: what it should do, and whether it did."""

    name: str
    verdict: Verdict
    said: str


def staged(stages: Sequence[Stage], what: str, facts: Mapping[str, Any]) -> Finding:
    """Write-then-find: the worst stage decides, and its sentence is the summary."""
    verdict = worst(stage.verdict for stage in stages)
    shown = {**facts, "stages": {stage.name: stage.verdict.value for stage in stages}}
    bad = [stage.said for stage in stages if stage.verdict is verdict and verdict is not Verdict.PASS]
    return Finding(verdict, f"{what}: " + (" ".join(bad) if bad else " ".join(s.said for s in stages)), shown)


def rows_that_should_not_be(
    rows: Sequence[Mapping[str, Any]], proves: str, describe: Callable[[Mapping[str, Any]], str]
) -> Finding:
    """SQL zero rows: no row is a pass; each row is a counter-example, and the first three are quoted."""
    if not rows:
        return Finding(Verdict.PASS, proves, {"rows": 0})
    shown = "; ".join(describe(row) for row in rows[:3])
    return Finding(Verdict.FAIL, f"{len(rows)} counter-examples: {shown}.", {"rows": len(rows)})
