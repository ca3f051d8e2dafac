"""The audit chain: complete with the mutation it tells of, and broken wherever somebody edits it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, update

from services.store import audit
from services.store.database import Store
from services.store.tables import audit as audit_table
from tests.services.conftest import NOON


def write(store: Store, count: int) -> None:
    for number in range(count):
        with store.write() as tx:
            audit.record(tx, actor="a", action="act", target="t", subject=str(number), now=NOON, detail={"n": number})


def test_an_untouched_chain_holds(store: Store) -> None:
    write(store, 5)
    assert audit.first_broken(store) is None
    assert [entry.subject for entry in audit.entries(store)] == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("change", [{"actor": "b"}, {"detail": {"n": 9}}, {"hash": "f" * 64}])
def test_an_edited_entry_breaks_the_chain_at_its_place(store: Store, change: dict[str, object]) -> None:
    write(store, 5)
    with store.write() as tx:
        tx.execute(update(audit_table).where(audit_table.c.seq == 3).values(**change))
    assert audit.first_broken(store) == 3


def test_a_removed_entry_breaks_the_chain_after_it(store: Store) -> None:
    write(store, 5)
    with store.write() as tx:
        tx.execute(delete(audit_table).where(audit_table.c.seq == 2))
    assert audit.first_broken(store) == 3


def test_writers_at_once_make_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: write(store, 5), range(6)))
    assert audit.first_broken(store) is None
    assert len(audit.entries(store)) == 30


def test_an_entry_goes_with_its_transaction(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as tx:
        audit.record(tx, actor="a", action="act", target="t", subject="s", now=NOON)
        raise RuntimeError("the mutation failed")
    assert audit.entries(store) == []
