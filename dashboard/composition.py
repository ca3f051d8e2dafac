"""What this process is composed of: the settings as they are on disk now, and one open store."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.errors import OpsError
from services.settings import DEFAULT_HOME, Settings, load_settings
from services.store.clock import local_now
from services.store.database import Store, open_store

ROOT = Path(__file__).resolve().parent.parent

Signature = tuple[tuple[str, int, int], ...]


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    signature: tuple[Signature, tuple[tuple[str, str], ...]] | None = None
    settings: Settings | None = None
    stores: dict[str, Store] = field(default_factory=dict)


_kept = _Kept()


def settings() -> Settings:
    """The settings; read again when a settings file or an OPS_ variable has changed. Raises NotUnderstood."""
    environ = {key: value for key, value in os.environ.items() if key.startswith("OPS_")}
    signature = (_file_signature(environ), tuple(sorted(environ.items())))
    with _kept.lock:
        if _kept.settings is None or _kept.signature != signature:
            _kept.settings = load_settings(environ, ROOT)
            _kept.signature = signature
        return _kept.settings


def store() -> Store:
    """The one open store of this process. Raises Unavailable where it cannot be opened; the next call tries again."""
    url = settings().store_url
    with _kept.lock:
        if url not in _kept.stores:
            _kept.stores[url] = open_store(url)
        return _kept.stores[url]


def now() -> datetime:
    """The time by the store's clock, which all who share it go by; by our own where no store can be opened."""
    try:
        return store().now()
    except OpsError:
        return local_now()


def close() -> None:
    """Close what was opened; the next use opens it again."""
    with _kept.lock:
        for opened in _kept.stores.values():
            opened.close()
        _kept.stores.clear()
        _kept.settings = None


def _file_signature(environ: dict[str, str]) -> Signature:
    home = ROOT / environ.get("OPS_HOME", DEFAULT_HOME)
    files = [ROOT / ".streamlit" / "secrets.toml", *sorted((home / "targets").glob("*.json"))]
    seen: list[tuple[str, int, int]] = []
    for path in files:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        seen.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(seen)
