"""What the evidence speaks for: ranked causes with for and against, or "unknown" with what was ruled out and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from services.incidents.causes import Cause, Causes, Sign
from services.verdict import Evidence, Verdict

DID_NOT_ANSWER = ("Unavailable", "Refused")
FAILED, UNSEEN = 4, 1  # what failed is worth as much explaining as four things that could not be seen
PATIENCE = 2.0  # unknown, where more than twice as much is left open as is accounted for
LEAST = 2  # a cause of less weight than this is not named
SCOPE = 0.3  # a cause accounts for what it would break only where at least so much of that is broken
MOST_SHOWN = 12  # beyond this burden, accounting for more makes no cause likelier
Seen = Mapping[str, Evidence]


class State(StrEnum):
    HEALTHY = "healthy"
    EXPLAINED = "explained"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """In words, by the weight of the signs less those against: 6 and more, 4, 2."""

    CERTAIN = "almost certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A cause as the evidence leaves it. `for_` and `against` are sentences of the evidence.

    explains: the symptoms (check ids) that it accounts for, burden: how much that is;
    consequence_of: the likelier cause of which it may be a mere consequence.
    """

    cause: Cause
    weight: int
    for_: tuple[str, ...]
    against: tuple[str, ...]
    explains: frozenset[str] = frozenset()
    burden: int = 0
    consequence_of: str | None = None
    next_check: str | None = None

    @property
    def confidence(self) -> Confidence:
        if self.weight >= 6:
            return Confidence.CERTAIN
        return Confidence.LIKELY if self.weight >= 4 else Confidence.POSSIBLE

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.cause.id,
            "title": self.cause.title,
            "confidence": self.confidence.value,
            "for": list(self.for_),
            "against": list(self.against),
            "explains": sorted(self.explains),
            "consequence_of": self.consequence_of,
            "next_check": self.next_check,
            "playbook": self.cause.playbook,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """symptoms: sentences of what is wrong; causes: best first; not_explained: the symptoms that no cause accounts
    for; ruled_out: ids that the evidence speaks against, ruled_out_because: the evidence of each."""

    state: State
    symptoms: tuple[str, ...]
    causes: tuple[Ranked, ...]
    ruled_out: tuple[str, ...]
    not_explained: tuple[str, ...] = ()
    ruled_out_because: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state.value,
            "symptoms": list(self.symptoms),
            "causes": [cause.to_json() for cause in self.causes],
            "ruled_out": list(self.ruled_out),
            "not_explained": list(self.not_explained),
            "ruled_out_because": dict(self.ruled_out_because),
        }


def diagnose(evidence: Seen, catalogue: Causes, costs: Mapping[str, float] | None = None) -> Diagnosis:
    """The diagnosis, a function of the evidence alone.

    "healthy": every vital check passed and nothing is wrong; "explained": the causes that are named account for so
    much of what is wrong that the rest may be chance; else "unknown", whatever is named beside.
    evidence: by check id; costs: what a run of a check costs, in any unit, for the choice of the next one.
    """
    ill = _ill(evidence, catalogue)
    possible = [cause for cause in catalogue.causes if ill or cause.notice]
    weighed = [_weigh(cause, evidence, ill) for cause in possible if _is_named(cause, evidence)]
    ranked = _in_order({one.cause.id: one for one in weighed if one.weight >= LEAST})
    causes = tuple(_with_next(one, _rival(ranked, one), evidence, costs or {}) for one in ranked)
    if not ill:
        known = all(check in evidence and evidence[check].verdict is Verdict.PASS for check in catalogue.vital)
        return Diagnosis(State.HEALTHY if known else State.UNKNOWN, (), causes, ())
    accounted = frozenset[str]().union(*(one.explains for one in ranked))
    open_ones = tuple(check for check in ill if check not in accounted)
    too_much = _burden(open_ones, evidence) > PATIENCE * _burden(accounted, evidence)
    because = _ruled_out(catalogue.causes, {one.cause.id for one in ranked}, evidence)
    return Diagnosis(
        State.UNKNOWN if too_much else State.EXPLAINED,
        _sentences(ill, evidence),
        causes,
        tuple(because),
        _sentences(open_ones, evidence),
        because,
    )


def _ill(evidence: Seen, catalogue: Causes) -> tuple[str, ...]:
    """The checks that show something to explain, in the catalogue's order."""
    suspicious = {one.check_id for sign in catalogue.suspicious for one in sign.shown_by(evidence)}
    every = dict.fromkeys((*catalogue.symptoms, *(check for sign in catalogue.suspicious for check in sign.check)))
    wrong = {check for check in catalogue.symptoms if check in evidence and is_symptom(evidence[check])}
    return tuple(check for check in every if check in wrong or check in suspicious)


def is_symptom(evidence: Evidence) -> bool:
    """A fail, or an unknown that we looked for in earnest: what nobody may look at is no symptom."""
    if evidence.verdict is Verdict.UNKNOWN:
        return "kind" in evidence.facts or evidence.facts.get("error") in DID_NOT_ANSWER
    return evidence.verdict is Verdict.FAIL


