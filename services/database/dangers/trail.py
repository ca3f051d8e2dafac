"""Knows what each statement of a rehearsal did, in order: its effects, its time, and the rights it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from services.database.fingerprint import bare_search_path
from services.database.rehearsal.measure import StatementEffects
from services.database.script import Statement

Key = tuple[str, str]
"""Topic ("relation", "policy", "role" ...) and the object's name."""
Facts = Mapping[Key, Mapping[str, Any]]

_QUERY = (Path(__file__).parent / "rights.sql").read_text(encoding="utf-8")
_CHANGES_NO_RIGHT = ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "variable_set_stmt", "comment_stmt")


@dataclass(frozen=True, slots=True)
class Step:
    """One statement that ran: its effects, milliseconds on the shadow, the facts that it changed, and all facts then.

    apart: it ran outside the transaction, so that no lock was held over it.
    """

    statement: Statement
    effects: StatementEffects
    ms: float
    changed: frozenset[Key]
    apart: bool
    facts: Facts = field(default_factory=dict)


class Trail:
    """Written while a script runs: made right after BEGIN, told after every statement, on the same connection."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn
        self.steps: list[Step] = []
        self.before: Facts = read_facts(conn)
        self.after_all: Facts = self.before

    def after(self, statement: Statement, effects: StatementEffects, ms: float, *, apart: bool = False) -> None:
        """Note a statement that succeeded. Costs one query over the catalog, none after plain writes of rows."""
        changed: frozenset[Key] = frozenset()
        if statement.kind not in _CHANGES_NO_RIGHT:
            facts = read_facts(self._conn)
            changed = frozenset(key for key in facts.keys() | self.after_all.keys() if _moved(key, facts, self))
            self.after_all = facts
        self.steps.append(Step(statement, effects, ms, changed, apart, self.after_all))

    def first_to_change(self, keys: frozenset[Key]) -> Statement | None:
        """The first statement that changed one of the facts; None where none did."""
        return next((step.statement for step in self.steps if step.changed & keys), None)

    def last_to_change(self, keys: frozenset[Key]) -> Statement | None:
        """The last statement that changed one of the facts; None where none did."""
        return next((step.statement for step in reversed(self.steps) if step.changed & keys), None)


def _moved(key: Key, facts: Facts, trail: Trail) -> bool:
    return facts.get(key) != trail.after_all.get(key)


def read_facts(conn: psycopg.Connection[Any]) -> Facts:
    """Rights of strangers, policies, owners, roles, labels and positions, as the connection's transaction sees them."""
    with bare_search_path(conn):
        return {(str(topic), str(name)): dict(fact) for topic, name, fact in conn.execute(_QUERY).fetchall()}
