"""The address that is filled in gets the reading role and the password that was made with its SQL, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.panels import reader_role
from dashboard.panels.reader_role import Draft, filled_in, forget
from services.errors import NotUnderstood


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    kept: dict[str, Any] = {"draft-reader-production": Draft("CREATE ROLE", "made-here/1")}
    monkeypatch.setattr(reader_role.st, "session_state", kept)
    return kept


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        (
            "postgresql://postgres.abcdefghijklmnopqrst:[YOUR-PASSWORD]@aws-0-eu-west-1.pooler.example:5432/postgres",
            "postgresql://ops_reader.abcdefghijklmnopqrst:made-here%2F1@aws-0-eu-west-1.pooler.example:5432/postgres",
        ),
        (
            "postgresql://postgres:@127.0.0.1:5432/postgres",
            "postgresql://ops_reader:made-here%2F1@127.0.0.1:5432/postgres",
        ),
        ("postgres://ops_reader@127.0.0.1/postgres", "postgres://ops_reader:made-here%2F1@127.0.0.1/postgres"),
        ("postgresql://reader:own-word@127.0.0.1/postgres", "postgresql://reader:own-word@127.0.0.1/postgres"),
        ("postgresql://reader:p@ss:word@127.0.0.1/postgres", "postgresql://reader:p@ss:word@127.0.0.1/postgres"),
        ("no address at all", "no address at all"),
    ],
)
def test_an_address_without_a_password_gets_the_one_that_was_made(
    session: dict[str, Any], pasted: str, kept: str
) -> None:
    assert filled_in("production", pasted) == kept


def test_without_the_sql_an_address_that_wants_a_password_is_refused(session: dict[str, Any]) -> None:
    forget("production")
    with pytest.raises(NotUnderstood, match="holds no password"):
        filled_in("production", "postgresql://postgres:[YOUR-PASSWORD]@127.0.0.1/postgres")
    assert session == {}


def test_the_password_is_in_no_repr() -> None:
    assert "made-here" not in repr(Draft("CREATE ROLE", "made-here/1"))
