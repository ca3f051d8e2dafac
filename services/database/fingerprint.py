"""Knows a database's catalog and rows as facts that can be compared: definitions, rights, comments, row hashes."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

CATALOG_QUERY = (Path(__file__).parent / "fingerprint.sql").read_text()
"""Gives the facts as (name, value); its names are absolute where search_path is empty."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The catalog as facts ("column public.users.email" -> "text not null") and the SHA-256 of all of them."""

    digest: str
    facts: dict[str, str]

    @classmethod
    def of(cls, facts: dict[str, str]) -> Fingerprint:
        lines = "\n".join(f"{key}\x1f{facts[key]}" for key in sorted(facts))
        return cls(hashlib.sha256(lines.encode()).hexdigest(), facts)

    def packed(self, level: int = 6) -> bytes:
        """The facts, compressed for keeping; level 1 where somebody waits for it, which is ten times as fast."""
        return zlib.compress(json.dumps(self.facts, sort_keys=level > 1).encode(), level)

    @classmethod
    def unpacked(cls, data: bytes) -> Fingerprint:
        return cls.of(json.loads(zlib.decompress(data)))


@dataclass(frozen=True, slots=True)
class Difference:
    """How `after` differs from `before`, by fact name."""

    added: list[str]
    removed: list[str]
    changed: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def sentence(self, limit: int = 5) -> str:
        """The differences in words, at most `limit` names of each kind."""
        parts = []
        for word, names in (("added", self.added), ("removed", self.removed), ("changed", self.changed)):
            if names:
                more = f" and {len(names) - limit} more" if len(names) > limit else ""
                parts.append(f"{word}: {', '.join(names[:limit])}{more}")
        return "; ".join(parts) or "no difference"


@dataclass(frozen=True, slots=True)
class RowHash:
    """How many rows a table has, and an order-free digest of them (hex)."""

    count: int
    digest: str


_PLAIN = {
    "search_path": "",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}
"""Settings on which it depends how definitions are written, and how what asks for them is read."""


@contextmanager
def bare_search_path(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Within: an empty search_path, so that every name in a definition is written in full, and one way of writing
    dates. Leaves all as it was."""
    read = ", ".join(f"pg_catalog.current_setting('{name}')" for name in _PLAIN)
    before = conn.execute(f"SELECT {read}").fetchone() or ("",) * len(_PLAIN)
    write = "SELECT " + ", ".join(f"pg_catalog.set_config('{name}', %s, false)" for name in _PLAIN)
    conn.execute(write, tuple(_PLAIN.values()))
    try:
        yield
    finally:
        if conn.info.transaction_status != psycopg.pq.TransactionStatus.INERROR and not conn.closed:
            conn.execute(write, tuple(before))


def catalog_fingerprint(conn: psycopg.Connection[Any]) -> Fingerprint:
    """All catalog facts outside system schemas and our own schema `ops`. Takes no lock above AccessShare."""
    with bare_search_path(conn):
        rows = conn.execute(CATALOG_QUERY).fetchall()
    return Fingerprint.of({str(key): str(value) for key, value in rows})


def difference(before: Fingerprint, after: Fingerprint) -> Difference:
    """What was added, removed or changed from `before` to `after`, in name order."""
    old, new = before.facts, after.facts
    return Difference(
        added=sorted(new.keys() - old.keys()),
        removed=sorted(old.keys() - new.keys()),
        changed=sorted(key for key in old.keys() & new.keys() if old[key] != new[key]),
    )


def user_tables(conn: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """(schema, name) of every table that holds rows, outside system schemas, extensions and `ops`."""
    return conn.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
        " AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')"
        " ORDER BY 1, 2"
    ).fetchall()


def row_hash_query(schema: str, table: str, columns: Sequence[str] | None = None) -> sql.Composed:
    """One statement that gives count and order-free digest of a table's rows: two 64-bit halves of each row's MD5,
    added up on the server, in memory that does not grow with the rows.

    With `columns`, only those are looked at, so a table can be compared before and after it gained others.
    """
    # Never plain `r`: in a table with a column of that name it would be the column.
    values = [sql.SQL("r.*")] if columns is None else [sql.SQL("r.{}").format(sql.Identifier(name)) for name in columns]
    return sql.SQL(
        "SELECT pg_catalog.count(*),"
        " pg_catalog.md5(COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 1, 16))::bit(64)::bigint)::text, '')"
        " || '/' || COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(h, 17, 16))::bit(64)::bigint)::text, ''))"
        " FROM (SELECT pg_catalog.md5(ROW({row})::text) AS h FROM ONLY {table} AS r) AS hashes"
    ).format(row=sql.SQL(", ").join(values), table=sql.Identifier(schema, table))


def row_hash(conn: psycopg.Connection[Any], schema: str, table: str, columns: Sequence[str] | None = None) -> RowHash:
    """Count and digest of a table's rows, or of some columns of them; see `row_hash_query`."""
    found = conn.execute(row_hash_query(schema, table, columns)).fetchone()
    if found is None:
        raise LookupError("an aggregate query gives one row")
    return RowHash(int(found[0]), str(found[1]))


def row_hashes(conn: psycopg.Connection[Any]) -> dict[str, RowHash]:
    """The row hash of every user table, by "schema.table". Reads all rows."""
    return {f"{schema}.{table}": row_hash(conn, schema, table) for schema, table in user_tables(conn)}
