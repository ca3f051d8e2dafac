"""What others do to the catalog while a deploy runs is not taken for its own: a way back would drop it."""

from __future__ import annotations

from typing import Any

import pytest

from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.rollback.roll_back import rollback
from services.errors import Refused
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner, script

GIVEN: dict[str, Any] = {"release_id": "beta", "plan_hash": "h", "actor": "ann", "keep_inverse": True}
THEIRS = "CREATE TABLE others_rows (id int); INSERT INTO others_rows VALUES (1)"
PARTS = """ALTER TABLE users ADD tier int;
CREATE UNIQUE INDEX CONCURRENTLY entry_of ON journal_entries (user_id);
ALTER TABLE users ADD rank int;
"""


def meddling(app: Owner, line: int) -> Listener:
    def meddle(kind: str, payload: dict[str, Any]) -> None:
        if kind == "statement" and payload["state"] == "done" and payload["line"] == line:
            with connect(app.url) as other:
                other.execute(THEIRS)

    return Listener(meddle)


def test_a_table_that_others_make_within_our_transaction_stops_it(app: Owner) -> None:
    change = script(
        "CREATE TABLE mine (id int);\nDO $$ BEGIN CREATE TABLE too (); EXCEPTION WHEN others THEN END $$;\n"
    )
    before = app.fingerprint()
    with pytest.raises(Refused, match=r"relation public\.others_rows"):
        deploy(app.url, change, **GIVEN, emit=meddling(app, 1))
    app.run("DROP TABLE others_rows")
    assert app.fingerprint() == before
    assert deploy(app.url, change, **GIVEN).applied


def test_a_table_that_others_make_between_two_parts_stops_it_there(app: Owner) -> None:
    change = script(PARTS.replace("UNIQUE ", ""))
    with pytest.raises(Refused, match=r"public\.others_rows"):
        deploy(app.url, change, **GIVEN, emit=meddling(app, 2))
    app.run("DROP TABLE others_rows")
    assert deploy(app.url, change, **GIVEN).applied


def test_a_table_that_others_make_while_a_deploy_waits_is_not_dropped_on_the_way_back(app: Owner) -> None:
    change = script(PARTS)
    assert deploy(app.url, change, **GIVEN).state == "begun"
    with pytest.raises(Refused, match="stopped half-way"):
        rollback(app.url, "beta", [], actor="bob", may_copy=False)
    app.run("UPDATE journal_entries SET user_id = id::text")
    app.run(THEIRS)
    with pytest.raises(Refused, match=r"public\.others_rows"):
        deploy(app.url, change, **GIVEN)
    app.run("DROP TABLE others_rows")
    assert deploy(app.url, change, **GIVEN).applied
    app.run(THEIRS)
    back = rollback(app.url, "beta", [], actor="bob", may_copy=False)
    assert app.value("SELECT count(*) FROM others_rows") == 1
    assert back.verdict is Verdict.FAIL, "the catalog is not the one before, as their table is there"


def test_a_half_that_is_not_gone_on_with_is_told_of_by_the_next_plan_and_by_its_rollback(app: Owner) -> None:
    assert deploy(app.url, script(PARTS), **GIVEN).state == "begun"
    anew, heard = Listener(), Listener()
    other = script("ALTER TABLE users ADD rank int")
    assert deploy(app.url, other, **{**GIVEN, "plan_hash": "i"}, emit=anew).applied
    assert "stopped half-way" in str(anew.of("notice"))
    assert rollback(app.url, "beta", [], actor="bob", may_copy=False, emit=heard).verdict is Verdict.PASS
    assert "a rollback leaves it in" in str(heard.of("notice"))
    assert app.value("SELECT count(tier) FROM users") == 0
