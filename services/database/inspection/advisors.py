"""Knows what a catalog says about itself: rights that strangers hold, and shapes that are slow or cannot last."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import psycopg

from services.database.fingerprint import bare_search_path
from services.database.inspection.advice import Advice, Advisor, SecurityFinding
from services.database.inspection.code_rules import CODE_RULES
from services.database.inspection.exposure_rules import EXPOSURE_RULES
from services.database.inspection.performance_rules import PERFORMANCE_RULES
from services.database.inspection.row_security_rules import ROW_SECURITY_RULES

ADVISORS: tuple[Advisor, ...] = (*ROW_SECURITY_RULES, *EXPOSURE_RULES, *CODE_RULES, *PERFORMANCE_RULES)
"""Every rule; the numbered ones are the 28 of Supabase's public list, in our own words and SQL."""

_VISIBLE = (
    "n.nspname !~ '^pg_' AND n.nspname NOT IN"
    " ('information_schema', 'ops', 'auth', 'storage', 'extensions', 'realtime', 'vault', 'graphql', 'graphql_public')"
)
# Which schemas the REST server shows stands in a setting where it is known, and is `public` where it is not.
_IN_API = (
    "n.nspname = ANY(pg_catalog.string_to_array(pg_catalog.replace(COALESCE(NULLIF("
    "pg_catalog.current_setting('pgrst.db_schemas', true), ''), 'public'), ' ', ''), ','))"
)


def security_findings(conn: psycopg.Connection[Any]) -> list[SecurityFinding]:
    """All dangerous rights over the catalog, sorted, the platform's own schemas left out. Reads the catalog only."""
    found = _asked(conn, [one for one in ADVISORS if one.danger])
    return sorted(SecurityFinding(one.rule, one.object, one.message) for one in found)


def new_findings(before: list[SecurityFinding], after: list[SecurityFinding]) -> list[SecurityFinding]:
    """Findings that a change brought: only these are its fault."""
    return sorted(set(after) - set(before))


def advise(conn: psycopg.Connection[Any], *, live: bool = False, rules: Collection[str] | None = None) -> list[Advice]:
    """What the advisors say, sorted. Reads only; as any role, which sees the catalog.

    live: ask those too that judge traffic, which only a database in use has seen. rules: ids, by default all.
    """
    asked = [one for one in ADVISORS if (live or not one.live) and (rules is None or one.id in rules)]
    return sorted(_asked(conn, asked))


def new_advice(before: Iterable[Advice], after: Iterable[Advice]) -> list[Advice]:
    """Advice that a change brought: the same rule on the same object is old, whatever it says of it now."""
    known = {(one.rule, one.object) for one in before}
    return sorted(one for one in after if (one.rule, one.object) not in known)


def _asked(conn: psycopg.Connection[Any], advisors: Iterable[Advisor]) -> list[Advice]:
    found = []
    with bare_search_path(conn):
        for one in advisors:
            if not all(_there(conn, place) for place in one.needs):
                continue
            query = one.query.replace("{visible}", _VISIBLE).replace("{in_api}", _IN_API)
            found += [
                Advice(one.id, name, one.sentence.format(detail=detail), one.level, one.category, one.remedy)
                for name, detail in conn.execute(query.encode()).fetchall()
            ]
    return found


def _there(conn: psycopg.Connection[Any], place: str) -> bool:
    """Is there such a relation that we may read ("schema.table"), or such a column of it?"""
    schema, table, *column = place.split(".")
    row = conn.execute(
        "SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = %s AND NOT a.attisdropped AND (%s = '' OR a.attname = %s)"
        " AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
        " AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') LIMIT 1",
        (schema, table, *((column[0], column[0]) if column else ("", ""))),
    ).fetchone()
    return row is not None
