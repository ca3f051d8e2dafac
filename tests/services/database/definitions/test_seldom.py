"""The SQL of what the scratch server of the tests cannot make: collations of ICU and of the server's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from services.database.definitions.draft import Draft
from services.database.definitions.seldom import add_collations


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        (
            {"provider": "i", "locale": "und-u-ks-level2", "deterministic": False},
            "provider = icu, locale = 'und-u-ks-level2', deterministic = false",
        ),
        ({"provider": "i", "locale": "de", "rules": "&a < 'g'"}, "provider = icu, locale = 'de', rules = '&a < ''g'''"),
        ({"provider": "b", "locale": "C.UTF-8"}, "provider = builtin, locale = 'C.UTF-8'"),
        ({"provider": "c", "collate": "C", "ctype": "C"}, "provider = libc, lc_collate = 'C', lc_ctype = 'C'"),
    ],
)
def test_a_collation_is_made_with_all_that_it_is(told: dict[str, object], parts: str) -> None:
    usual = {"collate": None, "ctype": None, "locale": None, "rules": None, "deterministic": True}
    draft = Draft()
    add_collations(draft, [SimpleNamespace(oid=1, space="app", name="app.c", owner="ann", **usual | told)])
    definitions = draft.finish()
    assert definitions.by_key["collation app.c"].create == (f"CREATE COLLATION app.c ({parts})",)
    assert definitions.by_key["owner collation app.c"].create == ("ALTER COLLATION app.c OWNER TO ann",)
