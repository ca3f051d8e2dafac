"""Knows what was asked of a deploy, and how far it has come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from services.database.deployment.blockers import Blocker
from services.database.deployment.guarded import Ran, Watch
from services.database.deployment.role_trials import RoleTrials
from services.database.failure_classes import Failure
from services.database.fingerprint import Fingerprint
from services.database.history.migrations import Listing
from services.database.script import Statement
from services.database.verification import Query, Verification
from services.verdict import Verdict

State = Literal["none", "begun", "done"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What came of a deploy. `applied` tells whether all of it is in; `verdict` whether all is well.

    state: "none" nothing was changed; "begun" some of its parts are in, and deploying it again goes on from there;
    "done". parts: (done, of all).
    verification: what was seen after COMMIT, or the one inside the transaction that stopped it.
    roles: what was tried after COMMIT as the roles that come over REST.
    snapshot_id, parked: what was kept of the rows it took away. inverse: whether a way back was derived and kept.
    transaction_ms: milliseconds from BEGIN to COMMIT of the attempts that counted.
    """

    verdict: Verdict
    applied: bool
    summary: str
    statements: tuple[Ran, ...] = ()
    notices: tuple[str, ...] = ()
    verification: Verification | None = None
    receipt_id: str | None = None
    failure: Failure | None = None
    retries: int = 0
    transaction_ms: float = 0.0
    state: State = "none"
    parts: tuple[int, int] = (0, 1)
    blockers: tuple[Blocker, ...] = ()
    snapshot_id: str | None = None
    parked: tuple[str, ...] = ()
    inverse: bool = False
    roles: RoleTrials | None = None
    before: Fingerprint | None = None
    after: Fingerprint | None = None

    def with_verification(self, seen: Verification) -> Deployment:
        return replace(self, verification=seen)

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "applied": self.applied,
            "state": self.state,
            "summary": self.summary,
            "statements": [statement.to_json() for statement in self.statements],
            "notices": list(self.notices),
            "verification": self.verification.to_json() if self.verification else None,
            "roles": self.roles.to_json() if self.roles else None,
            "receipt_id": self.receipt_id,
            "failure": self.failure.to_json() if self.failure else None,
            "blockers": [blocker.to_json() for blocker in self.blockers],
            "retries": self.retries,
            "parts": {"done": self.parts[0], "of": self.parts[1]},
            "snapshot_id": self.snapshot_id,
            "parked": list(self.parked),
            "inverse": self.inverse,
            "transaction_ms": round(self.transaction_ms, 1),
        }


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. keep_days None: nothing that it takes away is kept. process: our server process."""

    url: str
    statements: tuple[Statement, ...]
    queries: Sequence[Query]
    release_id: str
    plan_hash: str
    actor: str
    job_id: str
    expected: Fingerprint | str | None
    watch: Watch
    keep_days: int | None
    keep_inverse: bool
    process: int
    listings: Sequence[Listing] = ()


@dataclass(slots=True)
class Course:
    """How far the deploy has come: its receipt, the parts that are in, and the catalog after them.

    resumed: nothing was done yet by this process. again: the next part was sent before, and its end is not known.
    """

    receipt_id: str | None = None
    done: int = 0
    of: int = 1
    resumed: bool = False
    again: bool = False
    detail: dict[str, Any] = field(default_factory=dict)
    before: Fingerprint | None = None
    after: Fingerprint | None = None
    search_path: str = ""
    ran: list[Ran] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    blockers: tuple[Blocker, ...] = ()
    retries: int = 0
    transaction_ms: float = 0.0
    snapshot_id: str | None = None
    parked: tuple[str, ...] = ()
    inverse: bool = False
    began: float = field(default_factory=time.monotonic)

    def told(self, verdict: Verdict, summary: str, *, applied: bool = False) -> Deployment:
        """The result as it stands."""
        state: State = "done" if applied else "begun" if self.receipt_id else "none"
        if state == "begun":
            summary += f" {self.done} of {self.of} parts are in; deploying it again goes on from there."
        return Deployment(
            verdict,
            applied,
            summary,
            tuple(self.ran),
            tuple(self.notices),
            receipt_id=self.receipt_id,
            retries=self.retries,
            transaction_ms=self.transaction_ms,
            state=state,
            parts=(self.done, self.of),
            blockers=self.blockers,
            snapshot_id=self.snapshot_id,
            parked=self.parked,
            inverse=self.inverse,
            before=self.before,
            after=self.after,
        )
