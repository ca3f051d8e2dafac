"""The hosting platform: states over time, what serves, restart, redeploy, rollback, logs, crashes, the front door."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.sandbox.deployment import Deployment, Status
from services.sandbox.hosting import AT_ONCE, Hosting, HostingRefused, Pace
from services.sandbox.hosting_memory import recall, remember
from services.sandbox.images import PROJECT
from services.sandbox.twin_definition import Build
from tests.services.sandbox.loop_thread import LoopThread

MODULE = "tests.services.sandbox.stand_in.app"
A, B = "a" * 40, "b" * 40
BUILDS = (Build(A, "First", MODULE), Build(B, "Second", MODULE, requires=("greeting",)))
VARIABLES = {"WORD": "one"}


def clock() -> datetime:
    return datetime.now(UTC)


class Platform:
    """A hosting platform and its front door over HTTP."""

    def __init__(self, thread: LoopThread, home: Path) -> None:
        self.thread = thread
        self.hosting = Hosting(BUILDS, VARIABLES, home, clock, pace=AT_ONCE, health_timeout_s=5.0, restart_retries=0)
        self.http = httpx.Client(base_url=thread.serve(self.hosting.edge_app), timeout=5.0, trust_env=False)

    def do(self, action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call something of the platform in its loop and wait until all is at rest."""

        async def work() -> Any:
            result = action(*arguments, **options)
            if hasattr(result, "__await__"):
                result = await result
            await self.hosting.rest()
            return result

        return self.thread.run(work())

    def who(self) -> dict[str, Any]:
        return dict(self.http.get("/who").json())

    def statuses(self) -> list[str]:
        return [one.status.value for one in self.hosting.deployments]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    thread = LoopThread()
    made = Platform(thread, tmp_path / "hosting")
    yield made
    made.http.close()
    thread.run(made.hosting.close())
    thread.close()


