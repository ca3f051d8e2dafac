"""Knows how to act as a stranger in a database: a role from outside, signed in as somebody who has nothing there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

_NOBODY = "00000000-0000-4000-8000-0000000000ff"


@contextmanager
def acting_as(conn: psycopg.Connection[Any], role: str, *, seconds: float) -> Iterator[None]:
    """Within: the role, with the claims that the REST server would leave for it; all is rolled back.

    conn: the superuser's. seconds: how long a statement may take. "public" is nobody in particular.
    """
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(round(seconds * 1000))))
        if role != "public":
            claims = {"role": role} | ({"sub": _NOBODY} if role == "authenticated" else {})
            conn.execute("SELECT pg_catalog.set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
            conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        yield
