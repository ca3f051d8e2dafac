"""Knows the people who go on working: rows written one by one into whatever tables are there, and which were taken."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import psycopg

from services.database.connect import connect
from services.errors import OpsError
from tests.kills.changes import OURS

_PAUSE_S = 0.008


class Writers:
    """Within: a session of its own writes until the end. `acknowledged`: ids per table that the server committed."""

    def __init__(self, url: str, tables: tuple[str, ...]) -> None:
        self.acknowledged: dict[str, set[int]] = {table: set() for table in tables}
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        number = OURS
        conn: psycopg.Connection[Any] | None = None
        while not self._stop.is_set():
            try:
                if conn is None or conn.closed:
                    conn = connect(self._url, application_name="people", statement_timeout_s=3)
                for table, taken in self.acknowledged.items():
                    number += 1
                    with suppress(psycopg.errors.UndefinedTable, psycopg.errors.QueryCanceled):
                        conn.execute(f"INSERT INTO {table} (id) VALUES ({number})")
                        taken.add(number)
            except (OpsError, psycopg.OperationalError):
                self._stop.wait(0.05)
            self._stop.wait(_PAUSE_S)
        if conn is not None:
            conn.close()
