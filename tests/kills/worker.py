"""Knows the worker that is killed: the real queue and the real worker, on one target."""

from __future__ import annotations

import signal
import threading
from multiprocessing.connection import Connection

from services.jobs import releasing
from services.jobs.handlers import make_worker
from services.settings import Settings
from services.store.database import open_store


def run_worker(settings: Settings, line: Connection) -> None:
    """The body of the process: works until SIGTERM, as the product's own worker does."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # There is no app here that a rollback could break.
    releasing.refuse_while_needed = lambda _context: None
    store = open_store(settings.store_url)
    make_worker(store, lambda: settings, watch=False).run(stop, ready=lambda: line.send("begun"))
    store.close()
    line.send(("told", None, "the worker has ended"))
