"""The databases that the corpus is run on: PulseCheck's with text ids, with uuids, empty, half and fully deployed; and
one that has nothing of Supabase's but much of what Postgres can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PARTS = Path(__file__).parent / "base_parts"
_MIXED_IDS = """CASE i % 4 WHEN 0 THEN 'user_123' WHEN 1 THEN 'user_' || i % 7
  WHEN 2 THEN '00000000-0000-4000-8000-' || lpad((i % 40 + 1)::text, 12, '0')
  ELSE 'walker' || i % 5 || '@example.com' END"""
_REAL_IDS = "('00000000-0000-4000-8000-' || lpad((i % 40 + 1)::text, 12, '0'))::uuid"
_ENTRIES_ARE_OURS = "ALTER TABLE journal_entries ADD FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;"


@dataclass(frozen=True)
class Base:
    """One database: the SQL that its owner, no superuser, makes it with, and what is set for it as a whole.

    locale: given where it is not cloned from a Supabase project's database.
    """

    sql: str
    settings: tuple[str, ...] = ()
    locale: str = ""


def _part(name: str, **values: str) -> str:
    text = (_PARTS / f"{name}.sql").read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f":{key}", value)
    return text


_TEXT_IDS = _part("users") + _part("entries", user_id="varchar(255)")
_UUIDS = _part("users") + _part("entries", user_id="uuid")
_TEXT_ROWS = _part("user_rows") + _part("entry_rows", whose=_MIXED_IDS)
_UUID_ROWS = _part("user_rows") + _part("entry_rows", whose=_REAL_IDS)

BASES: dict[str, Base] = {
    "varchar": Base(_TEXT_IDS + _TEXT_ROWS),
    "uuid": Base(_UUIDS + _ENTRIES_ARE_OURS + _UUID_ROWS),
    "empty": Base(_TEXT_IDS),
    "half": Base(_TEXT_IDS + _TEXT_ROWS + _part("tiers") + _part("half_deployed")),
    "deployed": Base(_UUIDS + _UUID_ROWS + _part("tiers") + _part("deployed")),
    "plain": Base(_part("plain"), ("SET search_path TO shop, public", "SET statement_timeout TO '2s'"), locale="C"),
}
