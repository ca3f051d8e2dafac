"""The proofs of levels in our store: written by whoever proved, void once the credentials are others."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from services.connecting.credential_digest import credential_digest, new_salt
from services.connecting.proofs import Proof
from services.settings import Level, Target
from services.store.database import Store
from services.store.tables import level_proofs
from services.verdict import Verdict

COUNTS_FOR = timedelta(hours=1)
"""How long a passed proof allows granting."""


@dataclass(frozen=True, slots=True)
class KeptProof:
    """A proof as it was kept. holds: it was made with the credentials that the target has now."""

    proof: Proof
    at: datetime
    by: str
    holds: bool

    def allows_granting(self, now: datetime) -> bool:
        """Whether it passed, with these credentials, within the hour."""
        return self.holds and self.proof.verdict is Verdict.PASS and now - self.at < COUNTS_FOR


def keep_proof(tx: Connection, home: Path, target: Target, proof: Proof, actor: str, now: datetime) -> None:
    """Write a proof down in the caller's transaction. target: exactly as it was proved."""
    salt = new_salt()
    body: Mapping[str, Any] = {
        **proof.to_json(),
        "salt": salt,
        "digest": credential_digest(home, proof.level, target, salt),
    }
    row = {"target": target.name, "level": proof.level.value, "verdict": proof.verdict.value}
    tx.execute(insert(level_proofs).values(**row, body=body, actor=actor, at=now))


def newest_proof(store: Store, home: Path, target: Target, level: Level) -> KeptProof | None:
    """The last proof of a level of this target, whatever it came to; None where it was never tried."""
    query = (
        select(level_proofs)
        .where(level_proofs.c.target == target.name, level_proofs.c.level == level.value)
        .order_by(level_proofs.c.seq.desc())
        .limit(1)
    )
    with store.read() as tx:
        row = tx.execute(query).one_or_none()
    if row is None:
        return None
    now_it_is = credential_digest(home, level, target, row.body["salt"])
    return KeptProof(
        Proof.from_json(row.body), row.at, row.actor, hmac.compare_digest(now_it_is, str(row.body["digest"]))
    )
