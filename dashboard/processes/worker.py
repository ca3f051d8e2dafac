"""The worker process: carries out queued jobs until it is told to stop; logs JSON lines to standard error."""

from __future__ import annotations

import os
import sys

import structlog

from dashboard import composition
from dashboard.processes.logs import log_to
from dashboard.processes.signals import StopSignals
from services.jobs.handlers import make_worker

log = structlog.get_logger("worker")


def run_worker() -> int:
    """Work until SIGINT, SIGTERM or SIGHUP; what runs is asked to stop at its next safe point."""
    os.chdir(composition.ROOT)
    log_to(sys.stderr)
    with StopSignals() as signals:
        worker = make_worker(composition.store(), composition.settings)
        log.info("worker starts", worker=worker.id)
        try:
            worker.run(signals.event)
        finally:
            composition.close()
        log.info("worker ends", worker=worker.id)
    return 0
