"""A hosting platform: deployments with their states over time, each build a real process behind one address."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from services.sandbox.deployment import FINAL, Deployment, LogLine, Status, Step
from services.sandbox.edge import Edge, Upstream
from services.sandbox.hosted_process import HostedProcess
from services.sandbox.images import PROJECT, Images
from services.sandbox.twin_definition import Build

HEALTH_HOST = "healthcheck.railway.app"
HEALTH_INTERVAL_S = 0.03


class HostingRefused(Exception):
    """The platform does not do that with this deployment; the text says why."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a deployment stays in the states that cost no work here, in seconds; a start-up takes what it takes."""

    queued_s: float = 0.2
    building_s: float = 0.4
    removing_s: float = 0.2


AT_ONCE = Pace(0.0, 0.0, 0.0)


class Hosting:
    """One service in one environment.

    builds:    the commits there are, oldest first
    variables: the service's variables; a change takes effect with the next deployment
    home:      a folder of its own for images and pipes, emptied by `reset`
    clock:     the world's clock
    health_path, health_timeout_s: a new deployment serves once GET of the path answers 200, within that time
    Use from one event loop. Deployments run in the background: the calls return at once, `wait_for` waits.
    """

    def __init__(
        self,
        builds: Sequence[Build],
        variables: Mapping[str, str],
        home: Path,
        clock: Callable[[], datetime],
        *,
        pace: Pace | None = None,
        health_path: str = "/health",
        health_timeout_s: float = 15.0,
    ) -> None:
        self.builds = {build.commit: build for build in builds}
        self.variables = dict(variables)
        self.clock = clock
        self.pace = pace or Pace()
        self.health_path = health_path
        self.health_timeout_s = health_timeout_s
        self.images = Images(home / "images")
        self.deployments: list[Deployment] = []
        self.active: Deployment | None = None
        self.edge = Edge(self._upstream, clock)
        self._home = home
        self.first_variables = dict(variables)
        self._switch = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def edge_app(self) -> Edge:
        """The ASGI app of the service's public address."""
        return self.edge

    def deployment(self, deployment_id: str) -> Deployment:
        """Raises HostingRefused for an id there is not."""
        for one in self.deployments:
            if one.id == deployment_id:
                return one
        raise HostingRefused("Deployment not found")

    async def start(self, commits: Sequence[str]) -> None:
        """Deploy the commits, in this order and without pause; returns when all came to rest, however they ended."""
        for commit in commits:
            self._begin(self._build(commit), "deploy", pace=AT_ONCE)
        await self.rest()

    async def rest(self) -> None:
        """Wait until nothing is under way: no deployment, restart or removal."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def reset(self, commits: Sequence[str]) -> None:
        """Forget everything (deployments, requests, changed variables and images) and start again."""
        await self.close()
        self.variables = dict(self.first_variables)
        self.edge.requests.clear()
        self.deployments.clear()
        await self.start(commits)

    async def close(self) -> None:
        """End every process and delete all images. Closing twice is no error."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        running = [one.process for one in self.deployments if one.process is not None]
        self.active = None
        await asyncio.gather(*(process.stop() for process in running))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.edge.close()
        self.images.clear()
        shutil.rmtree(self._home / "pipes", ignore_errors=True)

    def deploy_commit(self, commit: str | None = None) -> Deployment:
        """A new deployment of a commit, by default of the newest there is."""
        return self._begin(self._build(commit or next(reversed(self.builds))), "deploy")

    def redeploy(self, deployment_id: str, *, keep_image: bool = False) -> Deployment:
        """A new deployment of the same commit, built anew unless keep_image, with the variables of now."""
        source = self.deployment(deployment_id)
        if not source.can_redeploy:
            raise HostingRefused(f"Cannot redeploy a deployment that is {source.status}")
        return self._begin(source.build, "redeploy", image_of=source if keep_image else None)

    def rollback(self, deployment_id: str) -> Deployment:
        """A new deployment from the image of an earlier one, with that one's variables."""
        source = self.deployment(deployment_id)
        if not source.can_roll_back:
            raise HostingRefused("Cannot roll back to this deployment")
        return self._begin(source.build, "rollback", image_of=source, variables=source.variables)

    def restart(self, deployment_id: str) -> Deployment:
        """Start the serving deployment's image again: the same deployment, the same build, no new variables."""
        source = self.deployment(deployment_id)
        if source is not self.active or source.status not in FINAL:
            raise HostingRefused("Cannot restart a deployment that is not active")
        source.move(Status.DEPLOYING, self.clock())
        self._spawn(self._restart(source))
        return source

    def stop(self, deployment_id: str) -> None:
        """End the process of a deployment; the address answers 502 where it was the one that served."""
        source = self.deployment(deployment_id)
        if source.process is None or source.status not in FINAL:
            raise HostingRefused("Deployment is not running")
        source.stopped = True
        self._spawn(self._retire(source))

    def cancel(self, deployment_id: str) -> None:
        """Give up a deployment that does not serve yet."""
        source = self.deployment(deployment_id)
        if source.work is None or source.status in FINAL or source is self.active:
            raise HostingRefused("Cannot cancel a deployment that is not under way")
        source.work.cancel()

    def remove(self, deployment_id: str) -> None:
        source = self.deployment(deployment_id)
        if source is self.active or source.status not in FINAL:
            raise HostingRefused("Cannot remove a deployment that is in use")
        self.deployments.remove(source)

    async def wait_for(self, deployment: Deployment) -> Status:
        """Wait until the deployment is in a final state; which one."""
        await deployment.settled.wait()
        return deployment.status

    def _build(self, commit: str) -> Build:
        found = [build for sha, build in self.builds.items() if sha.startswith(commit)]
        if len(found) != 1:
            raise HostingRefused("Commit not found")
        return found[0]

    def _upstream(self) -> Upstream | None:
        one = self.active
        if one is None or one.port is None or one.process is None:
            return None
        return Upstream(one.id, one.instance_id, one.port)

    def _begin(
        self,
        build: Build,
        reason: str,
        *,
        image_of: Deployment | None = None,
        variables: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> Deployment:
        one = Deployment(
            number=1 + max((known.number for known in self.deployments), default=0),
            build=build,
            reason=reason,
            created=self.clock(),
            variables=dict(self.variables if variables is None else variables),
            image=image_of.image if image_of else None,
        )
        one.move(Status.QUEUED, one.created)
        self.deployments.append(one)
        one.work = self._spawn(self._deploy(one, pace or self.pace))
        return one

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deploy(self, one: Deployment, pace: Pace) -> None:
        try:
            await asyncio.sleep(pace.queued_s)
            if one.image is None:
                await self._make_image(one, pace)
            one.move(Status.DEPLOYING, self.clock())
            await self._launch(one)
        except _StartFailed as error:
            self._say(one.build_log, "error", str(error))
            one.move(Status.FAILED, self.clock())
            return
        except asyncio.CancelledError:
            one.move(Status.REMOVED, self.clock())
            raise
        await self._take_over(one, pace)

    async def _make_image(self, one: Deployment, pace: Pace) -> None:
        one.move(Status.BUILDING, self.clock())
        with self._step(one, "BUILD_IMAGE"):
            try:
                one.image = self.images.build(one.build, lambda text: self._say(one.build_log, "info", text))
            except FileNotFoundError as error:
                raise _StartFailed(f"ERROR: {error}") from error
            await asyncio.sleep(pace.building_s)

    async def _launch(self, one: Deployment) -> None:
        """Start the process and wait until it is healthy. Raises _StartFailed, with the process gone."""
        assert one.image is not None
        with self._step(one, "CREATE_CONTAINER"):
            one.port = _free_port()
            pipes = self._home / "pipes" / f"{one.id}-{one.port}"
            pipes.mkdir(parents=True)
            environment = {
                **one.variables,
                "PATH": os.environ.get("PATH", os.defpath),
                "PORT": str(one.port),
                "PYTHONPATH": str(one.image.folder),
                "PYTHONUNBUFFERED": "1",
                "RAILWAY_DEPLOYMENT_ID": one.id,
                "RAILWAY_GIT_COMMIT_SHA": one.build.commit,
            }
            one.process = await HostedProcess.start(
                [sys.executable, "-m", one.build.module],
                env=environment,
                cwd=PROJECT,
                pipes=pipes,
                on_line=lambda severity, text: self._say(one.runtime_log, severity, text),
            )
        with self._step(one, "HEALTHCHECK") as step:
            try:
                await self._until_healthy(one, step)
            except BaseException:
                await one.process.stop()
                one.process = None
                raise
        one.was_healthy = True
        one.stopped = False
        one.process.ended.add_done_callback(lambda ended: self._on_exit(one, ended))

    async def _until_healthy(self, one: Deployment, step: Step) -> None:
        assert one.process is not None
        self._say(one.build_log, "info", f"Starting healthcheck at {self.health_path}")
        health = asyncio.ensure_future(self._poll_health(one, step))
        try:
            either: set[asyncio.Future[Any]] = {health, one.process.ended}
            await asyncio.wait(either, timeout=self.health_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            health.cancel()
        if one.process.ended.done():
            raise _StartFailed(f"Healthcheck failed: the process exited with code {one.process.ended.result()}")
        if not health.done():
            raise _StartFailed(f"Healthcheck failed: no answer of 200 within {self.health_timeout_s:g} s")
        self._say(one.build_log, "info", "Healthcheck succeeded")

    async def _poll_health(self, one: Deployment, step: Step) -> None:
        """Ask until the answer is 200. A port that nobody listens on yet tells nothing of when somebody will."""
        url = f"http://127.0.0.1:{one.port}{self.health_path}"
        async with httpx.AsyncClient(headers={"host": HEALTH_HOST}, timeout=5.0, trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(url)).status_code == 200:
                        return
                step.attempts += 1
                await asyncio.sleep(HEALTH_INTERVAL_S)

    async def _take_over(self, one: Deployment, pace: Pace) -> None:
        """Let the address point to the deployment, unless a newer one serves already; retire the one before."""
        async with self._switch:
            before = self.active
            if before is not None and before.number > one.number:
                one.move(Status.SUCCESS, self.clock())
                await self._retire(one, pace)
                return
            self.active = one
            one.move(Status.SUCCESS, self.clock())
            if before is not None:
                await self._retire(before, pace)

    async def _retire(self, one: Deployment, pace: Pace = AT_ONCE) -> None:
        one.move(Status.REMOVING, self.clock())
        with self._step(one, "DRAIN_INSTANCES"):
            await asyncio.sleep(pace.removing_s)
            process, one.process = one.process, None
            if process is not None:
                await process.stop()
        if self.active is one:
            self.active = None
        one.move(Status.REMOVED, self.clock())

    async def _restart(self, one: Deployment) -> None:
        async with self._switch:
            process, one.process = one.process, None
            if process is not None:
                await process.stop()
            try:
                await self._launch(one)
            except _StartFailed as error:
                self._say(one.build_log, "error", str(error))
                one.move(Status.CRASHED, self.clock())
                return
            one.move(Status.SUCCESS, self.clock())

    def _on_exit(self, one: Deployment, ended: asyncio.Future[int]) -> None:
        """The process of a healthy deployment has ended. Where nobody asked it to, that is a crash."""
        if one.process is None or one.process.ended is not ended:
            return
        one.process = None
        self._say(one.runtime_log, "error", f"Process exited with code {ended.result()}")
        one.move(Status.CRASHED, self.clock())

    @contextlib.contextmanager
    def _step(self, one: Deployment, name: str) -> Iterator[Step]:
        step = Step(name, self.clock())
        one.steps.append(step)
        try:
            yield step
        except BaseException as error:
            step.error = str(error) or type(error).__name__
            raise
        finally:
            step.completed = self.clock()

    def _say(self, log: list[LogLine], severity: str, text: str) -> None:
        log.append(LogLine(self.clock(), severity, text))


class _StartFailed(Exception):
    """A deployment does not come up; the text is the reason as the build log shows it."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
