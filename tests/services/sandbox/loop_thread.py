"""An event loop in a thread, so that plain tests can drive what lives in a loop, and serve it over real HTTP."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import ASGIApp

from services.sandbox.disturbance import Door
from services.sandbox.serving import Serving

T = TypeVar("T")


class LoopThread:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._served: list[Serving | Door] = []
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 30.0) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def serve(self, app: ASGIApp) -> str:
        """Serve an app until close; its address."""
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)

        async def begin() -> None:
            if isinstance(app, Door):
                app.open(listening)
                one: Serving | Door = app
            else:
                one = Serving(app, listening)
            self._served.append(one)
            await one.ready()

        self.run(begin())
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def close(self) -> None:
        async def end() -> None:
            await asyncio.gather(*(one.close() for one in self._served))
            await self.loop.shutdown_default_executor()

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
