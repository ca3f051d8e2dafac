"""A store on SQLite alone, for what does not depend on which database it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.store.database import Store
from tests.migrated_store import fresh_store


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path / "store.sqlite3")
    yield opened
    opened.close()
