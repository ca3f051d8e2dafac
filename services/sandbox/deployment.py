"""What a hosting platform knows about one deployment: its source, states, events and logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from services.sandbox.hosted_process import HostedProcess
from services.sandbox.twin_definition import Build

DEFECTS_VARIABLE = "BUILD_DEFECTS"


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
    """A build's result: a folder with the packages that were installed, by name and version.

    defects: what is wrong with the code in it, by name; the running build reads them from its environment
    """

    id: str
    folder: Path
    packages: Mapping[str, str]
    defects: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Deployment:
    """One deployment.

    number:    1, 2, ... in order of creation
    variables: what its process was or will be started with
    restarts:  how often the platform has started its process again after it had failed
    restarting: it has failed, and is about to be started again
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
    restarts: int = 0
    restarting: bool = False
    id: str = field(default_factory=lambda: str(uuid4()))
    instance_id: str = field(default_factory=lambda: str(uuid4()))
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def environment(self) -> dict[str, str]:
        """What its process is started with: its variables, and what platform and image add to them."""
        assert self.image is not None
        baked = {DEFECTS_VARIABLE: ",".join(self.image.defects)} if self.image.defects else {}
        return {
            **self.variables,
            **baked,
            "PORT": str(self.port),
            "PYTHONPATH": str(self.image.folder),
            "PYTHONUNBUFFERED": "1",
            "RAILWAY_DEPLOYMENT_ID": self.id,
            "RAILWAY_GIT_COMMIT_SHA": self.build.commit,
        }

    @property
    def can_redeploy(self) -> bool:
        return self.status in FINAL

    @property
    def can_roll_back(self) -> bool:
        """Its image is kept, it was healthy once, and it does not serve now."""
        return self.image is not None and self.was_healthy and self.status in {Status.REMOVED, Status.CRASHED}

    @contextmanager
    def step(self, name: str, clock: Callable[[], datetime]) -> Iterator[Step]:
        """One more step, which ends with the block, with its error where it raises."""
        begun = Step(name, clock())
        self.steps.append(begun)
        try:
            yield begun
        except BaseException as error:
            begun.error = str(error) or type(error).__name__
            raise
        finally:
            begun.completed = clock()

    def move(self, status: Status, now: datetime) -> None:
        self.status = status
        self.status_updated = now
        if status in FINAL:
            self.settled.set()
        else:
            self.settled.clear()
