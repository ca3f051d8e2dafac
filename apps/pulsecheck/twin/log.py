"""The app's log and its server's: information on standard output, the rest on standard error."""

from __future__ import annotations

import logging
import sys

LOG = logging.getLogger("pulsecheck")
_SERVER = logging.getLogger("uvicorn")


def to_standard_streams() -> None:
    """Call once, in the process that serves."""
    out, err = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    out.addFilter(lambda record: record.levelno < logging.WARNING)
    err.setLevel(logging.WARNING)
    for handler in (out, err):
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        for log in (LOG, _SERVER):
            log.addHandler(handler)
    for log in (LOG, _SERVER):
        log.setLevel(logging.INFO)
