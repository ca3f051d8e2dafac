"""The embedded world: starts, is one of its kind, keeps its state, resets, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from services.errors import NotUnderstood, Refused
from services.sandbox import control
from services.sandbox.serving import Ports
from services.settings import Level
from tests.campaign import only_in_full
from tests.services.sandbox.conftest import NEW, OLD, ROOT, RunningWorld, running_world, tiny_twin

STARTER = """
import os, sys, threading
from pathlib import Path
from services.sandbox.control import start
from tests.services.sandbox.conftest import ROOT, tiny_twin
home = Path(sys.argv[1])
start(home, tiny_twin(home / "release"), threading.Event(), root=ROOT, environ=os.environ,
      ready=lambda status: print("ready", flush=True))
"""


def get(url: str, **options: object) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=10) as client:
        return client.get(url, **options)  # type: ignore[arg-type]


def serving(one: RunningWorld) -> str:
    return str(get(f"{one.target.app_url}/").json()["commit"])


def deploy_rows(one: RunningWorld, statement: str) -> list[tuple[object, ...]]:
    assert one.target.deploy_url is not None
    with psycopg.connect(one.target.deploy_url.get_secret_value()) as conn:
        cursor = conn.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def until(true: Callable[[], bool], within_s: float = 8.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.03)
    return False


def descendants_of(home: Path) -> list[str]:
    """Command lines of running processes that name this home or are its server."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (folder / "environ").read_bytes().decode(errors="replace") + str((folder / "cwd").readlink())
        except OSError:
            continue
        if str(home) in line or str(home) in environment:
            found.append(line)
    return found


def test_every_part_answers(world: RunningWorld) -> None:
    status = world.client.status()
    assert status["ok"]
    assert {part for part in status if isinstance(status[part], dict)} == {
        "database", "tiny", "railway", "openai", "supabase",
    }  # fmt: skip


OF_ONES_OWN_CHOICE = {
    "auth_anon_key",
    "auth_url",
    "backup_folder",
    "backup_recipient",
    "founder",
    "notify_urls",
    "openai_admin_key",
    "probe_caps",
}


def test_the_target_is_complete_and_no_production(world: RunningWorld) -> None:
    target = world.target
    assert not target.production
    assert target.levels == frozenset(Level)
    assert [one.role for one in target.quick_sign_in] == ["viewer", "operator", "admin"]
    missing = {name for name, value in target.model_dump().items() if value in (None, (), "", {})}
    assert missing - OF_ONES_OWN_CHOICE == set()
    file = world.home / "targets" / "sandbox.json"
    assert file.stat().st_mode & 0o777 == 0o600


def test_reads_go_through_a_role_that_cannot_write(world: RunningWorld) -> None:
    assert world.target.database_url is not None
    with psycopg.connect(world.target.database_url.get_secret_value()) as conn:
        assert conn.execute("SELECT count(*) FROM public.notes").fetchone() == (1500,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("DELETE FROM public.notes")


def test_before_the_new_build_has_failed_and_the_old_one_serves(world: RunningWorld) -> None:
    assert serving(world) == OLD
    token = world.target.railway_token
    assert token is not None and world.target.railway_url is not None
    query = "{ deployments(input: {}) { edges { node { status meta } } } }"
    with httpx.Client(trust_env=False) as client:
        answer = client.post(
            world.target.railway_url, json={"query": query}, headers={"Project-Access-Token": token.get_secret_value()}
        ).json()
    states = {
        edge["node"]["meta"]["commitHash"]: edge["node"]["status"] for edge in answer["data"]["deployments"]["edges"]
    }
    assert states == {OLD: "SUCCESS", NEW: "FAILED"}


def test_the_doors_remember_what_was_asked_of_them(world: RunningWorld) -> None:
    assert world.target.app_url is not None
    answer = httpx.get(f"{world.target.app_url}/asked", trust_env=False)
    told = world.client.calls()
    assert told["doors"]["app"][-1] == {"method": "GET", "path": "/asked", "status": answer.status_code}
    assert set(told["doors"]) == {"app", "supabase", "openai", "railway", "status"}


def test_reset_puts_rows_and_schema_back_in_time(world: RunningWorld) -> None:
    deploy_rows(world, "DROP TABLE notes; CREATE TABLE junk (n int)")
    began = time.perf_counter()
    status = world.client.reset()
    assert time.perf_counter() - began < 5
    assert status["ok"]
    assert deploy_rows(world, "SELECT count(*), to_regclass('junk') FROM notes") == [(1500, None)]


def test_after_the_release_is_in_and_the_new_build_serves(world: RunningWorld) -> None:
    world.client.reset("after")
    try:
        assert serving(world) == NEW
        assert deploy_rows(world, "SELECT to_regclass('released') IS NOT NULL") == [(True,)]
    finally:
        world.client.reset("before")
    assert serving(world) == OLD


def test_a_world_of_another_kind_is_not_understood(world: RunningWorld) -> None:
    with pytest.raises(NotUnderstood, match="before"):
        world.client.reset("sideways")  # type: ignore[arg-type]


def test_an_unknown_fault_is_not_understood(world: RunningWorld) -> None:
    with pytest.raises(NotUnderstood, match="no fault called 'volcano'"):
        world.client.break_fault("volcano")


@pytest.mark.parametrize(("fault", "silent"), [("database-down", "database"), ("api-timeout", "tiny")])
def test_a_fault_is_visible_when_break_returns_and_gone_when_repair_does(
    world: RunningWorld, fault: str, silent: str
) -> None:
    assert {one["id"]: one["active"] for one in world.client.break_fault(fault)}[fault]
    broken = world.client.status()
    assert not broken["ok"]
    assert not broken[silent]["answers"]
    assert broken["faults"] == [fault]
    world.client.repair(fault)
    repaired = world.client.status()
    assert repaired["ok"]
    assert repaired["faults"] == []


def test_the_database_stays_down_until_it_is_repaired(world: RunningWorld) -> None:
    world.client.break_fault("database-down")
    try:
        assert not until(lambda: bool(world.client.status()["database"]["answers"]), within_s=1.5)
    finally:
        world.client.repair()
    assert world.client.status()["ok"]


def test_reset_repairs_every_fault(world: RunningWorld) -> None:
    for fault in ("openai-no-quota", "database-down", "api-timeout"):
        world.client.break_fault(fault)
    status = world.client.reset()
    assert status["ok"]
    assert status["faults"] == []
    key = world.target.openai_key
    assert key is not None
    body = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "hello"}]}
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {key.get_secret_value()}"}) as client:
        assert client.post(f"{world.target.openai_url}/chat/completions", json=body).status_code == 200


