"""A store on SQLite alone, for what does not depend on which database it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.store.database import Store, open_store


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    yield opened
    opened.close()
