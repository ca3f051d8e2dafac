"""Names and texts as SQL: each comes back from the server as it was, whatever its settings."""

from __future__ import annotations

import pytest

from services.database.names import identifier, literal
from tests.services.database.app_database import Owner

HARD = ["", "it's", "a\\b'c", "\\", "''", "é\n--", "$$", "E'x'"]


@pytest.mark.parametrize("conforming", ["on", "off"])
def test_a_text_comes_back_as_it_was(app: Owner, conforming: str) -> None:
    app.run(f"SET standard_conforming_strings = {conforming}; SET backslash_quote = off")
    assert [app.value(f"SELECT {literal(text)}") for text in HARD] == HARD


def test_a_name_comes_back_as_it_was(app: Owner) -> None:
    name = 'a "quoted" Name.with dots'
    app.run(f"CREATE TABLE {identifier('public', name)} ()")
    assert (
        app.value(f"SELECT relname FROM pg_class WHERE oid = to_regclass({literal(identifier('public', name))})")
        == name
    )
