"""The process of one job that needs an armed address: it reads the address from a pipe, works, and is gone with it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import SecretStr

from dashboard import composition
from dashboard.processes.logs import log_to
from dashboard.processes.signals import StopSignals
from services.database.watcher import Watched
from services.jobs.handlers import make_worker
from services.jobs.queue import job
from services.jobs.safe import LONGEST_BYTES, refuse_core_dumps
from services.jobs.worker import Worker
from services.settings import Settings

LOG = "armed-job.log"
GRACE_S = 10.0
"""After the worker's own end: what a deploy has to reach its next safe point."""
ASK_AGAIN_S = 0.2

log = structlog.get_logger("armed-job")


def start_armed_job(home: Path) -> Callable[[str, str, int], Watched]:
    """Starts the process for a job, which acts for a worker and reads the address from a descriptor."""
    logs = home / "logs"

    def start(job_id: str, worker_id: str, descriptor: int) -> Watched:
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / LOG).open("ab") as sink:
            return Watched(
                [sys.executable, "-m", "dashboard", "armed-job", job_id, "--for", worker_id],
                log=logs / LOG,
                env={**os.environ, "OPS_HOME": str(home), "PYTHONUNBUFFERED": "1"},
                cwd=composition.ROOT,
                grace_s=GRACE_S,
                streams=(descriptor, sink.fileno(), sink.fileno()),
            )

    return start


def run_armed_job(job_id: str, for_worker: str) -> int:
    """Carry out this one job with the address on standard input; where its process died before, find how it ended."""
    refuse_core_dumps()
    os.chdir(composition.ROOT)
    log_to(sys.stderr)
    address = _address()
    with StopSignals() as signals:
        store = composition.store()
        target = job(store, job_id).target
        worker = make_worker(
            store, lambda: _with_owner(composition.settings(), target, address), watch=False, acts_for=for_worker
        )
        log.info("armed job starts", job=job_id, worker=worker.id)
        done = threading.Event()
        listener = threading.Thread(target=_pass_on, args=(signals.event, done, worker), name="stop", daemon=True)
        listener.start()
        try:
            if not worker.run_job(job_id):
                worker.settle_dead(only=job_id)
        finally:
            done.set()
            composition.close()
        log.info("armed job ends", job=job_id)
    return 0


def _address() -> SecretStr:
    with open(0, "rb", closefd=False) as pipe:
        return SecretStr(pipe.read(LONGEST_BYTES).decode())


def _with_owner(settings: Settings, name: str, address: SecretStr) -> Settings:
    """The settings as they are on disk, and the owner's address of this one target."""
    armed = settings.target(name).model_copy(update={"deploy_url": address})
    return settings.model_copy(update={"targets": {**settings.targets, name: armed}})


def _pass_on(asked: threading.Event, done: threading.Event, worker: Worker) -> None:
    """Hand the wish to stop to the job, again until it has ended: it may not have begun when the wish comes."""
    asked.wait()
    while not done.wait(ASK_AGAIN_S):
        worker.cancel_running()
