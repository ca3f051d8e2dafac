"""Knows which effects of a script endanger production: data lost, others made to wait, rights opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import psycopg
from psycopg import sql

from services.database.dangers.always_true import with_conditions_evaluated
from services.database.dangers.blocking import Sizes, blocking
from services.database.dangers.danger import Danger
from services.database.dangers.later_calls import changed_by_later_calls
from services.database.dangers.positions import set_back
from services.database.dangers.possible_losses import possible_losses, unlogged
from services.database.dangers.rights import Opened, opened
from services.database.dangers.row_losses import row_losses
from services.database.dangers.seen_rows import newly_seen
from services.database.dangers.tables import tables_of
from services.database.dangers.trail import Facts, Trail
from services.database.script import Statement

__all__ = ["Danger", "dangers_of", "sizes_of"]

SEEN_BY_OWN_RULES = frozenset(
    {
        "rls-off",
        "rls-missing",
        "policies-without-rls",
        "anon-granted",
        "definer-search-path",
        "view-of-owner",
        "materialized-view-in-api",
        "policy-lets-all-write",
    }
)
"""Advisors that say of a whole catalog what is told here, more exactly, of the change: who can do what now."""

_SIZES = """
SELECT n.nspname || '.' || c.relname,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples ELSE pg_catalog.pg_relation_size(c.oid) / 100 END::bigint
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
"""


class Finding(Protocol):
    """What an advisor says: of which object, and a sentence."""

    @property
    def object(self) -> str: ...
    @property
    def message(self) -> str: ...


def dangers_of(
    trail: Trail,
    before: psycopg.Connection[Any] | None = None,
    after: psycopg.Connection[Any] | None = None,
    *,
    findings: Sequence[Finding] = (),
    sizes: Mapping[str, int] | None = None,
    connected_as: str = "",
) -> tuple[Danger, ...]:
    """All dangers of a run, losses first. Each has the line of the statement that did it, where one can be named.

    before, after: superuser connections to the untouched shadow and to the clone that the script changed; both None
    after a run that failed, of which only what was measured is told.
    findings: what the advisors newly say. sizes: rows on the target of tables whose rows the shadow lacks.
    connected_as: the role that ran the script.
    """
    lacking = sizes or {}
    if before is None or after is None:
        nothing = Sizes(lacking, lambda name: 0)
        return (*blocking(trail.steps, nothing), *_security(trail, opened(trail.before, trail.after_all), findings))
    held = Sizes(lacking, _counter(before))
    losses = row_losses(before, after, trail, frozenset(lacking))
    old, new = tables_of(before), tables_of(after)
    losses += possible_losses(trail.steps, lacking, old, new)
    losses += unlogged(trail.steps, old, new)
    losses += set_back(before, after, trail)
    losses += changed_by_later_calls(before, after, trail)
    rights = _rights(trail, before, after, connected_as)
    return (*losses, *blocking(trail.steps, held), *_security(trail, rights, findings))


def sizes_of(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Rows of every table by the server's own estimate; one that was never analyzed is estimated from its bytes."""
    return {str(name): int(rows) for name, rows in conn.execute(_SIZES).fetchall()}


def _rights(
    trail: Trail, before: psycopg.Connection[Any], after: psycopg.Connection[Any], connected_as: str
) -> list[Opened]:
    old: Facts = with_conditions_evaluated(before, trail.before)
    new: Facts = with_conditions_evaluated(after, trail.after_all)
    found = opened(old, new, connected_as=connected_as)
    return found + newly_seen(before, after, old, new, {one.object for one in found})


def _security(trail: Trail, rights: Iterable[Opened], findings: Iterable[Finding]) -> list[Danger]:
    found = [_danger(one.object, one.detail, _opener(trail, one)) for one in rights]
    for finding in findings:
        if getattr(finding, "rule", None) in SEEN_BY_OWN_RULES:
            continue
        keys = frozenset(key for step in trail.steps for key in step.changed if _is_of(key[1], finding.object))
        found.append(_danger(finding.object, finding.message, trail.last_to_change(keys)))
    return found


def _opener(trail: Trail, found: Opened) -> Statement | None:
    """The first statement after which the same was to be said of the object; else the last that changed its facts."""
    for step in trail.steps:
        if step.changed & found.keys:
            said = opened(trail.before, step.facts)
            if any((one.rule, one.object) == (found.rule, found.object) for one in said):
                return step.statement
    return trail.last_to_change(found.keys)


def _is_of(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(f"{wanted}.") or wanted.startswith(f"{name}.")


def _danger(name: str, detail: str, statement: Statement | None) -> Danger:
    place = (statement.file, statement.line) if statement else (None, None)
    return Danger("security", name, detail, *place)


def _counter(conn: psycopg.Connection[Any]) -> Callable[[str], int]:
    def count(name: str) -> int:
        schema, _, table = name.partition(".")
        row = conn.execute(
            sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(sql.Identifier(schema, table))
        ).fetchone()
        return int(row[0]) if row else 0

    return count
