"""Knows the catalogs that were rehearsed against, by digest, so that a drift since then can be told by name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from services.database.fingerprint import Fingerprint
from services.store.database import Store
from services.store.tables import catalogs

MOST_KEPT = 40
"""A catalog of 500 tables is a megabyte of facts; only the newest are of use."""


def keep_catalog(store: Store, fingerprint: Fingerprint, now: datetime) -> None:
    """Keep the facts of a catalog; the oldest beyond MOST_KEPT go."""
    try:
        with store.write() as tx:
            tx.execute(delete(catalogs).where(catalogs.c.digest == fingerprint.digest))
            tx.execute(insert(catalogs).values(digest=fingerprint.digest, facts=fingerprint.facts, stored=now))
            newest = select(catalogs.c.digest).order_by(catalogs.c.stored.desc(), catalogs.c.digest).limit(MOST_KEPT)
            kept = [row.digest for row in tx.execute(newest)]
            tx.execute(delete(catalogs).where(catalogs.c.digest.not_in(kept)))
    except IntegrityError:
        return  # Another worker kept the very same facts at the same moment.


def catalog_of(store: Store, digest: str) -> Fingerprint | None:
    """The catalog with this digest and all its facts; None where it is not kept (any more)."""
    with store.read() as tx:
        facts = tx.execute(select(catalogs.c.facts).where(catalogs.c.digest == digest)).scalar()
    return None if facts is None else Fingerprint.of({str(key): str(value) for key, value in facts.items()})