def test_a_door_answers_later_by_as_much_as_it_is_told_until_a_reset(world: RunningWorld) -> None:
    def took() -> float:
        began = time.perf_counter()
        assert get(f"{world.target.app_url}/").status_code == 200
        return time.perf_counter() - began

    world.client.delay("app", 0.4)
    assert took() >= 0.4
    world.client.reset()
    assert took() < 0.4


@pytest.mark.parametrize(("door", "delay_s"), [("moon", 0.1), ("app", -1.0), ("app", 3600.0)])
def test_a_door_or_a_delay_that_there_is_not_is_not_understood(world: RunningWorld, door: str, delay_s: float) -> None:
    with pytest.raises(NotUnderstood):
        world.client.delay(door, delay_s)


def test_a_fault_that_this_world_cannot_have_is_refused_and_nothing_is_broken(world: RunningWorld) -> None:
    for fault in ("openai-key-missing", "openai-model-retired", "grants-missing"):
        with pytest.raises(Refused, match="no "):
            world.client.break_fault(fault)
    assert world.client.status()["faults"] == []


def test_control_answers_nobody_without_its_token(world: RunningWorld) -> None:
    assert world.target.fault_control_url is not None
    base = world.target.fault_control_url.rsplit("/", 1)[0]
    assert get(f"{base}/status").status_code == 404
    assert get(f"{base}/wrong/status").status_code == 404


def test_a_second_start_says_where_the_first_runs(world: RunningWorld) -> None:
    with pytest.raises(Refused, match=rf"already \(process {os.getpid()}\)"), running_world(world.home):
        pass
    assert world.client.status()["ok"]


