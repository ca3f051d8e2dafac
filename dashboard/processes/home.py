"""Where our own files lie: OPS_HOME, or `.ops` in the project's folder; known without reading any setting."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEFAULT = ".ops"


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The home folder as a full path; a relative OPS_HOME counts from the project's folder."""
    return (ROOT / environ.get("OPS_HOME", DEFAULT)).resolve()
