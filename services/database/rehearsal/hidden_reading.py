"""Knows how to read from a clone what decides whether scripts depend on hidden inputs: function bodies, the server."""

from __future__ import annotations

from collections.abc import Sequence

from services.database.connect import connect
from services.database.rehearsal.hidden_inputs import Circumstance, hidden_inputs
from services.database.rehearsal.shadow import Shadow
from services.database.script import Statement

_BODIES = """
SELECT p.proname::text, pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p') AND l.lanname = 'plpgsql' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
_FOREIGN = "SELECT relname::text FROM pg_catalog.pg_class WHERE relkind = 'f'"


def hidden_on(copy: Shadow, name: str, statements: Sequence[Statement]) -> dict[int, str]:
    """By index, a sentence on each statement whose outcome a shadow cannot know. name: the clone after the run."""
    known: dict[str, list[str]] = {}
    with connect(copy.as_superuser(name)) as conn:
        for function, definition in conn.execute(_BODIES).fetchall():
            known.setdefault(function, []).append(definition)
        foreign = frozenset(row[0] for row in conn.execute(_FOREIGN).fetchall())
    same = copy.facts.major == copy.server.binaries.version
    around = Circumstance(same_version=same, lacking_locale=copy.lacking_locale, foreign_tables=foreign)
    return hidden_inputs(statements, lambda function: known.get(function, []), around)
