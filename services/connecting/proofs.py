"""Proving a level: each ends with an effect that was seen, and none below probe writes anything anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.app_definition import AppDefinition
from services.checks.runner import Emit, silent
from services.clients.redaction import redact
from services.connecting.deploy_proof import seen_of_deploy
from services.connecting.observe_proof import seen_of_observe
from services.connecting.outside import seen_from_outside
from services.connecting.platform_proof import seen_of_platform
from services.connecting.powers import could_also
from services.connecting.probe_proof import seen_of_probe
from services.connecting.seen import Seen
from services.connecting.trial import Told, Trial, unknown
from services.errors import OpsError
from services.settings import LEVEL_MEANS, Level, Target
from services.store.database import Store
from services.verdict import Evidence, Verdict, worst

__all__ = ["Proof", "Seen", "prove_level"]

MOST_IN_SUMMARY = 2


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen of one level. verdict: of what the level stands on; the other lines are told and decide nothing.

    could_also: what the keys that were given could do beyond the level
    evidence: of the checks that were run for it, for our own records
    """

    level: Level
    verdict: Verdict
    summary: str
    seen: tuple[Seen, ...]
    could_also: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = field(default=(), repr=False, compare=False)

    @property
    def by_writing_only(self) -> bool:
        """Whether it cannot be tried without changing something, so that nothing is known before it is asked for."""
        return self.level is Level.PROBE and self.verdict is Verdict.UNKNOWN

    def to_json(self) -> dict[str, Any]:
        return {
            "level": self.level.value,
            "means": LEVEL_MEANS[self.level],
            "verdict": self.verdict.value,
            "summary": self.summary,
            "seen": [{"what": one.what, "verdict": one.verdict.value, "text": one.text} for one in self.seen],
            "could_also": list(self.could_also),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Proof:
        seen = tuple(Seen(one["what"], Verdict(one["verdict"]), one["text"]) for one in data["seen"])
        return cls(Level(data["level"]), Verdict(data["verdict"]), data["summary"], seen, tuple(data["could_also"]))


def prove_level(
    level: Level,
    target: Target,
    app: AppDefinition,
    now: datetime,
    *,
    may_write: bool = False,
    store: Store | None = None,
    emit: Emit = silent,
) -> Proof:
    """Try what a level needs with the keys that the target has, whether it is granted or not.

    may_write: for probe only, which is proved by one marked entry; without, that level stays unknown
    store: our own records, which know whether somebody has armed the target
    emit: called with ("seen", {"what", "verdict", "text"}) for each thing as it is seen
    Raises nothing: silence is unknown, a refusal is a fail.
    """
    trial = Trial(target.model_copy(update={"levels": target.levels | {Level.LOOK, level}}), app, now, store)
    provers: Mapping[Level, Callable[[], Iterator[Told]]] = {
        Level.LOOK: lambda: seen_from_outside(trial),
        Level.OBSERVE: lambda: seen_of_observe(trial),
        Level.PLATFORM: lambda: seen_of_platform(trial),
        Level.PROBE: lambda: seen_of_probe(trial, may_write=may_write),
        Level.DEPLOY: lambda: seen_of_deploy(trial),
    }
    told: list[Told] = []
    secrets = trial.context.secrets()
    try:
        with trial.context.contacts.in_use():
            for one in provers[level]():
                seen = replace(one.seen, text=redact(one.seen.text, secrets))
                told.append(replace(one, seen=seen))
                emit("seen", {"what": seen.what, "verdict": seen.verdict.value, "text": seen.text})
    except OpsError as error:
        # What a prover does not expect ends the proof with its sentence, and as unknown.
        told.append(unknown("Proof", redact(str(error), secrets)))
    verdict = worst(one.seen.verdict for one in told if one.needed)
    return Proof(
        level=level,
        verdict=verdict,
        summary=_summary(told, verdict),
        seen=tuple(one.seen for one in told),
        could_also=could_also(level, target),
        evidence=tuple(trial.evidence),
    )


def _summary(told: Sequence[Told], verdict: Verdict) -> str:
    """The effects that the level stands on; of a level that does not stand, the sentence that decides it."""
    deciding = [one.seen.text for one in told if one.needed and one.seen.verdict is verdict]
    if verdict is Verdict.PASS:
        effects = [one.seen.text for one in told if one.effect and one.seen.verdict is verdict]
        return " ".join((effects or deciding)[:MOST_IN_SUMMARY])
    return deciding[0] if deciding else "Nothing was tried."
