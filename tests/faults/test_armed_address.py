"""The owner's address of an armed target is in one page of the worker's memory, and nowhere else, before or after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dashboard.edge.cookies import cookie_name
from services.access.sessions import open_session
from services.database.server import Server
from services.errors import Refused
from services.jobs.arming import armed, disarm
from services.jobs.queue import Job, JobState, events, job, resume
from services.releases.ledger import start_run
from tests.campaign import only_in_full
from tests.conftest import open_folder
from tests.faults.armed_world import TARGET, Armory, Production, armory, production
from tests.faults.memory import every_process, found_in_memory, processes_of_home, told_by
from tests.faults.pages_by_socket import read_page
from tests.house import now, wait_until
from tests.pages.world import small_release

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="reads the memory of processes")

GOOD = "CREATE TABLE IF NOT EXISTS public.made (id int PRIMARY KEY);\n"
WRONG = "CREATE TABLE public.made_wrongly (id no_such_type);\n"
SLOW = "SELECT pg_sleep(20);\nCREATE TABLE IF NOT EXISTS public.made_slowly (id int PRIMARY KEY);\n"
LOCKED = "ALTER TABLE public.accounts ADD COLUMN IF NOT EXISTS more text;\n"
SOON_S = 20


@pytest.fixture(scope="module")
def place(postgres_server: Server) -> Iterator[Production]:
    with production(postgres_server) as made:
        yield made


@pytest.fixture(scope="module")
def house(place: Production) -> Iterator[Armory]:
    with open_folder() as folder, armory(place, folder / "home") as started:
        yield started


@pytest.fixture(autouse=True)
def disarmed(house: Armory) -> Iterator[None]:
    """Each test begins and ends with nothing armed."""
    yield
    if armed(house.store, TARGET, now()) is not None:
        disarm(house.store, house.operator, TARGET, now())
    forgotten(house)


def begin_run(house: Armory) -> None:
    start_run(house.store, actor=house.operator, release=small_release(), target=TARGET, now=now())


def script(house: Armory, name: str, text: str) -> dict[str, str]:
    path = house.home / name
    path.write_text(text)
    return {"release": str(path)}


def in_worker(house: Armory) -> int:
    return found_in_memory(house.pid_of("worker"), house.production.forms())


def forgotten(house: Armory) -> None:
    """Return when the worker has written down that it forgot as often as that it was armed."""
    log = house.home / "logs" / "worker.log"

    def even() -> bool:
        told = log.read_text()
        return told.count('"event": "armed"') <= told.count('"event": "forgotten"') + house.killed

    wait_until(even, SOON_S, "the worker to forget")


def files_with_it(house: Armory) -> list[str]:
    """The files of our home that hold the password in any form: store, logs, what our processes printed."""
    forms = house.production.forms()
    files = [one for one in house.home.rglob("*") if one.is_file()]
    return [one.name for one in files if any(form in one.read_bytes() for form in forms)]


def processes_telling_it(house: Armory) -> list[int]:
    forms = house.production.forms()
    pids = processes_of_home(house.home)
    assert len(pids) >= 3, "the supervisor, the worker and the web process are to be looked at"
    return [pid for pid in pids if any(form in text for text in told_by(pid) for form in forms)]


def pages(house: Armory) -> bytes:
    cookie = f"{cookie_name(TARGET)}={open_session(house.store, house.operator, now())}"
    asked = {"": "", "settings": "&level=deploy", "database": "&part=Deploy", "history": "&part=Audit", "rollback": ""}
    came = [read_page(house.running.address, cookie, page, f"target={TARGET}{more}") for page, more in asked.items()]
    return b"".join(came)


def test_it_is_nowhere_but_in_one_place_of_the_worker(house: Armory) -> None:
    begin_run(house)
    said = house.arm()
    assert said.returncode == 0, said.stderr
    good, wrong = script(house, "good.sql", GOOD), script(house, "wrong.sql", WRONG)
    asked = [house.ask("rehearse", payload=payload) for payload in (good, wrong)]
    assert [house.done(one).state for one in asked] == [JobState.PASSED, JobState.FAILED]
    deployed = house.done(house.ask("deploy", payload=good))
    assert deployed.state is JobState.PASSED, deployed.result
    with the_password_changed(house.production):
        failed = house.command("deploy", good["release"], "--confirm", f"deploy good to {TARGET}")
    assert "refused the password" in failed.stdout, failed.stdout
    shown = pages(house)
    assert b"Armed by" in shown, "the pages say who armed it"

    forms = house.production.forms()
    assert not [form for form in forms if form in (said.stdout + said.stderr + failed.stdout + failed.stderr).encode()]
    assert not [form for form in forms if form in shown]
    assert files_with_it(house) == []
    assert processes_telling_it(house) == []
    assert found_in_memory(house.pid_of("web"), forms) == 0
    assert found_in_memory(house.running.process.pid, forms) == 0
    assert in_worker(house) == 1
    assert writes_no_core(house.pid_of("worker"))


def writes_no_core(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (cores,) = [line.split() for line in limits if line.startswith("Max core file size")]
    return cores[4:6] == ["0", "0"]


class the_password_changed:  # noqa: N801  reads as what it does
    """Within the block the owner has another password: the armed address leads nowhere."""

    def __init__(self, place: Production) -> None:
        self._place = place

    def _set(self, password: str) -> None:
        with self._place.admin() as conn:
            role = sql.Identifier(self._place.owner)
            conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))

    def __enter__(self) -> None:
        self._set("another")

    def __exit__(self, *_: object) -> None:
        self._set(self._place.password)


def by_hand(house: Armory) -> None:
    house.lend(timedelta(hours=1))
    assert in_worker(house) == 1
    disarm(house.store, house.operator, TARGET, now())


def by_its_time(house: Armory) -> None:
    house.lend(timedelta(seconds=2))
    assert in_worker(house) == 1
    wait_until(lambda: armed(house.store, TARGET, now()) is None, SOON_S, "the time to be over")


def by_the_end_of_its_run(house: Armory) -> None:
    begin_run(house)
    assert house.arm().returncode == 0
    assert in_worker(house) == 1
    begin_run(house)


@pytest.mark.parametrize("ending", [by_hand, by_its_time, by_the_end_of_its_run])
def test_it_is_wiped(house: Armory, ending: Callable[[Armory], None]) -> None:
    ending(house)
    forgotten(house)
    assert in_worker(house) == 0
    assert armed(house.store, TARGET, now()) is None


def killed(house: Armory, *others: int) -> None:
    """Kill -9 of the worker while it is armed, and of others; return when the next one has come to life."""
    for other in others:
        os.kill(other, signal.SIGKILL)
    before = house.pid_of("worker")
    house.killed += 1
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: house.worker_now() not in (None, before), 20, "the next worker")


def test_a_restart_of_the_worker_forgets_it(house: Armory) -> None:
    house.lend(timedelta(hours=1))
    good = script(house, "good.sql", GOOD)
    killed(house)
    with pytest.raises(Refused, match="is not armed"):
        house.ask("deploy", payload=good)
    assert in_worker(house) == 0
    again = house.command("deploy", good["release"], "--confirm", f"deploy good to {TARGET}")
    assert (again.returncode, "is not armed" in again.stdout) == (1, True)


def process_of(asked: Job) -> int:
    """The process that carries out a job, by the words it was started with."""
    words = b"\0-m\0dashboard\0armed-job\0" + asked.id.encode()
    begun = sys.executable.encode() + words
    return next(pid for pid in every_process() if told_by(pid)[1].startswith(begun))


def rehearsed(house: Armory, name: str, text: str) -> dict[str, str]:
    payload = script(house, name, text)
    assert house.done(house.ask("rehearse", payload=payload)).state is JobState.PASSED
    return payload


def in_its_middle(house: Armory, payload: dict[str, str]) -> Job:
    """A deploy in its process, in the middle of its script."""
    asked = house.ask("deploy", payload=payload)

    def in_the_middle() -> bool:
        with house.production.admin() as conn:
            return bool(conn.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'").fetchall())

    wait_until(in_the_middle, 30, "the deploy to be in its middle")
    return asked


@only_in_full
@pytest.mark.timeout(400)
def test_a_deploy_that_died_with_its_worker_is_told_after_arming_again(house: Armory) -> None:
    """Until then nothing is guessed: the reading role may not see the receipts, once there are any."""
    house.lend(timedelta(hours=1))
    assert house.done(house.ask("deploy", payload=rehearsed(house, "good.sql", GOOD))).state is JobState.PASSED
    asked = in_its_middle(house, rehearsed(house, "slow.sql", SLOW))
    killed(house, process_of(asked))
    wait_until(
        lambda: any(one.kind == "not-settled" for one in events(house.store, asked.id)), 60, "it to be not known"
    )
    assert job(house.store, asked.id).state is JobState.RUNNING
    house.lend(timedelta(hours=1))
    ended = house.done(asked)
    assert ended.state is JobState.INTERRUPTED
    resumed = resume(house.store, actor=house.operator, job_id=asked.id, target=house.target, now=now())
    assert house.done(resumed).state is JobState.PASSED


@only_in_full
@pytest.mark.timeout(400)
def test_a_deploy_whose_own_process_died_is_found_out_by_the_worker_that_holds_the_address(house: Armory) -> None:
    house.lend(timedelta(hours=1))
    asked = in_its_middle(house, rehearsed(house, "slow.sql", SLOW))
    os.kill(process_of(asked), signal.SIGKILL)
    ended = house.done(asked)
    assert (ended.state, (ended.result or {})["applied"]) == (JobState.INTERRUPTED, False)
    assert in_worker(house) == 1


@only_in_full
@pytest.mark.timeout(400)
def test_a_deploy_stops_at_its_next_safe_point_when_only_its_worker_died(house: Armory) -> None:
    house.lend(timedelta(hours=1))
    asked = in_its_middle(house, rehearsed(house, "slow.sql", SLOW))
    killed(house)
    assert house.done(asked).state is JobState.CANCELLED


@only_in_full
@pytest.mark.timeout(400)
def test_a_lock_that_is_never_free_tells_nothing_of_it(house: Armory) -> None:
    house.lend(timedelta(hours=1))
    payload = rehearsed(house, "locked.sql", LOCKED)
    with psycopg.connect(house.production.server.dsn(house.production.name)) as other:
        other.execute("LOCK TABLE public.accounts")
        assert house.done(house.ask("deploy", payload=payload)).state is not JobState.PASSED
    assert files_with_it(house) == []
    assert in_worker(house) == 1


def test_a_copy_that_somebody_left_is_found(house: Armory) -> None:
    """The searches of this file can fail: in a file, in a process's words, and in a process's memory."""
    password = house.production.password
    note = house.home / "logs" / "careless.log"
    note.write_text(f"connecting with {house.production.owner_url}\n")
    assert files_with_it(house) == ["careless.log"]
    note.unlink()
    keeps = "import sys; kept = sys.stdin.readline(); print('ready', flush=True); sys.stdin.readline()"
    command = [sys.executable, "-c", keeps, str(house.home), password]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as careless:
        assert careless.stdin is not None and careless.stdout is not None
        careless.stdin.write(f"{password}\n")
        careless.stdin.flush()
        careless.stdout.readline()
        assert processes_telling_it(house) == [careless.pid]
        assert found_in_memory(careless.pid, house.production.forms()) > 1
        careless.stdin.close()
