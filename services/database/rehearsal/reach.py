"""Knows by what a rehearsal could act on other machines, where the system cannot cut the scratch server off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import psycopg

from services.database.script import Statement

_WAYS = """
SELECT 'the extension ' || extname FROM pg_catalog.pg_extension
WHERE extname IN ('dblink', 'http', 'pg_net', 'pg_curl', 'pgsql_http', 'pg_cron', 'plproxy', 'pgmemcache')
UNION ALL SELECT 'the foreign server ' || srvname FROM pg_catalog.pg_foreign_server
UNION ALL SELECT 'the language ' || lanname FROM pg_catalog.pg_language
WHERE NOT lanpltrusted AND lanname NOT IN ('c', 'internal')
ORDER BY 1
"""
_MADE = re.compile(
    r"\b(create\s+extension|create\s+server|create\s+(?:or\s+replace\s+)?(?:procedural\s+)?language"
    r"|create\s+subscription|(?:from|to)\s+program)\b",
    re.IGNORECASE,
)


def ways_out(target: psycopg.Connection[Any]) -> str:
    """What in the target's catalog reaches other machines, in words; empty for nothing."""
    return ", ".join(str(row[0]) for row in target.execute(_WAYS).fetchall())


def makes_a_way_out(statements: Sequence[Statement]) -> str | None:
    """A sentence on the first statement that would make something of the kind; None where none does."""
    for one in statements:
        if found := _MADE.search(one.sql):
            words = " ".join(found[1].upper().split())
            return (
                f"{one.file}:{one.line}: {words} may reach other machines, from which this system cannot keep a"
                " rehearsal: Linux can"
            )
    return None
