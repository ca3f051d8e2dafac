"""Knows whether a deploy that somebody ran by hand is there, by what a connection that only reads can see of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.database.connect import connect
from services.database.deployment.receipts import Receipt, find_receipt
from services.database.fingerprint import catalog_fingerprint, difference
from services.verdict import Verdict

BY_HAND = "by-hand "
"""How the job ids of receipts begin that a script wrote: no job of ours was there."""


@dataclass(frozen=True, slots=True)
class SeenByHand:
    """Whether the release stands there as it was rehearsed, and by which receipt."""

    verdict: Verdict
    summary: str
    receipt_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"verdict": self.verdict.value, "summary": self.summary, "receipt_id": self.receipt_id}


def seen_by_hand(url: str, release_id: str, plan_hash: str) -> SeenByHand:
    """Look for the receipt of this plan, and at the catalog. Raises as `find_receipt` does.

    plan_hash: of the release's content, as the receipt has it. It passes only if both are seen: the receipt of a deploy
    that is whole, and a catalog that is the one the receipt was written for.
    """
    receipt = find_receipt(url, release_id)
    if receipt is None:
        return SeenByHand(Verdict.FAIL, f"There is no deploy receipt of {release_id}: the script has not been run.")
    if receipt.rolled_back_at is not None:
        when = f"{receipt.rolled_back_at:%Y-%m-%d %H:%M} UTC"
        return SeenByHand(Verdict.FAIL, f"The newest deploy of {release_id} was rolled back at {when}.", receipt.id)
    if receipt.state != "done":
        return SeenByHand(Verdict.FAIL, _half_way(receipt), receipt.id)
    if receipt.plan_hash != plan_hash:
        said = f"The newest deploy receipt of {release_id} is of another content ({receipt.plan_hash[:16]})."
        return SeenByHand(Verdict.FAIL, said, receipt.id)
    with connect(url, read_only=True, statement_timeout_s=10) as conn:
        now = catalog_fingerprint(conn)
    if now.digest != receipt.after.digest:
        said = f"The receipt is there, but the catalog has changed since ({difference(receipt.after, now).sentence()})."
        return SeenByHand(Verdict.FAIL, said, receipt.id)
    when = f"{receipt.deployed_at:%Y-%m-%d %H:%M} UTC"
    how = "Deployed by hand" if receipt.job_id.startswith(BY_HAND) else "Deployed from here, not by hand,"
    said = f"{how} at {when}: receipt {receipt.id} is there, and the catalog is the rehearsed one."
    return SeenByHand(Verdict.PASS, said, receipt.id)


def _half_way(receipt: Receipt) -> str:
    if receipt.state == "begun" and receipt.job_id.startswith(BY_HAND):
        return (
            f"Only some files of {receipt.release_id} have been run by hand, and what they did is in. Run the next one:"
            " a file that is not the next says which is."
        )
    return (
        f"A deploy of {receipt.release_id} from here stopped half-way: some of its parts are in. Go on with that one."
    )
