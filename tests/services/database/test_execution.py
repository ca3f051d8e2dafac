"""Sending one statement: what libpq would cut off without a word is never sent."""

from __future__ import annotations

import pytest

from services.database.execution import run_sql
from services.errors import NotUnderstood
from tests.services.database.app_database import Owner


def test_a_zero_byte_is_refused_before_anything_is_sent(app: Owner) -> None:
    with pytest.raises(NotUnderstood, match="zero byte"):
        run_sql(app.conn, "CREATE TABLE cut_off (a bigint) \0 DROP TABLE cut_off")
    assert app.conn.execute("SELECT to_regclass('cut_off')").fetchone() == (None,)
