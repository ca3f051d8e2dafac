"""Knows what a rehearsal found, and how the command line tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from services.database.dangers.by_effect import Danger
from services.database.failure_classes import Failure
from services.database.fingerprint import Fingerprint
from services.database.inspection.advice import Advice, SecurityFinding
from services.database.rehearsal.meant_breaks import newly_broken
from services.database.script import Oddity, Script
from services.verdict import Verdict


@dataclass(frozen=True, slots=True)
class PredictedStatement:
    """How long a statement will take on the target's real size, in milliseconds, with the range it may lie in.

    stall_ms: how long writers or readers of an existing table will wait for the lock that it takes; None for no lock
    that makes anybody wait.
    """

    ms: float
    low: float
    high: float
    stall_ms: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {"ms": round(self.ms, 1), "low": round(self.low, 1), "high": round(self.high, 1)}


@dataclass(frozen=True, slots=True)
class Predicted:
    """The whole transaction on the target's real size, in milliseconds, and by which factor that may be wrong."""

    transaction_ms: float
    stall_ms: float
    error: float

    def to_json(self) -> dict[str, Any]:
        return {
            "transaction_ms": round(self.transaction_ms, 1),
            "stall_ms": round(self.stall_ms, 1),
            "error": round(self.error, 2),
        }


@dataclass(frozen=True, slots=True)
class NotIdempotent:
    """A statement that cannot simply be run again. guarded: a form of it that can, proved on a clone.

    kind: "fails" (the second run refuses it), "catalog" or "rows" (the second run changes them once more).
    """

    file: str
    line: int
    kind: Literal["fails", "catalog", "rows"]
    detail: str
    guarded: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "line": self.line,
            "kind": self.kind,
            "detail": self.detail,
            "guarded": self.guarded,
        }


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a read-only question to the target's rows found. rows: how many stand in the way, None where not counted."""

    object: str
    question: str
    verdict: Verdict
    rows: int | None
    sql: str

    def to_json(self) -> dict[str, Any]:
        return {
            "object": self.object,
            "question": self.question,
            "verdict": self.verdict.value,
            "rows": self.rows,
            "sql": self.sql,
        }


@dataclass(frozen=True, slots=True)
class ShadowMade:
    """How the shadow came to be like the target. copied_by: "pg_dump" or "definitions" (read from the catalog alone);
    runs_as: the role that the scripts ran as; stands_in: that one is not the role which connects."""

    copied_by: str
    runs_as: str
    stands_in: bool

    @property
    def sentence(self) -> str:
        """In words."""
        how = "by pg_dump" if self.copied_by == "pg_dump" else "from the catalog alone, without any row"
        why = ", because the connecting role only reads" if self.stands_in else ""
        return f"The shadow was made {how}; the scripts ran as {self.runs_as}{why}."

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class RehearsedStatement:
    """One statement as it ran on the shadow.

    `lock`: the strongest it took on what was there before; `locks`: by relation; `ms` there; `predicted`: on the
    target's real size, where that was asked for.
    """

    file: str
    line: int
    sql: str
    lock: str | None
    rows_scanned: int
    rewrites: tuple[str, ...]
    rows_written: int
    ms: float
    locks: Mapping[str, str] = field(default_factory=dict)
    predicted: PredictedStatement | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "line": self.line,
            "sql": self.sql,
            "lock": self.lock,
            "rows_scanned": self.rows_scanned,
            "rewrites": list(self.rewrites),
            "rows_written": self.rows_written,
            "ms": round(self.ms, 2),
            "locks": dict(self.locks),
            "predicted_ms": self.predicted.to_json() if self.predicted else None,
            "stall_ms": self.predicted.stall_ms if self.predicted else None,
        }


