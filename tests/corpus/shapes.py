"""Scripts whose bytes matter: line ends, byte order marks, a last line without an end, lengths."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent / "scripts" / "30_shapes.json"


@dataclass(frozen=True)
class Shape:
    """One script; failure: the class it was written for, None for one written to pass."""

    name: str
    bases: tuple[str, ...]
    sql: str
    failure: str | None = None


_LONG = (
    Shape("very-long-line", ("empty",), f"SELECT {', '.join(map(str, range(1500)))};\nSELECT '{'x' * 70_000}';\n"),
    Shape("many-statements", ("empty",), "".join(f"CREATE TABLE t{n} (id int);\n" for n in range(120))),
    Shape("last-of-many-fails", ("empty",), "SELECT 1;\n" * 150 + "SELECT 1 / 0;\nSELECT 1;\n", "bad-value"),
)

SHAPES: tuple[Shape, ...] = (
    *(
        Shape(one["name"], tuple(one["bases"]), one["sql"], one.get("failure"))
        for one in json.loads(_FILE.read_text(encoding="utf-8"))
    ),
    *_LONG,
)
