"""Checks of the platform: which deployment serves and why a newer one does not, its log, variables and error rate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.checks.context import CheckContext
from services.checks.kinds import names_present
from services.clients.railway import Deployment, LogLine, pushed_last
from services.clients.redaction import redact
from services.verdict import Finding, Verdict

FAILED = {"FAILED", "CRASHED"}
UNDER_WAY = {"QUEUED", "INITIALIZING", "BUILDING", "DEPLOYING", "WAITING", "NEEDS_APPROVAL"}
_ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?(?P<name>\w*(?:Error|Exception))\b:?\s*(?P<said>.*)$")
_FILE_LINE = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')
_INSTALLED = re.compile(r"\b(?P<name>[A-Za-z][A-Za-z0-9_.]*(?:-[A-Za-z][A-Za-z0-9_.]*)*)(?:-|==)(?P<version>\d[\w.]*)")


def deployments(context: CheckContext) -> list[Deployment]:
    """The service's deployments, newest first; asked once a run."""
    return context.once("railway-deployments", context.railway.deployments)


def serving(found: Sequence[Deployment]) -> Deployment | None:
    """The deployment that serves: the newest with a running instance."""
    return next((one for one in found if one.status == "SUCCESS" and one.running), None)


def deployment_state(context: CheckContext) -> Finding:
    """The newest deployment is the one that serves."""
    found = deployments(context)
    scope = context.railway.scope()
    budget = context.railway.budget
    active = serving(found)
    facts: dict[str, Any] = {
        "railway_project_id": scope.project_id,
        "railway_environment_id": scope.environment_id,
        "serving": _told(active),
        "newest": _told(found[0] if found else None),
        "pushed": _told(pushed_last(found)),
        "calls_left_this_hour": budget.remaining if budget else None,
    }
    if not found:
        return Finding(Verdict.UNKNOWN, "Railway lists no deployment of this service.", facts)
    newest = found[0]
    if newest.status in UNDER_WAY:
        return Finding(Verdict.UNKNOWN, f"A deployment is under way ({newest.status}).", facts, link="railway_service")
    if active is None:
        said = f"No deployment is running; the newest is {newest.status}."
        return Finding(Verdict.FAIL, said, facts, link="railway_service")
    if newest.status in FAILED:
        said = f"The newest deployment ({_short(newest)}) is {newest.status}; {_short(active)} of before still serves."
        return Finding(Verdict.FAIL, said, facts, link="railway_service")
    return Finding(Verdict.PASS, f"The newest deployment that started ({_short(active)}) serves.", facts)


def _told(one: Deployment | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"id": one.id, "status": one.status, "commit": one.commit, "created_at": one.created_at.isoformat()}


def _short(one: Deployment) -> str:
    return f"commit {one.commit[:7]}" if one.commit else f"deployment {one.id[:8]}"


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
        said = f"The start-up of {_short(newest)} failed: {error['said']}" + _at(error)
        return Finding(Verdict.FAIL, said, facts, link="railway_logs")
    if newest.status in FAILED:
        said = f"The start-up of {_short(newest)} failed, and its log names no error."
        return Finding(Verdict.FAIL, said, facts, link="railway_logs")
    if error is not None:
        return Finding(Verdict.FAIL, f"The log quotes {error['said']}" + _at(error), facts, link="railway_logs")
    if not lines:
        return Finding(Verdict.UNKNOWN, "The log of the newest deployment is empty.", facts)
    return Finding(Verdict.PASS, f"The log of {_short(newest)} holds no error of its start.", facts)


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


def env_names(context: CheckContext) -> Finding:
    """Every variable that the release's build reads is set in Railway; names only, values are never asked for."""
    names = [one.name for one in context.railway.variable_names()]
    required = context.app.env_of(context.app.release_build)
    return names_present(required, names, "Railway variables", link="railway_variables")


def dependency_pins(context: CheckContext) -> Finding:
    """The build log of the newest deployment shows the pinned packages being installed."""
    found = deployments(context)
    if not found:
        return Finding(Verdict.UNKNOWN, "Railway lists no deployment of this service.")
    lines = context.railway.build_logs(found[0].id)
    installed: dict[str, str] = {}
    for line in lines:
        for match in _INSTALLED.finditer(line.message):
            installed[match["name"].lower().replace("_", "-")] = match["version"].rstrip(".")
    pins = context.app.dependency_pins
    missing = [name for name in pins if name not in installed]
    other = {name: installed[name] for name in pins if name in installed and installed[name] != pins[name]}
    facts = {"pins": dict(pins), "missing": missing, "other": other, "installed": len(installed)}
    if not installed:
        return Finding(Verdict.UNKNOWN, "The build log does not say which packages were installed.", facts)
    if missing:
        return Finding(Verdict.FAIL, f"Not installed: {', '.join(missing)}.", facts, link="railway_logs")
    if other:
        named = ", ".join(f"{name} {version} instead of {pins[name]}" for name, version in other.items())
        return Finding(Verdict.FAIL, f"Installed in another version: {named}.", facts, link="railway_logs")
    return Finding(Verdict.PASS, f"All {len(pins)} pinned packages were installed.", facts)


def platform_errors(context: CheckContext) -> Finding:
    """Of the answers of the last hour, as the platform's edge counted them, few enough were 5xx."""
    seen = context.railway.requests(context.now - timedelta(hours=1), context.now)
    share, limit = seen.error_share, context.app.thresholds.error_rate_alert
    facts = {"answers": seen.total, "errors": seen.errors, "share": share}
    if share is None:
        return Finding(Verdict.UNKNOWN, "The platform counted no request in the last hour.", facts)
    said = f"{seen.errors} of {seen.total} answers of the last hour were 5xx ({share:.1%})"
    if share > limit:
        return Finding(Verdict.FAIL, f"{said}; the limit is {limit:.0%}.", facts, link="railway_logs")
    return Finding(Verdict.PASS, f"{said}.", facts)
