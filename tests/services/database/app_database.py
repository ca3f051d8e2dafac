"""A small production-like database for the tests of this room, and what its owner asks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.database.connect import connect
from services.database.fingerprint import Fingerprint, RowHash, catalog_fingerprint, row_hashes
from services.database.script import Script

APP = """
CREATE TABLE public.users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text UNIQUE NOT NULL, created_at timestamptz DEFAULT now());
CREATE TABLE public.journal_entries (
  id bigserial PRIMARY KEY, user_id varchar(255) NOT NULL, content text, mood_level int, tags text[], extra jsonb,
  created_at timestamptz DEFAULT now());
INSERT INTO public.users (email) SELECT 'person' || i || '@example.com' FROM generate_series(1, 40) i;
INSERT INTO public.journal_entries (user_id, content, mood_level, tags, extra)
  SELECT 'user_' || i % 7, 'Today was a long and hard day at work ' || i, i % 10 + 1,
         ARRAY['work', 'a longer note about the evening'], '{"note": "what I told nobody", "n": 1}'
  FROM generate_series(1, 300) i;
CREATE VIEW public.moods AS SELECT user_id, avg(mood_level) AS mood FROM public.journal_entries GROUP BY 1;
"""


class Owner:
    """The owner's session on one database, with the questions that tests ask."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.conn = connect(url)

    def run(self, sql: str) -> list[Any]:
        cursor = self.conn.execute(sql)
        return cursor.fetchall() if cursor.description else []

    def value(self, sql: str) -> Any:
        return self.run(sql)[0][0]

    def exists(self, relation: str) -> bool:
        return bool(self.value(f"SELECT to_regclass('{relation}') IS NOT NULL"))

    def fingerprint(self) -> Fingerprint:
        return catalog_fingerprint(self.conn)

    def rows(self) -> dict[str, RowHash]:
        return row_hashes(self.conn)


def script(sql: str, file: str = "change.sql") -> list[Script]:
    """One script, as the product takes it."""
    return [Script(file, sql)]


class Listener:
    """An `emit` that remembers, and may call something at an event."""

    def __init__(self, at: Callable[[str, dict[str, Any]], None] | None = None) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._at = at

    def __call__(self, kind: str, payload: dict[str, Any]) -> None:
        self.events.append((kind, payload))
        if self._at is not None:
            self._at(kind, payload)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [payload for known, payload in self.events if known == kind]
