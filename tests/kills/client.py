"""Knows the process that is killed: it runs one action through the engine, tells of every step, and waits if asked."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from services.database.deployment.deploy import Deployment, deploy
from services.database.execution import Cancelled, Emit, Stopped, never, silent
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import RollbackResult, rollback
from services.database.snapshots.restore import Restoration
from services.errors import OpsError
from tests.kills.changes import CHANGES

_PATIENCE_S = 20.0
RAW = "no sentence, but"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done. hold_at: the step before which the process waits for a word."""

    action: str
    change: str
    url: str
    job_id: str
    snapshot_id: str | None = None
    expected: str | None = None
    may_copy: bool = False
    hold_at: str | None = None


def carry_out(
    task: Task, emit: Emit = silent, cancelled: Cancelled = never
) -> Deployment | RollbackResult | Restoration:
    """The action itself; asked for again with the same job id it is the one action that must end an interrupted one."""
    change = CHANGES[task.change]
    if task.action == "deploy":
        return deploy(
            task.url,
            change.deploy,
            change.queries,
            release_id=change.id,
            plan_hash=change.id,
            actor="ann",
            job_id=task.job_id,
            expected_fingerprint=task.expected,
            keep_inverse=not change.down,
            emit=emit,
            cancelled=cancelled,
        )
    if task.action == "rollback":
        return rollback(
            task.url,
            change.id,
            change.rollback,
            actor="bob",
            job_id=task.job_id,
            may_copy=task.may_copy,
            emit=emit,
            cancelled=cancelled,
        )
    assert task.snapshot_id is not None
    return restore(task.url, task.snapshot_id, emit=emit, cancelled=cancelled)


def is_done(result: Deployment | RollbackResult | Restoration) -> bool:
    """Whether the action tells that all of it is in."""
    return result.applied if isinstance(result, Deployment) else True


def step_of(kind: str, payload: dict[str, Any]) -> str:
    """The name of a step: "phase commit", "statement 3 done", "retry"."""
    more = {"phase": ("name",), "statement": ("index", "state")}.get(kind, ())
    return " ".join([kind, *(str(payload[key]) for key in more)])


def run_client(task: Task, line: Connection) -> None:
    """The body of the process: tells (step) lines, and at last ("told", whether it is done or None, a sentence)."""
    wish = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: wish.set())
    held = False

    def emit(kind: str, payload: dict[str, Any]) -> None:
        nonlocal held
        step = step_of(kind, payload)
        line.send(step)
        if not held and step == task.hold_at:
            held = True
            line.poll(_PATIENCE_S)

    line.send("begun")
    told: tuple[str, bool | None, str]
    try:
        result = carry_out(task, emit, wish.is_set)
        told = ("told", is_done(result), getattr(result, "summary", ""))
    except Stopped:
        told = ("told", False, "stopped")
    except OpsError as error:
        told = ("told", None if error.exit_code == 2 else False, error.what)
    except psycopg.Error as error:
        told = ("told", None, f"{RAW} {type(error).__name__} {error}")
    line.send(told)
