"""Catalogs that were rehearsed against: kept by digest, found again with all facts, the oldest let go."""

from __future__ import annotations

from sqlalchemy import func, select

from services.database.fingerprint import Fingerprint
from services.releases.catalogs import MOST_KEPT, catalog_of, keep_catalog
from services.store.database import Store
from services.store.tables import catalogs
from tests.services.conftest import TurnableClock

CATALOG = Fingerprint.of({"schema public": "owner postgres", "column public.users.naïve": "default 'a\"b'"})


def test_a_kept_catalog_is_found_with_all_its_facts(store: Store, clock: TurnableClock):
    keep_catalog(store, CATALOG, clock())
    keep_catalog(store, CATALOG, clock.turn(1))
    assert catalog_of(store, CATALOG.digest) == CATALOG
    assert catalog_of(store, "another") is None


def test_only_the_newest_are_kept(store: Store, clock: TurnableClock):
    keep_catalog(store, CATALOG, clock())
    for number in range(MOST_KEPT):
        keep_catalog(store, Fingerprint.of({"schema public": str(number)}), clock.turn(1))
    with store.read() as tx:
        assert tx.execute(select(func.count()).select_from(catalogs)).scalar_one() == MOST_KEPT
    assert catalog_of(store, CATALOG.digest) is None