def test_a_database_that_dies_by_itself_is_started_again(world: RunningWorld) -> None:
    pid = int((world.home / "sandbox" / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not world.client.status()["database"]["answers"] or _other(world, pid))
    assert until(lambda: bool(world.client.status()["ok"]))
    assert deploy_rows(world, "SELECT count(*) FROM notes") == [(1500,)]


def _other(world: RunningWorld, pid: int) -> bool:
    try:
        return int((world.home / "sandbox" / "postgres" / "postmaster.pid").read_text().split()[0]) != pid
    except OSError:
        return False


def test_without_postgrest_the_stand_in_serves_and_says_so(open_tmp_path: Path) -> None:
    with running_world(open_tmp_path, world="after", environ={"PATH": ""}, root=open_tmp_path) as one:
        assert one.told[0]["ok"]
        assert "stand-in, Auth" in one.told[0]["supabase"]["detail"]
        assert serving(one) == NEW


def test_a_named_postgrest_that_is_none_is_told(open_tmp_path: Path) -> None:
    environ = {"OPS_POSTGREST_BIN": str(open_tmp_path)}
    with pytest.raises(NotUnderstood, match="OPS_POSTGREST_BIN"), running_world(open_tmp_path, environ=environ):
        pass


def test_a_stop_in_the_middle_of_the_start_leaves_nothing(open_tmp_path: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(
        target=control.start,
        args=(open_tmp_path, tiny_twin(open_tmp_path / "release"), stop),
        kwargs={"root": ROOT, "environ": os.environ},
    )
    thread.start()
    assert until(lambda: (open_tmp_path / "sandbox" / "postgres.lock").exists())
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert descendants_of(open_tmp_path) == []


class TestRestart:
    @pytest.fixture
    def home(self, open_tmp_path: Path) -> Path:
        return open_tmp_path

    def test_rows_addresses_and_the_serving_build_stay(self, home: Path) -> None:
        with running_world(home, world="after") as first:
            assert first.took_s < 6
            target = first.target
            deploy_rows(first, "DELETE FROM notes WHERE id > 10")
        assert descendants_of(home) == []
        with running_world(home) as second:
            assert second.target == target
            assert serving(second) == NEW
            assert deploy_rows(second, "SELECT count(*) FROM notes") == [(10,)]

    def test_a_fault_stays_broken(self, home: Path) -> None:
        with running_world(home) as first:
            first.client.break_fault("api-timeout")
        with running_world(home) as second:
            assert second.told[0]["faults"] == ["api-timeout"]
            assert not second.told[0]["tiny"]["answers"]

    def test_a_home_of_an_earlier_version_gets_what_it_lacks(self, home: Path) -> None:
        with running_world(home) as first:
            deploy_rows(first, "DELETE FROM auth.users WHERE email LIKE 'ops-%'")
        path = home / "sandbox" / "keys.json"
        values = json.loads(path.read_text())
        accounts = [
            {name: one[name] for name in ("id", "name", "email", "password", "ops_role")} for one in values["accounts"]
        ]
        older = {name: value for name, value in values.items() if not name.startswith("ops_")}
        path.write_text(json.dumps({**older, "accounts": accounts[:4]}))
        with running_world(home) as second:
            assert second.told[0]["ok"]
            assert second.target.supabase_anon_key == SecretStr(older["anon_key"])
            emails = {one.email for one in second.target.probe_accounts}
            rows = deploy_rows(second, "SELECT email FROM auth.users WHERE email LIKE 'ops-%'")
            assert {row[0] for row in rows} == emails
            assert len(emails) == 5

    @pytest.mark.campaign
    @only_in_full
    def test_a_kind_that_is_named_begins_anew(self, home: Path) -> None:
        with running_world(home, world="after"):
            pass
        with running_world(home, world="before") as second:
            assert serving(second) == OLD
            assert deploy_rows(second, "SELECT count(*), to_regclass('released') FROM notes") == [(1500, None)]

    def test_killed_it_takes_everything_along_and_the_next_start_recovers(self, home: Path) -> None:
        owner = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(home)], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        target = json.loads((home / "targets" / "sandbox.json").read_text())
        with psycopg.connect(target["deploy_url"]) as conn:
            conn.execute("DELETE FROM notes WHERE id > 10")
        owner.kill()
        owner.communicate()
        assert until(lambda: descendants_of(home) == [])
        with pytest.raises(Refused, match="not running"):
            control.client(home).status()
        with running_world(home) as second:
            assert second.told[0]["ok"]
            assert deploy_rows(second, "SELECT count(*) FROM notes") == [(10,)]

    def test_stop_returns_when_everything_is_gone(self, home: Path) -> None:
        with running_world(home) as one:
            one.client.stop()
            assert descendants_of(home) == []
            with pytest.raises(Refused, match="not running"):
                control.client(home)


class TestPorts:
    def test_a_wanted_port_that_is_busy_is_named(self, tmp_path: Path) -> None:
        first = Ports(tmp_path / "a.json", ("app",), {})
        try:
            with pytest.raises(NotUnderstood, match=f"port {first.numbers['app']} for the sandbox's app is busy"):
                Ports(tmp_path / "b.json", ("app",), {"app": first.numbers["app"]})
        finally:
            first.close()

    def test_ports_stay_where_they_are_free_and_move_where_not(self, tmp_path: Path) -> None:
        first = Ports(tmp_path / "p.json", ("app", "rest"), {})
        first.close()
        second = Ports(tmp_path / "p.json", ("app", "rest"), {})
        assert second.numbers == first.numbers
        third = Ports(tmp_path / "p.json", ("app",), {})
        assert third.numbers["app"] != first.numbers["app"]
        second.close()
        third.close()
