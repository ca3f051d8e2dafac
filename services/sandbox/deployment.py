"""What a hosting platform knows about one deployment: its source, states, events and logs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from services.sandbox.hosted_process import HostedProcess
from services.sandbox.twin_definition import Build


class Status(StrEnum):
    """The states a deployment goes through here; a subset of the platform's."""

    QUEUED = "QUEUED"
    BUILDING = "BUILDING"
    DEPLOYING = "DEPLOYING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    REMOVING = "REMOVING"
    REMOVED = "REMOVED"


FINAL = frozenset({Status.SUCCESS, Status.FAILED, Status.CRASHED, Status.REMOVED})


@dataclass(frozen=True, slots=True)
class LogLine:
    timestamp: datetime
    severity: str
    message: str


@dataclass(slots=True)
class Step:
    """One step of a deployment: when it began, when it ended, and the error it ended with."""

    name: str
    created: datetime
    completed: datetime | None = None
    error: str | None = None
    attempts: int = 1
    id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, slots=True)
class Image:
    """A build's result: a folder with the packages that were installed, by name and version."""

    id: str
    folder: Path
    packages: Mapping[str, str]


@dataclass(slots=True, eq=False)
class Deployment:
    """One deployment.

    number:    1, 2, ... in order of creation
    variables: what its process was or will be started with
    settled:   set while the state is final
    """

    number: int
    build: Build
    reason: str
    created: datetime
    variables: Mapping[str, str]
    image: Image | None = None
    status: Status = Status.QUEUED
    status_updated: datetime | None = None
    steps: list[Step] = field(default_factory=list)
    build_log: list[LogLine] = field(default_factory=list)
    runtime_log: list[LogLine] = field(default_factory=list)
    process: HostedProcess | None = None
    work: asyncio.Task[None] | None = None
    port: int | None = None
    was_healthy: bool = False
    stopped: bool = False
    id: str = field(default_factory=lambda: str(uuid4()))
    instance_id: str = field(default_factory=lambda: str(uuid4()))
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def can_redeploy(self) -> bool:
        return self.status in FINAL

    @property
    def can_roll_back(self) -> bool:
        """Its image is kept, it was healthy once, and it does not serve now."""
        return self.image is not None and self.was_healthy and self.status in {Status.REMOVED, Status.CRASHED}

    def move(self, status: Status, now: datetime) -> None:
        self.status = status
        self.status_updated = now
        if status in FINAL:
            self.settled.set()
        else:
            self.settled.clear()
