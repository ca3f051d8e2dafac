"""Which workers live: how long a lease lasts without a sign of life, and when a process is known to be gone."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, select

from services.store.database import Store
from services.store.tables import workers

LEASE = timedelta(seconds=15)


@cache
def this_host() -> str:
    """What tells processes that can see each other from all others: name, start of the machine, space of process ids.

    Two machines, or two containers of one, may bear one name, and then a process id says nothing about the other.
    """
    parts = [socket.gethostname()[:60]]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(Path("/proc/self/ns/pid").readlink().name)
    return "/".join(parts)[:120]


def process_is_gone(host: str | None, pid: int | None) -> bool:
    """Whether a worker's process is known to be gone; of another host, or without a row, nothing is known."""
    if host != this_host() or pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def worker_is_gone(tx: Connection, worker_id: str, now: datetime) -> bool:
    """Whether this worker has signed off, has been silent for a lease, or its process is known to be gone."""
    row = tx.execute(select(workers).where(workers.c.id == worker_id)).one_or_none()
    return row is None or row.heartbeat < now - LEASE or process_is_gone(row.host, row.pid)


def worker_is_alive(store: Store, now: datetime) -> bool:
    """Whether any worker has given a sign of life within the last few seconds."""
    with store.read() as tx:
        last = tx.execute(select(workers.c.heartbeat).order_by(workers.c.heartbeat.desc()).limit(1)).scalar()
    return last is not None and now - last < LEASE / 3
