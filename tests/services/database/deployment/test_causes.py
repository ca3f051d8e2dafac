"""An error that ends the tries names what was behind it, and never itself."""

from __future__ import annotations

import psycopg
import pytest

from services.database.deployment.guarded import Limits, StatementFailed, Watch, with_retries
from services.database.execution import never, silent
from tests.services.database.app_database import Owner


def test_a_statement_that_failed_is_not_its_own_cause(app: Owner):
    behind = psycopg.errors.SyntaxError("no")

    def attempt(_retries: int) -> None:
        raise StatementFailed(None, behind) from behind

    with pytest.raises(StatementFailed) as told:
        with_retries(app.conn, Watch(silent, never, Limits()), "seed", attempt)
    assert told.value.__cause__ is behind
