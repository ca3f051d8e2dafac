"""A store of our own that is migrated already, to be copied: to migrate takes fifty times as long."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from services.store.database import Store, open_store


@cache
def _file() -> bytes:
    with TemporaryDirectory(prefix="ops-test-") as folder:
        path = Path(folder) / "store.sqlite3"
        open_store(f"sqlite:///{path}").close()
        return path.read_bytes()


def migrated_file(path: Path) -> str:
    """Put an empty, migrated store there, where none is yet, and return its address."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_file())
    return f"sqlite:///{path}"


def fresh_store(path: Path) -> Store:
    """The store in this file, empty where there was none, opened."""
    return open_store(migrated_file(path))
