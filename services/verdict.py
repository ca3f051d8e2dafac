"""The words of truth as types: verdict, finding, evidence, freshness."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a check concluded. Never a bool: a time-out is `unknown`, and unknown is not a pass."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Freshness(StrEnum):
    """Whether evidence still counts: evidence that is past its `expires` is `expired`."""

    FRESH = "fresh"
    EXPIRED = "expired"
    NEVER = "never"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several: any fail is a fail, any unknown an unknown; of none, unknown."""
    seen = set(verdicts)
    if Verdict.FAIL in seen:
        return Verdict.FAIL
    if Verdict.UNKNOWN in seen or not seen:
        return Verdict.UNKNOWN
    return Verdict.PASS


def digest(raw: object) -> str:
    """SHA-256 (hex) of a raw answer: bytes and text as they are, anything else as canonical JSON."""
    if isinstance(raw, bytes):
        data = raw
    elif isinstance(raw, str):
        data = raw.encode()
    else:
        data = json.dumps(raw, sort_keys=True, default=str).encode()
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check function returns: the verdict, one sentence, and the facts behind it.

    facts must be JSON-able and free of secrets and of journal text. `raw` is digested and dropped.
    `link` is a key of the app's links ("railway_variables") that leads to the place that fixes it.
    """

    verdict: Verdict
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    raw: object = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A finding with its circumstances: which check, version and input, where, when, and until when it counts."""

    check_id: str
    target: str
    verdict: Verdict
    summary: str
    facts: Mapping[str, Any]
    input: Mapping[str, Any]
    digest: str
    started: datetime
    took_ms: float
    check_version: int
    expires: datetime
    link: str | None = None

    def freshness(self, now: datetime) -> Freshness:
        return Freshness.FRESH if now < self.expires else Freshness.EXPIRED

    def to_json(self) -> dict[str, Any]:
        return {
            "check_id": self.check_id,
            "target": self.target,
            "verdict": self.verdict.value,
            "summary": self.summary,
            "facts": dict(self.facts),
            "input": dict(self.input),
            "digest": self.digest,
            "started": self.started.isoformat(),
            "took_ms": round(self.took_ms, 1),
            "check_version": self.check_version,
            "expires": self.expires.isoformat(),
            "link": self.link,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        return cls(
            check_id=data["check_id"],
            target=data["target"],
            verdict=Verdict(data["verdict"]),
            summary=data["summary"],
            facts=data["facts"],
            input=data["input"],
            digest=data["digest"],
            started=datetime.fromisoformat(data["started"]),
            took_ms=data["took_ms"],
            check_version=data["check_version"],
            expires=datetime.fromisoformat(data["expires"]),
            link=data.get("link"),
        )