@dataclass(frozen=True, slots=True)
class FurtherFailure:
    """A failure after the first. follows_from: the line of the earlier failure that brought it, where one did."""

    failure: Failure
    follows_from: int | None

    def to_json(self) -> dict[str, Any]:
        return {**self.failure.to_json(), "follows_from": self.follows_from}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal found.

    The verdict is `fail` if the first or the second run failed, or if something works no longer that the script does
    not say to break; `unknown` with a reason.

    `before`: the target's catalog as it was read; a deploy is bound to it. `after`: the shadow's after the first run.
    `apart`: places of statements that cannot run in a transaction. `left_out`: the script's own BEGIN and COMMIT.
    `not_idempotent`: what a second run refuses or changes again. `plan_hash`: binds a deploy to scripts and target.
    `advice`: new offences against the advisors' rules, which break nothing; `like_this_before`: what failed before the
    change as well; neither touches the verdict. `not_predicted`: why no time could be told, where it was asked for.
    `shadow`: how the shadow was made, None where there was none. `order`: indexes of the statements in the order that a
    deploy runs them, None for the scripts' own order. `took_ms` is milliseconds.
    """

    failure: Failure | None
    second_run: Failure | None
    unknown_because: tuple[str, ...]
    statements: tuple[RehearsedStatement, ...]
    dangers: tuple[Danger, ...]
    security: tuple[SecurityFinding, ...]
    notices: tuple[str, ...]
    took_ms: float
    before: Fingerprint | None = None
    after: Fingerprint | None = None
    rollback_failure: Failure | None = None
    rollback_restores: bool | None = None
    apart: tuple[tuple[str, int], ...] = ()
    further_failures: tuple[FurtherFailure, ...] = ()
    not_idempotent: tuple[NotIdempotent, ...] = ()
    left_out: tuple[Oddity, ...] = ()
    probes: tuple[ProbeAnswer, ...] = ()
    inspection: tuple[dict[str, Any], ...] = ()
    advice: tuple[Advice, ...] = ()
    like_this_before: str = ""
    inverse: dict[str, Any] | None = None
    predicted: Predicted | None = None
    not_predicted: str = ""
    plan_hash: str | None = None
    order: tuple[int, ...] | None = None
    shadow: ShadowMade | None = None

    @property
    def verdict(self) -> Verdict:
        if self.failure or self.second_run or newly_broken(self.inspection):
            return Verdict.FAIL
        return Verdict.UNKNOWN if self.unknown_because else Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        """The result as the command line prints it."""
        return {
            "verdict": self.verdict.value,
            "failure": self.failure.to_json() if self.failure else None,
            "second_run": self.second_run.to_json() if self.second_run else None,
            "unknown_because": list(self.unknown_because),
            "statements": [statement.to_json() for statement in self.statements],
            "dangers": [danger.to_json() for danger in self.dangers],
            "security": [finding.to_json() for finding in self.security],
            "took_ms": round(self.took_ms, 1),
            "further_failures": [further.to_json() for further in self.further_failures],
            "not_idempotent": [one.to_json() for one in self.not_idempotent],
            "left_out": [{"file": odd.file, "line": odd.line, "what": odd.what} for odd in self.left_out],
            "probes": [probe.to_json() for probe in self.probes],
            "inspection": list(self.inspection),
            "advice": [one.to_json() for one in self.advice],
            "like_this_before": self.like_this_before,
            "inverse": self.inverse,
            "predicted": self.predicted.to_json() if self.predicted else None,
            "not_predicted": self.not_predicted,
            "plan_hash": self.plan_hash,
            "apart": [list(place) for place in self.apart],
            "order": list(self.order) if self.order is not None else None,
            "shadow": self.shadow.to_json() if self.shadow is not None else None,
        }


def plan_hash(scripts: Sequence[Script], target: Fingerprint | None, order: Sequence[int] | None = None) -> str | None:
    """The SHA-256 of the scripts, in their order and with their names, of the target's catalog, and of the order in
    which the statements run where it is another than theirs. None without a catalog."""
    if target is None:
        return None
    digest = hashlib.sha256()
    places = "" if order is None else ",".join(map(str, order))
    for part in [target.digest, places, *(text for script in scripts for text in (script.file, script.sql))]:
        # Each part with its length, so that no two plans can be written as the same bytes.
        digest.update(f"{len(part.encode())}:".encode() + part.encode())
    return digest.hexdigest()