def _burden(checks: Iterable[str], evidence: Seen) -> int:
    """How much there is to explain."""
    return sum(FAILED if evidence[check].verdict is Verdict.FAIL else UNSEEN for check in checks)


def _sentences(checks: Iterable[str], evidence: Seen) -> tuple[str, ...]:
    return tuple(f"{check}: {evidence[check].summary}" for check in checks)


def _is_named(cause: Cause, evidence: Seen) -> bool:
    if any(sign.excludes and sign.shown_by(evidence) for sign in cause.against):
        return False
    return any(sign.shown_by(evidence) for sign in cause.deciding)


def _weigh(cause: Cause, evidence: Seen, ill: Sequence[str]) -> Ranked:
    speaking = _shown(cause.signs, evidence)
    objecting = _shown(cause.against, evidence)
    weight = sum(sign.weight for sign, _ in speaking) - sum(sign.weight for sign, _ in objecting)
    seen_in = {one.check_id for _, shown in speaking for one in shown}
    explains = frozenset(ill) & (seen_in | _scope(cause, evidence, ill))
    return Ranked(cause, weight, _told(speaking), _told(objecting), explains, _burden(explains, evidence))


def _scope(cause: Cause, evidence: Seen, ill: Sequence[str]) -> frozenset[str]:
    """What the cause would break, where enough of it is: else it accounts for no more than its signs show."""
    known = [c for c in cause.explains if c in ill or (c in evidence and evidence[c].verdict is Verdict.PASS)]
    broken = frozenset(ill).intersection(known)
    return broken if len(broken) >= SCOPE * len(known) else frozenset()


def _shown(signs: Iterable[Sign], evidence: Seen) -> list[tuple[Sign, tuple[Evidence, ...]]]:
    return [(sign, shown) for sign in signs if (shown := sign.shown_by(evidence))]


def _told(shown: Iterable[tuple[Sign, tuple[Evidence, ...]]]) -> tuple[str, ...]:
    """One sentence for each sign: its own, or that of the first check that shows it, with how many others do."""
    told = []
    for sign, seen in shown:
        others = len(seen) - 1
        more = f" (and {others} more {'check' if others == 1 else 'checks'})" if others else ""
        told.append(sign.says or f"{seen[0].check_id}: {seen[0].summary}{more}")
    return tuple(dict.fromkeys(told))


def _ruled_out(causes: Iterable[Cause], named: set[str], evidence: Seen) -> dict[str, str]:
    found = {cause.id: _why_not(cause, evidence) for cause in causes if cause.id not in named}
    return {name: why for name, why in found.items() if why is not None}


def _why_not(cause: Cause, evidence: Seen) -> str | None:
    """What speaks against it; or that every sign which could decide it was looked for and not seen; else None."""
    objecting = _shown(cause.against, evidence)
    if objecting:
        return _told(objecting)[0]
    looked: list[Evidence] = []
    for sign in cause.deciding:
        known = [c for c in sign.check if c in evidence and evidence[c].verdict is not Verdict.UNKNOWN]
        if not known:
            return None
        looked.append(evidence[known[0]])
    return f"{looked[0].check_id}: {looked[0].summary}"


def _in_order(named: Mapping[str, Ranked]) -> list[Ranked]:
    """Notices last, before them the baseline, before it consequences of a likely cause; then by weight together with
    what it accounts for, and by name."""
    roots: dict[str, str] = {}
    for one in named.values():
        if one.confidence is not Confidence.POSSIBLE:
            roots |= {other: one.cause.id for other in one.cause.instead_of if other != one.cause.id}
    placed = [replace(one, consequence_of=roots.get(name)) for name, one in named.items()]

    def key(one: Ranked) -> tuple[bool, bool, bool, float, str]:
        cause = one.cause
        likely = one.weight + min(one.burden, MOST_SHOWN) / FAILED
        return cause.notice, cause.baseline, one.consequence_of is not None, -likely, cause.id

    return sorted(placed, key=key)


def _rival(ranked: Sequence[Ranked], one: Ranked) -> Ranked | None:
    return next((other for other in ranked if other is not one), None)


def _with_next(one: Ranked, rival: Ranked | None, evidence: Seen, costs: Mapping[str, float]) -> Ranked:
    """The cheapest check not yet known that speaks of this cause, not of its rival; else the one that decides it."""
    about_rival = rival.cause.checks if rival else frozenset()
    apart = one.cause.checks ^ about_rival
    open_ones = {check for check in apart if check not in evidence or evidence[check].verdict is Verdict.UNKNOWN}
    deciding = [check for sign in one.cause.deciding for check in sign.check]
    candidates = sorted(open_ones or deciding, key=lambda check: (costs.get(check, 1.0), check))
    return replace(one, next_check=candidates[0] if candidates else None)
