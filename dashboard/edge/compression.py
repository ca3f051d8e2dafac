"""Streamlit's own script and style files, compressed once and kept: it serves them as they are, 10 MB a first visit."""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread
import streamlit
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

COMPRESSED_SUFFIXES = frozenset({".js", ".css", ".json", ".svg", ".wasm"})
LEVEL = 6


def list_static_files(root: Path | None = None) -> dict[str, Path]:
    """URL path to file for all that is worth compressing; only files found here are ever read."""
    folder = root or Path(streamlit.__file__).parent / "static"
    return {
        f"/{path.relative_to(folder).as_posix()}": path
        for path in (folder / "static").rglob("*")
        if path.suffix in COMPRESSED_SUFFIXES and path.is_file()
    }


class CompressedStatic:
    """ASGI middleware that answers for the listed files with gzip where the browser takes it, else passes on."""

    def __init__(self, app: ASGIApp, *, files: Mapping[str, Path]) -> None:
        self.app = app
        self.files = files
        self._kept: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in self.files:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "gzip" not in headers.get("accept-encoding", "") or "range" in headers:
            await self.app(scope, receive, send)
            return
        url = scope["path"]
        if url not in self._kept:
            # In a thread: the largest file takes 150 ms, and the loop also carries everybody's WebSocket.
            self._kept[url] = await anyio.to_thread.run_sync(self._compress, self.files[url])
        response = Response(
            self._kept[url],
            media_type=mimetypes.guess_type(url)[0] or "application/octet-stream",
            headers={
                "Content-Encoding": "gzip",
                "Vary": "Accept-Encoding",
                # The file names carry a hash of their content.
                "Cache-Control": "public, immutable, max-age=31536000",
            },
        )
        await response(scope, receive, send)

    @staticmethod
    def _compress(path: Path) -> bytes:
        return gzip.compress(path.read_bytes(), LEVEL, mtime=0)
