"""Knows which policies let every row through although their text is not `true`: their condition is evaluated."""

from __future__ import annotations

from typing import Any

import psycopg

from services.database.dangers.reach import STRANGERS
from services.database.dangers.strangers import acting_as
from services.database.dangers.trail import Facts

_EVALUATE_S = 1


def with_conditions_evaluated(conn: psycopg.Connection[Any], facts: Facts) -> Facts:
    """The facts, with the conditions of policies that need no row replaced by what they come to for a stranger.

    `1 = 1`, or a comparison of the role with itself, is as open as `true`. conn: the superuser's, to the same database.
    """
    known = dict(facts)
    for key, fact in facts.items():
        if key[0] != "policy":
            continue
        roles = [role for role in fact["roles"] if role in STRANGERS]
        for part in ("using", "check"):
            text = fact[part]
            if text is not None and text != "true" and roles and _always(conn, str(text), roles[0]):
                known[key] = {**known[key], part: "true"}
    return known


def _always(conn: psycopg.Connection[Any], condition: str, role: str) -> bool:
    """Whether the condition holds for the role without looking at a row; one that needs columns cannot be asked so."""
    try:
        with acting_as(conn, role, seconds=_EVALUATE_S):
            row = conn.execute(f"SELECT ({condition})".encode()).fetchone()
    except psycopg.Error:
        return False
    return row is not None and row[0] is True
