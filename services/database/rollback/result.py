"""Knows what a rollback came to: what went, what is kept of it and proved, what came back, and what did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.database.deployment.guarded import Ran
from services.database.deployment.receipts import Receipt
from services.database.rollback.losses import Loss
from services.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the kept rows could be brought back, tried on a scratch server. restorable None: it could not be tried.

    reason: what was compared, or why it was not.
    """

    restorable: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """What came of a rollback. The database was changed if this is returned at all.

    fingerprint_restored: the catalog is again the one before the deploy; None without a receipt to compare with.
    rows_lost: rows alive just before that are neither in place nor in the proved snapshot.
    rows_kept: rows that the snapshot holds; parked: the tables that were moved aside whole.
    not_restored: what differs from before the deploy, in words.
    inverse: {"sql", "not_restored"} that was derived from the catalog, where the release brought no rollback.
    merged: rows that the deploy had taken and that were put back, None where none were to be; conflicts: those that
    differ from what is there now, left alone.
    proof: the restore drill; None where nothing was kept.
    """

    blast_radius: tuple[Loss, ...]
    snapshot_id: str | None
    fingerprint_restored: bool | None
    rows_lost: int
    rows_kept: int = 0
    not_restored: str = ""
    statements: tuple[Ran, ...] = ()
    notices: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    inverse: Mapping[str, Any] | None = None
    merged: int | None = None
    conflicts: tuple[Mapping[str, Any], ...] = ()
    proof: Proof | None = None

    @property
    def verdict(self) -> Verdict:
        if self.rows_lost or self.conflicts or self.fingerprint_restored is False:
            return Verdict.FAIL
        if self.proof is not None and self.proof.restorable is False:
            return Verdict.FAIL
        return Verdict.UNKNOWN if self.fingerprint_restored is None else Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "blast_radius": [loss.to_json() for loss in self.blast_radius],
            "snapshot_id": self.snapshot_id,
            "fingerprint_restored": self.fingerprint_restored,
            "rows_lost": self.rows_lost,
            "rows_kept": self.rows_kept,
            "not_restored": self.not_restored,
            "parked": list(self.parked),
            "inverse": dict(self.inverse) if self.inverse is not None else None,
            "merged": self.merged,
            "conflicts": [dict(one) for one in self.conflicts],
            "proved": self.proof.restorable if self.proof else None,
            "proof": self.proof.reason if self.proof else "",
        }


def result_of(receipt: Receipt) -> RollbackResult:
    """The result that a rollback left in the deploy receipt."""
    told = receipt.rollback_result or {}
    losses = tuple(
        Loss(one["kind"], one["object"], one["rows"], one["bytes"], one["effect"], by=one.get("by", ""))
        for one in told.get("blast_radius", [])
    )
    proof = Proof(told.get("proved"), str(told["proof"])) if told.get("proof") else None
    return RollbackResult(
        losses,
        receipt.snapshot_id,
        told.get("fingerprint_restored"),
        int(told.get("rows_lost", 0)),
        int(told.get("rows_kept", 0)),
        str(told.get("not_restored", "")),
        parked=tuple(told.get("parked", ())),
        inverse=told.get("inverse"),
        merged=told.get("merged"),
        conflicts=tuple(told.get("conflicts", ())),
        proof=proof,
    )
