"""Which function carries out which kind of job, and which one finds the truth when its worker died."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from functools import partial

from services.jobs import app_actions, backing_up, by_hand, checking, connecting, faults, releasing
from services.jobs.heartbeat import Heartbeat, Signs
from services.jobs.telling import Telling, telling_first
from services.jobs.watch import refresh
from services.jobs.worker import Handler, Settler, Worker
from services.settings import Settings
from services.store.database import Store

HANDLERS: Mapping[str, Handler] = {
    "check": checking.check,
    "score": checking.score,
    "diagnose": checking.diagnose,
    "rehearse": releasing.rehearse,
    "verify": releasing.verify,
    "backup": backing_up.backup,
    "deploy": releasing.deploy,
    "find_deploy": by_hand.find_deploy,
    "rollback": releasing.rollback,
    "restore": releasing.restore,
    "purge_kept": releasing.purge,
    "restart": app_actions.restart,
    "redeploy_app": app_actions.redeploy_app,
    "back_out_app": app_actions.back_out_app,
    "prove_level": connecting.prove_level,
    "break_fault": faults.break_fault,
    "repair_fault": faults.repair_fault,
}

SETTLERS: Mapping[str, Settler] = {"deploy": releasing.settle_deploy, "rollback": releasing.settle_rollback}


def make_worker(
    store: Store,
    settings: Callable[[], Settings],
    *,
    watch: bool = True,
    beside: Callable[[str, threading.Event], None] | None = None,
    acts_for: str | None = None,
) -> Worker:
    """A worker with all handlers. watch: whether it also keeps fresh what open pages look at, and sends notices.

    beside, acts_for: as `Worker` takes them
    """
    return Worker(
        store,
        settings,
        handlers=HANDLERS,
        settlers=SETTLERS,
        clock=store.now,
        refresh=telling_first(Telling(), partial(refresh, holder=secrets.token_hex(8))) if watch else None,
        beside=beside,
        acts_for=acts_for,
        heartbeat=partial(_heartbeat, store, settings) if watch else None,
    )


def _heartbeat(store: Store, settings: Callable[[], Settings], signs: Signs, worker: str) -> Callable[[], bool]:
    return Heartbeat(store, settings, signs, worker).turn
