"""Standard checks of how the app starts: the error that its log quotes, and whether it starts again and again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec, Cost
from services.checks.standard.railway import (
    FAILED,
    NEEDS_RAILWAY,
    RAILWAY,
    UNDER_WAY,
    deployments,
    serving,
    short_name,
)
from services.clients.railway import LogLine
from services.clients.redaction import redact
from services.verdict import Finding, Verdict

_ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?(?P<name>\w*(?:Error|Exception))\b:?\s*(?P<said>.*)$")
# What servers and the platform write when a process begins; of several, the one that was written most often counts.
_STARTS = ("Started server process", "Starting Container", "Booting worker", "Application startup complete")
_DIED = (re.compile(r"exited with (?:code|signal) (?!0\b)"), re.compile(r"^Restarting \("), re.compile(r"\bcrashed\b"))
_LIFE_FILTER = " OR ".join(f'"{mark}"' for mark in (*_STARTS, "exited with", "Restarting", "crashed"))
LOOP_SPAN = timedelta(hours=1)
LOOP_STARTS = 3
SHORT_LIFE_S = 600.0
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


def restart_loop(context: CheckContext) -> Finding:
    """The process that serves was not started again and again: its starts in the log, and how long each one lived."""
    found = deployments(context)
    one = serving(found) or next((each for each in found if each.status not in UNDER_WAY | {"FAILED"}), None)
    if one is None:
        return Finding(Verdict.UNKNOWN, "No deployment has started yet, so none can restart.", {})
    lines = context.railway.deployment_logs(one.id, limit=500, filter=_LIFE_FILTER)
    return lives(lines, context.now, running=one.running, status=one.status)


def lives(lines: Sequence[LogLine], now: datetime, *, running: bool, status: str) -> Finding:
    """Judge the starts of the last hour. A restart that somebody asked for leaves no line of a process that died."""
    recent = [(at, line.message) for line in lines if (at := _moment(line.at)) is not None and now - at < LOOP_SPAN]
    starts = max((sorted(at for at, text in recent if mark in text) for mark in _STARTS), key=len)
    deaths = max(sum(bool(sign.search(text)) for _, text in recent) for sign in _DIED)
    lived = [round((later - sooner).total_seconds(), 1) for sooner, later in pairwise(starts)]
    short = [life for life in lived if life < SHORT_LIFE_S]
    facts: dict[str, Any] = {
        "status": status,
        "running": running,
        "starts": len(starts),
        "deaths": deaths,
        "lived_s": lived[-5:],
        "typical_life_s": median(short) if short else None,
    }
    if max(deaths, len(short)) >= LOOP_STARTS - 1:
        life = f", after about {facts['typical_life_s']:g} s each" if short else ""
        times = max(len(starts) - 1, deaths)
        said = f"The process has ended {times} times in the last hour{life}: a restart loop."
        return Finding(Verdict.FAIL, said, facts, link="railway_logs")
    if not lines:
        return Finding(Verdict.UNKNOWN, "The log of what serves tells of no start.", facts)
    if not running:
        said = f"The process has ended and was not started again ({status}): down, but not in a loop."
        return Finding(Verdict.PASS, said, facts, link="railway_service")
    if deaths:
        said = "The process died and was started again; whether that goes on is not known yet."
        return Finding(Verdict.UNKNOWN, said, facts, link="railway_logs")
    return Finding(Verdict.PASS, f"The process was started {len(starts)} times in the last hour and lives.", facts)


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


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
    CheckSpec(
        "restart-loop",
        "The process does not restart by itself",
        "How often the serving process was started in the last hour, and how long each start lived.",
        restart_loop,
        ("before", "after", "hour", "week"),
        RAILWAY,
        NEEDS_RAILWAY,
        cost=Cost(3),
        expires_s=600,
    ),
)
