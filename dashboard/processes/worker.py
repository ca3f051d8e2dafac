"""The worker process: carries out queued jobs until it is told to stop; logs JSON lines to standard error."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import structlog

from dashboard import composition
from dashboard.processes.armed_job import start_armed_job
from dashboard.processes.logs import log_to
from dashboard.processes.signals import StopSignals
from services.errors import OpsError
from services.jobs.armed_work import ArmedWork
from services.jobs.door import Door
from services.jobs.handlers import make_worker
from services.store.database import Store

log = structlog.get_logger("worker")


def run_worker(say: Callable[[str], None]) -> int:
    """Work until SIGINT, SIGTERM or SIGHUP; what runs is asked to stop at its next safe point.

    say: our id, once, when the store has taken our first sign of life. Raises Unavailable where there is no store.
    """
    os.chdir(composition.ROOT)
    log_to(sys.stderr)
    with StopSignals() as signals:
        store = composition.store()
        worker = make_worker(store, composition.settings, beside=_keeper(store))
        log.info("worker starts", worker=worker.id)
        try:
            worker.run(signals.event, lambda: say(worker.id))
        finally:
            composition.close()
        log.info("worker ends", worker=worker.id)
    return 0


def _keeper(store: Store) -> Callable[[str, threading.Event], None] | None:
    """What holds armed addresses beside the worker; None where no private way in can be opened: the rest goes on."""
    home = composition.settings().home
    try:
        door = Door(home)
    except (OSError, OpsError) as error:
        log.error("nothing can be armed here: no private way in", error=type(error).__name__)
        return None
    return ArmedWork(store, composition.settings, door=door, start_child=start_armed_job(home), clock=store.now).run
