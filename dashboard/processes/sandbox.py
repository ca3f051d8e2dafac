"""The sandbox process: the embedded world in the foreground, until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

from apps.pulsecheck.twin.definition import TWIN
from dashboard.processes.home import ROOT, home_folder
from dashboard.processes.signals import StopSignals
from services.sandbox import control

Kind = Literal["before", "after"]


def run_sandbox(world: Kind | None, tell: Callable[[str], None], say: Callable[[str], None]) -> int:
    """Run the world until SIGINT, SIGTERM, SIGHUP or `sandbox stop`.

    world: a fresh one of that kind, None = on with the one that is there; say: called when every part answers
    """
    os.chdir(ROOT)

    def ready(status: Mapping[str, Any]) -> None:
        say(f"Sandbox: {status[TWIN.app]['url']}")
        tell(f"It begins as the world '{status['world']}'; Ctrl-C ends it.")

    with StopSignals() as signals:
        control.start(home_folder(), TWIN, signals.event, root=ROOT, environ=os.environ, world=world, ready=ready)
    return 0
