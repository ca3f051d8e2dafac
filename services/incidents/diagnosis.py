"""What the evidence speaks for: ranked causes with for and against, or "unknown" with what was ruled out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.incidents.causes import Cause, Causes, Sign
from services.verdict import Evidence, Verdict

CONSEQUENCE = 3
DID_NOT_ANSWER = ("Unavailable", "Refused")


class State(StrEnum):
    HEALTHY = "healthy"
    EXPLAINED = "explained"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """In words, by the weight of the signs less those against: 6 and more, 4, 1."""

    CERTAIN = "almost certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A cause as the evidence leaves it. `for_` and `against` are sentences of the evidence."""

    cause: Cause
    weight: int
    for_: tuple[str, ...]
    against: tuple[str, ...]
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
            "next_check": self.next_check,
            "playbook": self.cause.playbook,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """symptoms: sentences of what is wrong; causes: best first; ruled_out: ids that the evidence speaks against."""

    state: State
    symptoms: tuple[str, ...]
    causes: tuple[Ranked, ...]
    ruled_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state.value,
            "symptoms": list(self.symptoms),
            "causes": [cause.to_json() for cause in self.causes],
            "ruled_out": list(self.ruled_out),
        }


def diagnose(
    evidence: Mapping[str, Evidence], catalogue: Causes, costs: Mapping[str, float] | None = None
) -> Diagnosis:
    """The diagnosis, a function of the evidence alone.

    evidence: by check id; costs: what a run of a check costs, in any unit, for the choice of the next one.
    """
    symptoms = tuple(
        f"{check}: {evidence[check].summary}"
        for check in catalogue.symptoms
        if check in evidence and is_symptom(evidence[check])
    )
    if not symptoms:
        known = all(check in evidence and evidence[check].verdict is Verdict.PASS for check in catalogue.vital)
        return Diagnosis(State.HEALTHY if known else State.UNKNOWN, (), (), ())
    weighed = {cause.id: _weigh(cause, evidence) for cause in catalogue.causes}
    named = {one.cause.id: one for one in weighed.values() if _is_named(one, evidence)}
    ranked = _in_order(named)
    ruled_out = tuple(
        cause.id for cause in catalogue.causes if cause.id not in named and _is_ruled_out(cause, evidence)
    )
    with_next = tuple(_with_next(one, _rival(ranked, place), evidence, costs or {}) for place, one in enumerate(ranked))
    return Diagnosis(State.EXPLAINED if ranked else State.UNKNOWN, symptoms, with_next, ruled_out)


def is_symptom(evidence: Evidence) -> bool:
    """A fail, or an unknown that we looked for in earnest: what nobody may look at is no symptom."""
    if evidence.verdict is Verdict.UNKNOWN:
        return "kind" in evidence.facts or evidence.facts.get("error") in DID_NOT_ANSWER
    return evidence.verdict is Verdict.FAIL


def _weigh(cause: Cause, evidence: Mapping[str, Evidence]) -> Ranked:
    speaking = [sign for sign in cause.signs if _seen(sign, evidence)]
    objecting = [sign for sign in cause.against if _seen(sign, evidence)]
    weight = sum(sign.weight for sign in speaking) - sum(sign.weight for sign in objecting)
    return Ranked(cause, weight, _sentences(speaking, evidence), _sentences(objecting, evidence))


def _seen(sign: Sign, evidence: Mapping[str, Evidence]) -> bool:
    return sign.check in evidence and sign.seen_in(evidence[sign.check])


def _sentences(signs: Sequence[Sign], evidence: Mapping[str, Evidence]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sign.says or f"{sign.check}: {evidence[sign.check].summary}" for sign in signs))


def _is_named(one: Ranked, evidence: Mapping[str, Evidence]) -> bool:
    return one.weight > 0 and any(sign.decides and _seen(sign, evidence) for sign in one.cause.signs)


def _is_ruled_out(cause: Cause, evidence: Mapping[str, Evidence]) -> bool:
    """Something speaks against it, or every check that could decide it was made and saw no such thing."""
    deciding = [sign.check for sign in cause.signs if sign.decides]
    looked = all(check in evidence and evidence[check].verdict is not Verdict.UNKNOWN for check in deciding)
    return looked or any(_seen(sign, evidence) for sign in cause.against)


def _in_order(named: Mapping[str, Ranked]) -> list[Ranked]:
    """Baseline causes last; consequences of a likely cause weigh less; then by weight, then by name."""
    consequences = {
        other
        for one in named.values()
        if one.confidence is not Confidence.POSSIBLE
        for other in one.cause.instead_of
        if other != one.cause.id
    }

    def key(one: Ranked) -> tuple[bool, int, str]:
        lighter = CONSEQUENCE if one.cause.id in consequences else 0
        return one.cause.baseline, lighter - one.weight, one.cause.id

    return sorted(named.values(), key=key)


def _rival(ranked: Sequence[Ranked], place: int) -> Ranked | None:
    others = [one for at, one in enumerate(ranked) if at != place]
    return others[0] if others else None


def _with_next(
    one: Ranked, rival: Ranked | None, evidence: Mapping[str, Evidence], costs: Mapping[str, float]
) -> Ranked:
    """The cheapest check not yet known that speaks of this cause, not of its rival; else the one that decides it."""
    about = {sign.check for sign in (*one.cause.signs, *one.cause.against)}
    about_rival = {sign.check for sign in (*rival.cause.signs, *rival.cause.against)} if rival else set()
    open_ones = {c for c in about ^ about_rival if c not in evidence or evidence[c].verdict is Verdict.UNKNOWN}
    deciding = [sign.check for sign in one.cause.signs if sign.decides]
    candidates = sorted(open_ones or deciding, key=lambda check: (costs.get(check, 1.0), check))
    return Ranked(one.cause, one.weight, one.for_, one.against, candidates[0] if candidates else None)
