"""The guest book itself, on the loopback: `served(database_url)`; it can be made forgetful, or shy."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg

FOLDER = Path(__file__).parent
TABLE = "create table guests (name text not null, arrived timestamptz not null default now())"


class GuestBook(ThreadingHTTPServer):
    """forgetful: a guest is answered with 201 and not stored; shy: only the first guest is shown.

    asked: how often the list of guests was asked for; delay_s: how long it takes then
    """

    def __init__(self, database_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.database_url = database_url
        self.forgetful = False
        self.shy = False
        self.asked = 0
        self.delay_s = 0.0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: GuestBook

    def do_GET(self) -> None:
        if self.path != "/guests":
            self._say(404, {"detail": "Not Found"})
            return
        self.server.asked += 1
        time.sleep(self.server.delay_s)
        with psycopg.connect(self.server.database_url) as conn:
            names = [row[0] for row in conn.execute("select name from guests order by arrived")]
        self._say(200, {"guests": names[:1] if self.server.shy else names})

    def do_POST(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["content-length"])))["name"]
        if not self.server.forgetful:
            with psycopg.connect(self.server.database_url) as conn:
                conn.execute("insert into guests (name) values (%s)", (name,))
        self._say(201, {"thanks": name})

    def _say(self, status: int, body: dict[str, Any]) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_arguments: object) -> None:
        return


@contextmanager
def served(database_url: str) -> Iterator[GuestBook]:
    """The guest book with an empty table; stopped afterwards."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(TABLE)
    book = GuestBook(database_url)
    thread = threading.Thread(target=book.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield book
    finally:
        book.shutdown()
        book.server_close()
        thread.join()
