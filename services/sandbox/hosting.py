"""A hosting platform: deployments with their states over time, each build a real process behind one address."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from services.sandbox.deployment import FINAL, Deployment, LogLine, Status
from services.sandbox.edge import Edge, Upstream
from services.sandbox.held_port import held_port
from services.sandbox.hosted_process import HostedProcess
from services.sandbox.hosting_health import StartFailed, until_healthy
from services.sandbox.images import PROJECT, Images
from services.sandbox.twin_definition import Build

RESTARTS = 10


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
    restart_retries: how often a process that fails is started again (policy ON_FAILURE); 0: never (policy NEVER)
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
        restart_retries: int = RESTARTS,
    ) -> None:
        self.builds = {build.commit: build for build in builds}
        self.variables = dict(variables)
        self.clock = clock
        self.pace = pace or Pace()
        self.health_path = health_path
        self.health_timeout_s = health_timeout_s
        self.restart_retries = restart_retries
        self.images = Images(home / "images")
        self.deployments: list[Deployment] = []
        self.active: Deployment | None = None
        self.edge = Edge(self._upstream, clock)
        self._home = home
        self.first_variables = dict(variables)
        self._switch = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stuck: dict[asyncio.Task[None], asyncio.Event] = {}
        # What befalls whatever serves after a push, by the name of the trouble: see `hosting_push`.
        self.troubles: dict[str, Callable[[], None]] = {}
        self.unsettled: str | None = None
        # The commit that was chosen to be deployed whatever is pushed; None: what is pushed.
        self.pinned: str | None = None

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
        """Wait until nothing is under way: no deployment, restart or removal; what is stuck is not waited for."""
        while under_way := self._tasks - self._stuck.keys():
            await asyncio.wait(under_way)

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
        self.troubles.clear()
        self.pinned = self.unsettled = None
        shutil.rmtree(self._home / "pipes", ignore_errors=True)

    def deploy_commit(self, commit: str | None = None) -> Deployment:
        """A new deployment of a commit, by default of the newest that was ever pushed."""
        pushed = {one.build.commit for one in self.deployments} or self.builds.keys()
        return self._begin(self._build(commit or [sha for sha in self.builds if sha in pushed][-1]), "deploy")

    def deploy_stuck(self, commit: str) -> Deployment:
        """A new deployment of a commit that does not get on with its build until `free`."""
        freed = asyncio.Event()
        one = self._begin(self._build(commit), "deploy", held_until=freed)
        assert one.work is not None
        self._stuck[one.work] = freed
        one.work.add_done_callback(lambda work: self._stuck.pop(work, None))
        return one

    def stuck(self) -> list[Deployment]:
        return [one for one in self.deployments if one.work in self._stuck]

    def free(self) -> None:
        """Let every deployment that is stuck get on."""
        stuck, self._stuck = self._stuck, {}
        for freed in stuck.values():
            freed.set()

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

    def crash(self, deployment_id: str) -> None:
        """Kill the process of a deployment, which is not started again, as after its last retry."""
        source = self.deployment(deployment_id)
        if source.process is None and not source.restarting:
            raise HostingRefused("Deployment is not running")
        source.restarts = self.restart_retries
        self._spawn(self._crash(source))

    def stop(self, deployment_id: str) -> None:
        """End the process of a deployment; the address answers 502 where it was the one that served."""
        source = self.deployment(deployment_id)
        if (source.process is None and not source.restarting) or source.status not in FINAL:
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
        held_until: asyncio.Event | None = None,
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
        one.work = self._spawn(self._deploy(one, pace or self.pace, held_until))
        return one

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deploy(self, one: Deployment, pace: Pace, held_until: asyncio.Event | None = None) -> None:
        try:
            await asyncio.sleep(pace.queued_s)
            if one.image is None:
                one.move(Status.BUILDING, self.clock())
                if held_until is not None:
                    await held_until.wait()
                await self._make_image(one, pace)
            one.move(Status.DEPLOYING, self.clock())
            await self._launch(one)
        except StartFailed as error:
            self._say(one.build_log, "error", str(error))
            one.move(Status.FAILED, self.clock())
            return
        except asyncio.CancelledError:
            one.move(Status.REMOVED, self.clock())
            raise
        await self._take_over(one, pace)

    async def _make_image(self, one: Deployment, pace: Pace) -> None:
        with one.step("BUILD_IMAGE", self.clock):
            try:
                one.image = self.images.build(one.build, lambda text: self._say(one.build_log, "info", text))
            except FileNotFoundError as error:
                raise StartFailed(f"ERROR: {error}") from error
            await asyncio.sleep(pace.building_s)

    async def _launch(self, one: Deployment) -> None:
        """Start the process and wait until it is healthy. Raises StartFailed, with the process gone."""
        with held_port() as one.port:
            await self._start(one)

    async def _start(self, one: Deployment) -> None:
        assert one.image is not None
        with one.step("CREATE_CONTAINER", self.clock):
            pipes = self._home / "pipes" / f"{one.id}-{one.port}"
            pipes.mkdir(parents=True)
            one.process = await HostedProcess.start(
                [sys.executable, "-m", one.build.module],
                env={**one.environment, "PATH": os.environ.get("PATH", os.defpath)},
                cwd=PROJECT,
                pipes=pipes,
                on_line=lambda severity, text: self._say(one.runtime_log, severity, text),
            )
        with one.step("HEALTHCHECK", self.clock) as step:
            try:
                say = partial(self._say, one.build_log, "info")
                await until_healthy(one, step, self.health_path, self.health_timeout_s, say)
            except BaseException:
                await one.process.stop()
                one.process = None
                raise
        one.was_healthy = True
        one.stopped = False
        one.process.ended.add_done_callback(lambda ended: self._on_exit(one, ended))

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
        await self._call_off(one)
        with one.step("DRAIN_INSTANCES", self.clock):
            await asyncio.sleep(pace.removing_s)
            process, one.process = one.process, None
            if process is not None:
                await process.stop()
        if self.active is one:
            self.active = None
        one.move(Status.REMOVED, self.clock())

    @staticmethod
    async def _call_off(one: Deployment) -> None:
        """Where the platform is about to start it again by itself, it does not."""
        if one.restarting and one.work is not None:
            one.work.cancel()
            await asyncio.wait({one.work})
        one.restarting = False

    async def _crash(self, one: Deployment) -> None:
        await self._call_off(one)
        if one.process is None:
            one.move(Status.CRASHED, self.clock())
        else:
            await one.process.kill()

    async def _restart(self, one: Deployment) -> None:
        async with self._switch:
            await self._call_off(one)
            process, one.process = one.process, None
            if process is not None:
                await process.stop()
            try:
                await self._launch(one)
            except StartFailed as error:
                self._say(one.build_log, "error", str(error))
                one.move(Status.CRASHED, self.clock())
                return
            one.restarts = 0
            one.move(Status.SUCCESS, self.clock())

    def _on_exit(self, one: Deployment, ended: asyncio.Future[int]) -> None:
        """The process of a healthy deployment has ended though nobody asked it to."""
        if one.process is None or one.process.ended is not ended:
            return
        one.process = None
        self._say(one.runtime_log, "error", f"Process exited with code {ended.result()}")
        if one.stopped:
            # It ended by itself while it was being stopped: whoever stops it goes on, and nobody starts it again.
            return
        if ended.result() == 0 or one.restarts >= self.restart_retries or one is not self.active:
            one.move(Status.CRASHED, self.clock())
            return
        one.restarting = True
        one.work = self._spawn(self._start_again(one))

    async def _start_again(self, one: Deployment) -> None:
        """By the restart policy: until the process is healthy, or there is no retry left."""
        while one.restarts < self.restart_retries:
            one.restarts += 1
            self._say(one.runtime_log, "info", f"Restarting (on failure, {one.restarts} of {self.restart_retries})")
            try:
                await self._launch(one)
            except StartFailed as error:
                self._say(one.runtime_log, "error", str(error))
                continue
            one.restarting = False
            return
        one.restarting = False
        one.move(Status.CRASHED, self.clock())

    def _say(self, log: list[LogLine], severity: str, text: str) -> None:
        log.append(LogLine(self.clock(), severity, text))
