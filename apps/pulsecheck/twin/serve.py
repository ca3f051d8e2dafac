"""How a build becomes a process: its variables are looked at, it starts or says why not, and a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from apps.pulsecheck.twin.defects import present
from apps.pulsecheck.twin.log import LOG, to_standard_streams

START_LIMIT_S = 3.0


def serve(build: Callable[[Mapping[str, str]], Starlette], required: Sequence[str]) -> int:
    """Serve on 127.0.0.1 at the variable PORT until SIGINT or SIGTERM; the exit code.

    1, with the traceback on standard error, where a required variable is missing or the start-up raises.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    to_standard_streams()
    try:
        missing = [name for name in (*required, "PORT") if not os.environ.get(name)]
        if missing:
            raise RuntimeError(f"required environment variables are not set: {', '.join(missing)}")
        return asyncio.run(_serve(build(os.environ), int(os.environ["PORT"])))
    except KeyboardInterrupt:
        return 0
    except Exception:
        traceback.print_exc()
        return 1


def _limit_start_up() -> None:
    """The first answer has to come in time, else the start is given up. In one build nobody calls the alarm off."""
    if not present("restart-loop"):
        return

    limit_s = float(os.environ.get("START_LIMIT_S", START_LIMIT_S))

    def give_up(_number: int, frame: FrameType | None) -> None:
        LOG.critical("start-up did not end within %g s, giving up", limit_s)
        traceback.print_stack(frame)
        os._exit(1)

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, limit_s)


async def _serve(app: Starlette, port: int) -> int:
    LOG.info("PulseCheck starting on port %s", port)
    # The lifespan is entered here and not by uvicorn, so that what it raises reaches the log as the traceback it is.
    async with app.router.lifespan_context(app):
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False, ws="none"
        )
        server = uvicorn.Server(config)
        _limit_start_up()
        await server.serve()
    return 0 if server.started else 1
