"""Knows writers that go on while a database is changed under them, and which of their writes were acknowledged."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from types import TracebackType

import psycopg

_UPDATES = (
    ("shop.people", "email", "id", 1, 40),
    ("shop.people", "age", "id", 1, 40),
    ("shop.teams", "name", "id", 1, 8),
    ("shop.orders", "amount", "id", 1, 80),
    ("shop.animals", "name", "id", 1, 5),
    ("shop.items", "stock", "code", 0, 11),
)
_INSERTS = (
    ("shop.people (id, email)", "shop.people", "id"),
    ('shop.lines ("order", nr)', "shop.lines", "nr"),
    ("shop.loose (n)", "shop.loose", "n"),
    ("shop.teams (id, name)", "shop.teams", "id"),
)


@dataclass
class Written:
    """What the server acknowledged: the last value of each (table, key column, key, column), and rows added."""

    values: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    rows: set[tuple[str, str, int]] = field(default_factory=set)


class Writer:
    """One session that writes until it is told to stop. What it writes is unique, so that it can be found again."""

    def __init__(self, url: str, number: int) -> None:
        self.written = Written()
        self._url = url
        self._next = number * 5_000 + 1
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(30)

    def _go_on(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute("SET statement_timeout = '5s'")
            while not self._over.wait(0.004):
                self._next += 1
                try:
                    (self._update if self._next % 3 else self._insert)(conn, self._next)
                except psycopg.Error as error:
                    if conn.closed:
                        raise AssertionError("the writer lost its connection") from error

    def _update(self, conn: psycopg.Connection[tuple[object, ...]], number: int) -> None:
        table, column, key_column, low, high = _UPDATES[number % len(_UPDATES)]
        key = str(low + number * 7 % (high - low + 1))
        if key_column == "code":
            key = f"c{100 + int(key)}"
        done = conn.execute(f"UPDATE {table} SET {column} = '{number}' WHERE {key_column}::text = '{key}'")
        if done.rowcount == 1:
            self.written.values[table, key_column, key, column] = str(number)

    def _insert(self, conn: psycopg.Connection[tuple[object, ...]], number: int) -> None:
        into, table, column = _INSERTS[number // 3 % len(_INSERTS)]
        values = {"shop.people": f"{number}, 'w{number}'", "shop.lines": f"1, {number}", "shop.loose": f"{number}"}
        conn.execute(f"INSERT INTO {into} VALUES ({values.get(table, f'{number}, {number}')})")
        self.written.rows.add((table, column, number))
