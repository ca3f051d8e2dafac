"""Knows one round: an action begins, something is killed, one action must end it, and the server is asked for all."""

from __future__ import annotations

import multiprocessing
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

import psycopg

from services.database.execution import Stopped
from services.errors import OpsError
from tests.campaign import FULL
from tests.kills import judge
from tests.kills.changes import CHANGES
from tests.kills.client import RAW, Task, carry_out, is_done, run_client
from tests.kills.drawing import AT_COMMIT, Drawn
from tests.kills.ground import Course, Ground
from tests.kills.proxy import Proxy
from tests.kills.writing import Writers

MOST_ACTIONS = 3
_LONGEST_S = 45.0
_BLOCKED_S = 1.5
_FROM = multiprocessing.get_context("forkserver")
_FROM.set_forkserver_preload(["tests.kills.client", *(["tests.kills.worker"] if FULL else [])])


@dataclass(slots=True)
class Told:
    """What came of a round. hit: the kill met what was still running. actions: how many it took to end it (1, or 0
    where the kill was survived). wrong: what does not hold."""

    drawn: Drawn
    hit: bool = False
    moment: str = ""
    between: str = "not looked at"
    actions: int = 0
    survivor_said: str = ""
    wrong: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.drawn.label} [{self.moment}; {self.between}; {self.survivor_said}]: {'; '.join(self.wrong)}"


