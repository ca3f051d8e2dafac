"""What a process writes to its log: one JSON object a line, and of an exception no word that could hold a secret."""

from __future__ import annotations

import io
import json
import logging

import structlog

from dashboard.processes.logs import log_to

SECRET = "postgresql://owner:hunter2@db/app"


def test_an_exception_is_logged_by_type_and_place_without_its_message() -> None:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        log_to(stream)
        try:
            raise ConnectionError(SECRET)
        except ConnectionError:
            structlog.get_logger("worker").exception("job failed", job="job-1")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = before
    entry = json.loads(stream.getvalue())
    assert entry["event"] == "job failed"
    assert entry["exception"][0] == "ConnectionError"
    assert "test_logs.py" in "".join(entry["exception"])
    assert "hunter2" not in stream.getvalue()
