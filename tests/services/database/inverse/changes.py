"""What releases do to the rich schema, by family and name."""

from __future__ import annotations

from pathlib import Path

_TEXT = Path(__file__).with_suffix(".sql").read_text()
CHANGES = dict(part.split("\n", 1) for part in _TEXT.split("\n--- ")[1:])