def messages(one: Deployment, severity: str = "error") -> list[str]:
    return [line.message for line in one.runtime_log if line.severity == severity]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def test_a_healthy_deployment_serves(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    assert platform.statuses() == ["SUCCESS"]
    assert platform.who()["commit"] == "a"


def test_the_newest_healthy_commit_serves_and_the_one_before_is_removed(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    before = platform.who()["pid"]
    platform.do(platform.hosting.deploy_commit, B)
    assert platform.statuses() == ["REMOVED", "SUCCESS"]
    assert platform.who()["commit"] == "b"
    assert gone(before)


def test_a_commit_that_cannot_import_fails_and_the_one_before_stays(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    platform.hosting.images.forget(B, "greeting")
    failed = platform.do(platform.hosting.deploy_commit, B)
    assert platform.statuses() == ["SUCCESS", "FAILED"]
    assert platform.who()["commit"] == "a"
    assert messages(failed)[-1] == "ModuleNotFoundError: No module named 'greeting'"
    assert messages(failed)[0] == "Traceback (most recent call last):"
    assert failed.build_log[-1].message == "Healthcheck failed: the process exited with code 1"
    assert failed.steps[-1].name == "HEALTHCHECK"
    assert failed.steps[-1].error is not None


def test_the_build_log_names_what_was_installed(platform: Platform) -> None:
    platform.do(platform.hosting.start, [B])
    lines = [line.message for line in platform.hosting.deployments[0].build_log]
    assert "Successfully installed greeting-2.1.0" in lines


def test_a_required_package_that_does_not_exist_fails_the_build(platform: Platform) -> None:
    platform.hosting.builds["c" * 40] = Build("c" * 40, "Third", MODULE, requires=("no_such_package",))
    failed = platform.do(platform.hosting.deploy_commit, "c" * 40)
    assert failed.status is Status.FAILED
    assert "No matching distribution found for no_such_package" in failed.build_log[-1].message


def test_the_states_follow_each_other_and_can_be_seen(platform: Platform) -> None:
    platform.hosting.pace = Pace(queued_s=0.15, building_s=0.15, removing_s=0.0)
    seen: list[str] = []

    async def watch() -> None:
        one = platform.hosting.deploy_commit(A)
        while not one.settled.is_set():
            if not seen or seen[-1] != one.status.value:
                seen.append(one.status.value)
            await asyncio.sleep(0.01)
        seen.append(one.status.value)

    platform.thread.run(watch())
    assert seen == ["QUEUED", "BUILDING", "DEPLOYING", "SUCCESS"]


def test_restart_starts_the_same_build_under_the_same_id(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    serving, before = platform.hosting.active, platform.who()["pid"]
    assert serving is not None
    platform.hosting.variables["WORD"] = "two"
    platform.do(platform.hosting.restart, serving.id)
    after = platform.who()
    assert platform.hosting.active is serving
    assert platform.statuses() == ["SUCCESS"]
    assert after["pid"] != before
    assert after["word"] == "one"
    assert gone(before)


def test_restart_of_what_does_not_serve_is_refused(platform: Platform) -> None:
    platform.hosting.images.forget(B, "greeting")
    platform.do(platform.hosting.start, [A, B])
    with pytest.raises(HostingRefused):
        platform.do(platform.hosting.restart, platform.hosting.deployments[1].id)


def test_redeploy_builds_anew_with_the_variables_of_now(platform: Platform) -> None:
    platform.hosting.images.forget(B, "greeting")
    platform.do(platform.hosting.start, [A, B])
    failed = platform.hosting.deployments[1]
    platform.hosting.images.recall(B, "greeting")
    platform.hosting.variables["WORD"] = "two"
    fresh = platform.do(platform.hosting.redeploy, failed.id)
    assert fresh.id != failed.id
    assert platform.statuses() == ["REMOVED", "FAILED", "SUCCESS"]
    assert (platform.who()["commit"], platform.who()["word"]) == ("b", "two")


def test_a_rollback_brings_back_image_and_variables(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    first = platform.hosting.deployments[0]
    platform.hosting.variables["WORD"] = "two"
    platform.do(platform.hosting.deploy_commit, B)
    back = platform.do(platform.hosting.rollback, first.id)
    assert back.id != first.id
    assert back.image is first.image
    assert platform.statuses() == ["REMOVED", "REMOVED", "SUCCESS"]
    assert (platform.who()["commit"], platform.who()["word"]) == ("a", "one")


def test_a_deployment_that_never_was_healthy_cannot_be_rolled_back_to(platform: Platform) -> None:
    platform.hosting.images.forget(B, "greeting")
    platform.do(platform.hosting.start, [A, B])
    serving, failed = platform.hosting.deployments
    for one in (serving, failed):
        with pytest.raises(HostingRefused):
            platform.do(platform.hosting.rollback, one.id)


def test_without_a_healthy_answer_in_time_it_fails_and_its_process_ends(platform: Platform) -> None:
    platform.hosting.variables["HEALTH"] = "bad"
    platform.hosting.health_timeout_s = 0.7
    failed = platform.do(platform.hosting.deploy_commit, A)
    assert failed.status is Status.FAILED
    assert "no answer of 200 within 0.7 s" in failed.build_log[-1].message
    assert failed.process is None
    assert failed.steps[-1].attempts > 1


def test_a_slower_older_deployment_does_not_replace_a_newer_one(platform: Platform) -> None:
    platform.hosting.variables["SLOW"] = "a"
    platform.do(platform.hosting.start, [A, B])
    assert platform.statuses() == ["REMOVED", "SUCCESS"]
    assert platform.who()["commit"] == "b"


def test_a_process_that_ends_by_itself_is_a_crash_and_the_address_says_so(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    assert platform.http.get("/exit").status_code == 502
    deadline = time.monotonic() + 3
    while platform.statuses() == ["SUCCESS"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert platform.statuses() == ["CRASHED"]
    answer = platform.http.get("/who")
    assert answer.status_code == 502
    assert "Application failed to respond" in answer.text
    assert messages(platform.hosting.deployments[0])[-1] == "Process exited with code 3"


def test_a_restart_mends_a_crash(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    one = platform.hosting.deployments[0]
    platform.http.get("/exit")
    platform.thread.run(_crashed(one))
    platform.do(platform.hosting.restart, one.id)
    assert platform.who()["commit"] == "a"


async def _crashed(one: Deployment) -> None:
    async with asyncio.timeout(3):
        while one.status is not Status.CRASHED:
            await asyncio.sleep(0.01)


def test_stop_takes_the_app_away_and_remove_forgets_it(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    one = platform.hosting.deployments[0]
    with pytest.raises(HostingRefused):
        platform.do(platform.hosting.remove, one.id)
    platform.do(platform.hosting.stop, one.id)
    assert (one.status, one.stopped) == (Status.REMOVED, True)
    assert platform.http.get("/who").status_code == 502
    platform.do(platform.hosting.remove, one.id)
    assert platform.hosting.deployments == []


def test_cancel_gives_up_a_deployment_under_way(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    platform.hosting.variables["SLOW"] = "b"

    async def begin_and_cancel() -> Deployment:
        one = platform.hosting.deploy_commit(B)
        while one.process is None:
            await asyncio.sleep(0.01)
        platform.hosting.cancel(one.id)
        return one

    one = platform.do(begin_and_cancel)
    assert one.status is Status.REMOVED
    assert one.process is None
    assert platform.who()["commit"] == "a"


def test_cancel_in_the_moment_of_starting_leaves_no_process(platform: Platform) -> None:
    async def begin_and_cancel() -> Deployment:
        one = platform.hosting.deploy_commit(A)
        while not any(step.name == "CREATE_CONTAINER" for step in one.steps):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        platform.hosting.cancel(one.id)
        return one

    one = platform.do(begin_and_cancel)
    assert (one.status, one.process) == (Status.REMOVED, None)
    assert not [
        entry
        for entry in Path("/proc").glob("[0-9]*/environ")
        if entry.exists() and one.id.encode() in _readable(entry)
    ]


def _readable(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def looping(platform: Platform, one: Deployment, restarts: int) -> None:
    """Let the process of a deployment fail until it was started again so many times."""
    platform.hosting.restart_retries = 3
    deadline = time.monotonic() + 20
    while (one.restarts < restarts or one.restarting) and time.monotonic() < deadline:
        if not one.restarting and one.restarts < restarts:
            platform.http.get("/exit")
        time.sleep(0.02)


def test_a_process_that_fails_is_started_again_by_policy(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    one, before = platform.hosting.deployments[0], platform.who()["pid"]
    looping(platform, one, 2)
    assert (platform.statuses(), one.restarts, one.restarting) == (["SUCCESS"], 2, False)
    assert platform.who()["pid"] != before
    exits = [text for text in messages(one) if text == "Process exited with code 3"]
    starts = [line for line in one.runtime_log if line.message == "a word on standard error"]
    assert (len(exits), len(starts)) == (2, 3)
    assert "Restarting (on failure, 2 of 3)" in messages(one, "info")


def test_after_the_last_retry_it_is_a_crash(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    one = platform.hosting.deployments[0]
    looping(platform, one, 3)
    platform.http.get("/exit")
    platform.thread.run(_crashed(one))
    assert platform.http.get("/who").status_code == 502


def test_what_is_about_to_be_started_again_can_be_stopped(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    one = platform.hosting.deployments[0]
    platform.hosting.restart_retries = 3
    platform.http.get("/exit")
    platform.do(platform.hosting.stop, one.id)
    assert (one.status, one.restarting, one.process) == (Status.REMOVED, False, None)


def test_a_killed_process_is_not_started_again(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    one = platform.hosting.deployments[0]
    platform.hosting.restart_retries = 3
    platform.do(platform.hosting.crash, one.id)
    assert (one.status, one.restarting) == (Status.CRASHED, False)
    with pytest.raises(HostingRefused):
        platform.do(platform.hosting.crash, one.id)
    platform.do(platform.hosting.restart, one.id)
    assert platform.who()["commit"] == "a"
    assert one.restarts == 0


def test_a_stuck_deployment_is_under_way_until_it_is_freed(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    stuck = platform.do(platform.hosting.deploy_stuck, B)
    assert stuck.status in (Status.QUEUED, Status.BUILDING)
    assert platform.hosting.stuck() == [stuck]
    assert platform.who()["commit"] == "a"
    platform.do(platform.hosting.free)
    assert stuck.status is Status.SUCCESS
    assert (platform.hosting.stuck(), platform.who()["commit"]) == ([], "b")


def test_a_stuck_deployment_can_be_cancelled(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    stuck = platform.do(platform.hosting.deploy_stuck, B)
    platform.do(platform.hosting.cancel, stuck.id)
    platform.thread.run(asyncio.wait_for(stuck.settled.wait(), 5))
    assert (stuck.status, platform.hosting.stuck()) == (Status.REMOVED, [])


def test_defects_are_baked_into_the_image_and_go_with_it(platform: Platform) -> None:
    platform.hosting.images.spoil(A, "wrong")
    platform.do(platform.hosting.start, [A])
    first = platform.hosting.deployments[0]
    assert platform.who()["defects"] == "wrong"
    assert platform.hosting.images.mend("wrong") == {A}
    platform.do(platform.hosting.deploy_commit, B)
    assert platform.who()["defects"] is None
    platform.do(platform.hosting.rollback, first.id)
    assert platform.who()["defects"] == "wrong"


def test_defects_of_a_deployment_are_remembered_over_a_restart_of_the_world(platform: Platform) -> None:
    platform.hosting.images.spoil(A, "wrong")
    platform.do(platform.hosting.start, [A])
    memory = json.loads(json.dumps(remember(platform.hosting)))
    platform.do(platform.hosting.close)
    platform.hosting.deployments.clear()
    platform.do(recall, platform.hosting, memory)
    assert platform.who()["defects"] == "wrong"
    assert platform.hosting.images.defects(A) == ()


def test_without_a_name_the_newest_commit_that_was_ever_pushed_is_deployed(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    platform.do(platform.hosting.deploy_commit)
    assert platform.who()["commit"] == "a"


def test_an_unknown_deployment_or_commit_is_refused(platform: Platform) -> None:
    for action in (platform.hosting.redeploy, platform.hosting.deploy_commit):
        with pytest.raises(HostingRefused):
            platform.do(action, "no-such-thing")


def test_standard_output_is_information_and_standard_error_an_error(platform: Platform) -> None:
    platform.do(platform.hosting.start, [B])
    one = platform.hosting.deployments[0]
    assert messages(one, "info") == ["greeting 2.1.0"]
    assert messages(one) == ["a word on standard error"]
    assert all(line.timestamp.tzinfo is not None for line in one.runtime_log)


def test_a_process_gets_its_variables_and_none_of_ours(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    assert os.environ.get("HOME")
    assert platform.who()["home"] is None


def test_the_front_door_passes_on_what_was_asked_and_answered(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    answer = platform.http.post("/echo?x=1&y=%20", content="body text", headers={"x-test": "kept"})
    said = answer.json()
    assert (said["method"], said["path"], said["query"]) == ("POST", "/echo", "x=1&y=%20")
    assert (said["body"], said["header"]) == ("body text", "kept")
    assert answer.headers["x-answer"] == "yes"


def test_the_front_door_logs_requests_with_deployment_and_time(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    platform.http.get("/who")
    logged = platform.hosting.edge.requests[-1]
    assert (logged.method, logged.path, logged.status) == ("GET", "/who", 200)
    assert logged.deployment_id == platform.hosting.deployments[0].id


def test_the_front_door_logs_what_it_says_itself_where_nothing_serves_any_more(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    one = platform.hosting.deployments[0]
    platform.http.get("/who")
    platform.do(platform.hosting.stop, one.id)
    platform.http.get("/who")
    logged = platform.hosting.edge.requests[-1]
    assert (logged.status, logged.deployment_id, logged.details) == (502, one.id, "no deployment serves")


def test_reset_starts_again_with_the_first_variables_and_nothing_of_before(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A, B])
    before = platform.who()["pid"]
    platform.hosting.variables["WORD"] = "two"
    platform.hosting.images.forget(B, "greeting")
    platform.do(platform.hosting.reset, [A, B])
    assert platform.statuses() == ["REMOVED", "SUCCESS"]
    assert platform.who()["word"] == "one"
    assert len(platform.hosting.edge.requests) == 1
    assert gone(before)


def test_close_leaves_no_process(platform: Platform) -> None:
    platform.do(platform.hosting.start, [A])
    pid = platform.who()["pid"]
    platform.do(platform.hosting.close)
    assert gone(pid)


OWNER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from services.sandbox.hosting import Hosting
from services.sandbox.twin_definition import Build
async def main():
    builds = [Build("a" * 40, "First", "tests.services.sandbox.stand_in.app")]
    hosting = Hosting(builds, {}, Path(sys.argv[1]), lambda: datetime.now(UTC))
    await hosting.start(["a" * 40])
    print(hosting.active.process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_processes_go_with_their_owner_even_after_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "hosting")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert not gone(pid)
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone(pid)
