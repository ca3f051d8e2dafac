"""Knows how to read from a clone what decides whether scripts depend on hidden inputs: function bodies, the server."""

from __future__ import annotations

from collections.abc import Sequence

from services.database.connect import connect, read_only_transaction
from services.database.failure_classes import Failure
from services.database.parser import parse
from services.database.rehearsal.hidden_inputs import Circumstance, hidden_inputs
from services.database.rehearsal.shadow import Shadow
from services.database.script import Statement

_BODIES = """
SELECT p.proname::text, pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p') AND l.lanname = 'plpgsql' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
_QUESTION_S = 5.0
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


def lacking_extension(copy: Shadow, statement: Statement, failure: Failure) -> str | None:
    """A sentence where the script makes an extension that the scratch server lacks and the target's server may have."""
    parsed = parse(statement.sql)
    if statement.kind != "create_extension_stmt" or parsed is None or failure.sqlstate not in ("0A000", "58P01"):
        return None
    name = parsed.stmts[0].stmt.create_extension_stmt.extname
    with connect(copy.url, read_only=True) as target, read_only_transaction(target, _QUESTION_S):
        known = target.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = %s)", (name,)
        ).fetchone()
    if known is not None and not known[0]:
        return None
    return f"{statement.file}:{statement.line}: the scratch server lacks the extension {name}, which the target has"
