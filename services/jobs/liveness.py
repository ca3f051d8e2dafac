"""Which workers live: how long a lease lasts without a sign of life, and when a process is known to be gone."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from services.store.database import Store
from services.store.tables import workers

LEASE = timedelta(seconds=15)


def process_is_gone(host: str | None, pid: int | None) -> bool:
    """Whether a worker's process is known to be gone; of another host, or without a row, nothing is known."""
    if host != socket.gethostname() or pid is None:
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
