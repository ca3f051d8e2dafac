"""Standard checks of how the app starts: the error that its log quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.checks.standard.railway import FAILED, NEEDS_RAILWAY, RAILWAY, deployments, short_name
from services.clients.railway import LogLine
from services.clients.redaction import redact
from services.verdict import Finding, Verdict

_ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?(?P<name>\w*(?:Error|Exception))\b:?\s*(?P<said>.*)$")
_FILE_LINE = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')


def startup_logs(context: CheckContext) -> Finding:
    """The log of the newest deployment holds no error of its start; one that it holds is quoted with its line."""
    found = deployments(context)
    if not found:
        return Finding(Verdict.UNKNOWN, "Railway lists no deployment of this service.")
    newest = found[0]
    lines = context.once(f"log:{newest.id}", lambda: context.railway.deployment_logs(newest.id))
    error = last_error(lines)
    runtime = [line.message for line in lines if line.severity.lower() == "error" and not error]
    facts: dict[str, Any] = {"deployment": newest.id, "status": newest.status, "lines": len(lines), "error": error}
    facts["errors_while_running"] = [redact(message)[:200] for message in runtime[-3:]]
    if error is not None and newest.status in FAILED:
        said = f"The start-up of {short_name(newest)} failed: {error['said']}" + _at(error)
        return Finding(Verdict.FAIL, said, facts, link="railway_logs")
    if newest.status in FAILED:
        said = f"The start-up of {short_name(newest)} failed, and its log names no error."
        return Finding(Verdict.FAIL, said, facts, link="railway_logs")
    if error is not None:
        return Finding(Verdict.FAIL, f"The log quotes {error['said']}" + _at(error), facts, link="railway_logs")
    if not lines:
        return Finding(Verdict.UNKNOWN, "The log of the newest deployment is empty.", facts)
    return Finding(Verdict.PASS, f"The log of {short_name(newest)} holds no error of its start.", facts)


def last_error(lines: Sequence[LogLine]) -> dict[str, Any] | None:
    """The last Python exception in a log: its name, its words, and the source line that raised it."""
    place: dict[str, Any] = {}
    found: dict[str, Any] | None = None
    for text in (part for line in lines for part in line.message.splitlines()):
        where = _FILE_LINE.match(text)
        if where:
            place = {"file": where["file"].rpartition("/")[2], "line": int(where["line"])}
            continue
        error = _ERROR_LINE.match(text.strip())
        if error:
            found = {"name": error["name"], "said": redact(text.strip())[:300], **place}
            place = {}
    return found


def _at(error: dict[str, Any]) -> str:
    return f" ({error['file']}, line {error['line']})." if "file" in error else "."


SPECS = (
    CheckSpec(
        "startup-logs",
        "The start-up log is clean",
        "The newest deployment's log holds no error; one that is there is quoted.",
        startup_logs,
        ("before", "after", "hour"),
        RAILWAY,
        NEEDS_RAILWAY,
        cost=Cost(3),
        expires_s=600,
    ),
)
