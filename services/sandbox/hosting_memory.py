"""Keeps the platform's history over a restart of the world: which deployments there were, and which one serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from services.sandbox.deployment import Deployment, LogLine, Status, Step
from services.sandbox.hosting import Hosting

_KEPT_LINES = 200


def remember(hosting: Hosting) -> dict[str, Any]:
    """What is worth keeping, as JSON can say it. No variables: they hold secrets, and addresses that may change."""
    return {
        "active": hosting.active.id if hosting.active else None,
        "deployments": [_told(one) for one in hosting.deployments if one.settled.is_set()],
    }


async def recall(hosting: Hosting, memory: Mapping[str, Any]) -> None:
    """Bring back the deployments and start the one that served; returns when it answers or has failed.

    Raises KeyError, TypeError or ValueError where the memory is of another kind or names a build there is no more.
    """
    for told in memory["deployments"]:
        one = _known(hosting, told)
        hosting.deployments.append(one)
        if one.was_healthy:
            baked = [str(defect) for defect in told["defects"]]
            build = partial(hosting.images.build, one.build, lambda _: None, defects=baked)
            one.image = await asyncio.to_thread(build)
    for one in [known for known in hosting.deployments if known.id == memory["active"]]:
        hosting.active = one
        hosting.restart(one.id)
        await hosting.wait_for(one)


def _told(one: Deployment) -> dict[str, Any]:
    return {
        "id": one.id,
        "number": one.number,
        "commit": one.build.commit,
        "reason": one.reason,
        "created": one.created.isoformat(),
        "status": one.status.value,
        "status_updated": one.status_updated.isoformat() if one.status_updated else None,
        "was_healthy": one.was_healthy,
        "stopped": one.stopped,
        "defects": list(one.image.defects) if one.image else [],
        "steps": [
            {
                "name": step.name,
                "created": step.created.isoformat(),
                "completed": step.completed.isoformat() if step.completed else None,
                "error": step.error,
                "attempts": step.attempts,
            }
            for step in one.steps
        ],
        "build_log": _lines(one.build_log),
        "runtime_log": _lines(one.runtime_log),
    }


def _lines(log: Sequence[LogLine]) -> list[list[str]]:
    return [[line.timestamp.isoformat(), line.severity, line.message] for line in log[-_KEPT_LINES:]]


def _known(hosting: Hosting, told: Mapping[str, Any]) -> Deployment:
    one = Deployment(
        number=told["number"],
        build=hosting.builds[told["commit"]],
        reason=told["reason"],
        created=datetime.fromisoformat(told["created"]),
        variables=dict(hosting.variables),
        status=Status(told["status"]),
        status_updated=_moment(told["status_updated"]),
        was_healthy=told["was_healthy"],
        stopped=told["stopped"],
        id=told["id"],
    )
    one.steps = [
        Step(
            step["name"],
            datetime.fromisoformat(step["created"]),
            _moment(step["completed"]),
            step["error"],
            step["attempts"],
        )
        for step in told["steps"]
    ]
    one.build_log = [LogLine(datetime.fromisoformat(at), severity, text) for at, severity, text in told["build_log"]]
    one.runtime_log = [
        LogLine(datetime.fromisoformat(at), severity, text) for at, severity, text in told["runtime_log"]
    ]
    one.settled.set()
    return one


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
