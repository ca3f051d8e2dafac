"""A manifest for tests that need one and take no backup."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.database.backup.manifest import Manifest


def a_manifest(**unlike: Any) -> Manifest:
    """Of an empty schema public on Postgres 17; what is given is different."""
    values: dict[str, Any] = {
        "id": "backup-1",
        "target": "staging",
        "file": "staging.dump.age",
        "bytes": 0,
        "sha256": "0" * 64,
        "snapshot_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "keep_until": datetime(2026, 4, 1, 12, tzinfo=UTC),
        "server_version": "15.1",
        "major": 15,
        "tool": 15,
        "recipient": "age1x",
        "schemas": ("public",),
        "needed": (),
        "tables": (),
        "sequences": {},
        "large_objects": None,
        "roles": (),
        "extensions": (),
        "catalog": ("", 0),
        "contains": "",
        "not_contained": (),
    }
    return Manifest(**(values | unlike))
