"""Standard checks of the platform: which deployment serves, its variables, packages and error rate."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from services.checks.context import CheckContext
from services.checks.kinds import names_present
from services.checks.registry import CheckSpec, Cost
from services.clients.railway import Deployment, pushed_last
from services.verdict import Finding, Verdict

Run = Callable[[CheckContext], Finding]
RAILWAY = ("Railway",)
NEEDS_RAILWAY = ("railway_url", "railway_token")
FAILED = {"FAILED", "CRASHED"}
UNDER_WAY = {"QUEUED", "INITIALIZING", "BUILDING", "DEPLOYING", "WAITING", "NEEDS_APPROVAL"}
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
        still = f"{short_name(active)} of before still serves."
        said = f"The newest deployment ({short_name(newest)}) is {newest.status}; {still}"
        return Finding(Verdict.FAIL, said, facts, link="railway_service")
    return Finding(Verdict.PASS, f"The newest deployment that started ({short_name(active)}) serves.", facts)


def _told(one: Deployment | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"id": one.id, "status": one.status, "commit": one.commit, "created_at": one.created_at.isoformat()}


def short_name(one: Deployment) -> str:
    """How people call a deployment: by its commit."""
    return f"commit {one.commit[:7]}" if one.commit else f"deployment {one.id[:8]}"


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


def _spec(check_id: str, title: str, proves: str, run: Run, phases: tuple[str, ...], calls: int = 3) -> CheckSpec:
    return CheckSpec(check_id, title, proves, run, phases, RAILWAY, NEEDS_RAILWAY, cost=Cost(calls), expires_s=600)


SPECS = (
    _spec(
        "deployment-state",
        "The newest deployment serves",
        "Which deployment runs, and whether a newer one failed.",
        deployment_state,
        ("before", "after", "hour"),
    ),
    _spec(
        "env-names",
        "Environment variables are set",
        "Every variable that the release's build reads is set, by name.",
        env_names,
        ("before",),
    ),
    _spec(
        "dependency-pins",
        "Pinned packages are installed",
        "The build log shows each pinned package in its version.",
        dependency_pins,
        ("before",),
    ),
    _spec(
        "platform-errors",
        "Few answers are errors",
        "The share of 5xx among the answers of the last hour.",
        platform_errors,
        ("hour", "day", "week"),
    ),
)