class Child:
    """A process of its own that runs an action; what it tells comes over a pipe."""

    def __init__(self, body: Callable[[Any, Connection], None], what: Any) -> None:
        self.line, theirs = _FROM.Pipe()
        self.process: ForkServerProcess = _FROM.Process(target=body, args=(what, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.said: tuple[str, bool | None, str] | None = None
        self.newest = ""
        self.silent = False
        assert self.hear(_LONGEST_S) == "begun"

    def hear(self, longest_s: float) -> str | None:
        """The next step that it tells; None where it tells none in time, or has ended."""
        try:
            if not self.line.poll(max(0.0, longest_s)):
                return None
            told = self.line.recv()
        except (EOFError, OSError):
            self.silent = True
            return None
        if isinstance(told, tuple):
            self.said = told
            return None
        self.newest = told
        return str(told)

    def ended(self) -> bool:
        return self.said is not None or self.silent

    def go_on(self) -> None:
        with suppress(OSError):
            self.line.send("go")

    def wait(self) -> bool:
        """Wait for its end; False where it does not come."""
        until = time.monotonic() + _LONGEST_S
        while not self.ended():
            if time.monotonic() > until:
                return False
            self.hear(until - time.monotonic())
        self.process.join(_LONGEST_S)
        return True

    def close(self) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()
        self.line.close()


def play(ground: Ground, drawn: Drawn) -> Told:
    """One round on a database of its own."""
    began = time.monotonic()
    told = Told(drawn)
    course = ground.course(drawn.action, drawn.change)
    database = ground.clone(course.template)
    try:
        with ExitStack() as stack:
            writers = stack.enter_context(Writers(ground.url(database), CHANGES[drawn.change].written))
            _disturb(ground, drawn, course, database, told)
            writers.stop()
            judged(ground, database, drawn, course, writers, told)
    finally:
        ground.drop(database)
    told.took_s = time.monotonic() - began
    return told


def _disturb(ground: Ground, drawn: Drawn, course: Course, database: str, told: Told) -> None:
    through = AT_COMMIT.get(drawn.kind)
    step = None if through else step_wanted(drawn, course)
    with ExitStack() as stack:
        port = None
        proxy: Proxy | None = None
        if drawn.kind.startswith("cut"):
            proxy = Proxy(ground.port, through, drawn.nth_commit)
            stack.callback(proxy.close)
            port = proxy.port
        release = stack.enter_context(_blocker(ground, database, drawn))
        task = Task(
            drawn.action,
            drawn.change,
            ground.url(database, port),
            f"job-{secrets.token_hex(4)}",
            course.snapshot_id,
            course.before.catalog.digest,
            drawn.may_copy,
            step if drawn.late_s == 0 else None,
        )
        child = Child(run_client, task)
        stack.callback(child.close)
        _wait_for_the_moment(child, drawn, course, step, proxy, release)
        told.moment = child.newest
        told.hit = _strike(ground, drawn, database, task, child, proxy)
        release()
        child.go_on()
        if not child.wait():
            told.wrong.append("the client hung")
            child.process.kill()
        if child.said is not None:
            told.survivor_said = f"{child.said[1]}: {child.said[2]}"
            if child.said[2].startswith(RAW):
                told.wrong.append("the client was told no sentence")
        ground.wait_until_back()
        direct = Task(task.action, task.change, ground.url(database), task.job_id, task.snapshot_id, task.expected)
        if drawn.peeks:
            _peek(ground, database, drawn, course, child.said, told)
        if child.said is None or child.said[1] is not True:
            one_action(direct, told)
        elif drawn.action != "restore":
            # It says that all is in: asked again it must find that, and do nothing.
            one_action(direct, told)
            told.actions -= 1


def step_wanted(drawn: Drawn, course: Course) -> str | None:
    """The step at which the kill is to come; None where a time was drawn."""
    if drawn.blocked:
        return "retry"
    if not drawn.at_step:
        return None
    return course.steps[min(len(course.steps) - 1, int(drawn.at / 1.05 * len(course.steps)))]


@contextmanager
def _blocker(ground: Ground, database: str, drawn: Drawn) -> Iterator[Any]:
    """Within: somebody reads `people` in a transaction that does not end until it is released."""
    if not drawn.blocked:
        yield lambda: None
        return
    conn = psycopg.connect(ground.server.dsn(database), autocommit=False)
    conn.execute("SELECT count(*) FROM people")
    try:
        yield conn.close
    finally:
        conn.close()


def _wait_for_the_moment(
    child: Child, drawn: Drawn, course: Course, step: str | None, proxy: Proxy | None, release: Any
) -> None:
    began = time.monotonic()
    until = began + (_LONGEST_S if proxy is not None or step is not None else drawn.at * course.took_s)
    while not child.ended():
        now = time.monotonic()
        if proxy is not None and proxy.tripped.is_set():
            return
        if drawn.blocked and now - began > _BLOCKED_S:
            release()  # this action wants no lock that is held
        if step is None and drawn.kind not in AT_COMMIT and now >= began + drawn.at * course.took_s:
            return
        if now >= until:
            return
        pause = 0.02 if drawn.kind in AT_COMMIT or drawn.blocked else until - now
        if step is None and drawn.kind not in AT_COMMIT:
            pause = min(pause, began + drawn.at * course.took_s - now)
        if child.hear(pause) == step and step is not None:
            time.sleep(drawn.late_s)
            return


def _strike(ground: Ground, drawn: Drawn, database: str, task: Task, child: Child, proxy: Proxy | None) -> bool:
    """Kill what was drawn; returns whether it was still there and at work."""
    running = not child.ended()
    if drawn.kind == "client kill -9":
        child.process.kill()
        return running
    if drawn.kind == "client SIGTERM":
        child.process.terminate()
        return running
    if drawn.kind == "server stopped at once":
        ground.stop_at_once()
        return running
    if proxy is not None:
        return proxy.tripped.is_set() if drawn.kind in AT_COMMIT else proxy.cut(drawn.kind.split()[-1])
    name = task.job_id if task.action != "restore" else f"restore {task.snapshot_id}"
    pid = ground.backend_of(database, name, looks_on=drawn.kind.startswith("looker"))
    if pid is None:
        return False
    if drawn.kind.endswith("(crash)"):
        ground.crash(pid)
    else:
        ground.admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
    return running


def _peek(ground: Ground, database: str, drawn: Drawn, course: Course, said: Any, told: Told) -> None:
    """Before the one action: once nobody of ours is there, all is in, nothing is, or a receipt says that it was begun;
    and what a client that lived on has said is so."""
    with ground.as_superuser(database) as conn:
        until = time.monotonic() + 2
        while (ours := _ours(conn)) and time.monotonic() < until:
            time.sleep(0.02)
        if ours:
            told.between = "a session of ours is still there"
            return
        now = judge.State.of(conn)
        found = judge.receipt(conn, drawn.change)
        begun = found is not None and found["state"] == "begun"
        other = [now.other_than(course.before), now.other_than(course.after)]
        told.between = "begun" if begun else "untouched" if not other[0] else "done" if not other[1] else "between"
        if told.between == "between":
            told.wrong.append(f"neither before nor after: {other[0]} / {other[1]}")
        if said is not None and said[1] is not None and drawn.action != "restore" and not begun:
            is_in = bool(found) if drawn.action == "deploy" else bool(found and found["rolled_back"])
            if is_in != said[1]:
                told.wrong.append(f"the client said {said[1]} ({said[2]}), the receipt says {is_in}")


def _ours(conn: psycopg.Connection[Any]) -> list[Any]:
    return conn.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'release-%'"
        " AND application_name NOT LIKE '% looks on'"
    ).fetchall()


def one_action(task: Task, told: Told) -> None:
    """Ask for the action again, as a person does who presses Resume; to need more than once is wrong."""
    for _ in range(MOST_ACTIONS):
        told.actions += 1
        try:
            result = carry_out(task)
        except (OpsError, Stopped, psycopg.Error) as error:
            told.wrong.append(f"action {told.actions}: {getattr(error, 'what', error)}")
            continue
        if is_done(result):
            return
        told.wrong.append(f"action {told.actions}: {getattr(result, 'summary', '')}")


def judged(ground: Ground, database: str, drawn: Drawn, course: Course, writers: Writers, told: Told) -> None:
    """All that must hold when the round is over."""
    with ground.as_superuser(database) as conn:
        told.wrong += judge.nothing_left(conn)
        now = judge.State.of(conn)
        if other := now.other_than(course.after):
            told.wrong.append(f"not as after the action: {other}")
        told.wrong += judge.disagreement(conn, drawn.change, drawn.action, now.catalog)
        told.wrong += judge.half_kept(conn)
        told.wrong += judge.lost_writes(conn, writers.acknowledged)


def table_of(rounds: list[Told]) -> str:
    """What the campaign did and found, as a table."""
    lines = [f"{'what was killed':26} {'rounds':>6} {'hit':>5} {'ended by one action':>20} {'wrong':>6}"]
    for kind, count in sorted(Counter(one.drawn.kind for one in rounds).items()):
        some = [one for one in rounds if one.drawn.kind == kind]
        hit, resumed = sum(one.hit for one in some), sum(one.actions <= 1 for one in some)
        lines.append(f"{kind:26} {count:6} {hit:5} {resumed:20} {sum(bool(one.wrong) for one in some):6}")
    for what, of in (
        ("action", lambda one: f"{one.drawn.action} {one.drawn.change}"),
        ("between", lambda one: one.between),
        ("moment", lambda one: one.moment.split(" done")[0].rstrip("0123456789 ") if one.hit else "missed"),
    ):
        lines.append(f"{what}: " + ", ".join(f"{name} {n}" for name, n in Counter(map(of, rounds)).most_common()))
    times = sorted(one.took_s for one in rounds)
    lines.append(f"seconds a round: mean {sum(times) / len(times):.2f}, longest {times[-1]:.2f}")
    lines += [str(one) for one in rounds if one.wrong]
    return "\n".join(lines)
