"""Functions of a release, really called in a real database; nothing of it stays."""

from __future__ import annotations

from typing import Any

import pytest

from services.checks.context import NotTried
from services.checks.standard.functions import Call, function_probe
from services.errors import OpsError
from services.settings import Level
from services.verdict import Finding, Verdict
from tests.services.checks.standard.conftest import SmallApp

GOOD = """
create function adults(at_least int default 18) returns bigint language sql stable
  as $$ select count(*) from public.people where age >= at_least $$;
create function described(p_id text, p_flag boolean, p_many text[], p_at timestamptz)
  returns table (id text, body text) language sql stable as $$ select p_id, 'x'::text $$;
"""
BROKEN = """
create function mismatched() returns table (id text) language plpgsql as $$
  begin return query select age from public.people; end $$;
"""


def probed(app: SmallApp, release: str, deployed: str | None = None) -> Finding:
    app.run(release if deployed is None else deployed)
    return function_probe(app.context(release))


def test_functions_that_answer(small_app: SmallApp) -> None:
    found = probed(small_app, GOOD)
    assert (found.verdict, found.facts["called"]) == (Verdict.PASS, ["adults", "described"])


def test_a_function_that_fails_only_when_it_is_called(small_app: SmallApp) -> None:
    found = probed(small_app, GOOD + BROKEN)
    assert (found.verdict, found.facts["code"]) == (Verdict.FAIL, "42804")
    assert found.facts["failed"][0]["name"] == "mismatched"


def test_a_column_that_nobody_asked_for_is_computed_all_the_same(small_app: SmallApp) -> None:
    release = "create function divided() returns table (a int, b int) language sql stable as $$ select 1, 1 / 0 $$;"
    found = probed(small_app, release)
    assert (found.verdict, found.facts["code"]) == (Verdict.FAIL, "22012")


def test_what_a_function_writes_is_gone(small_app: SmallApp) -> None:
    release = "create function emptied() returns void language plpgsql as $$ begin delete from public.notes; end $$;"
    found = probed(small_app, release)
    assert (found.verdict, found.facts["rolled_back"]) == (Verdict.PASS, True)
    assert small_app.rows("select count(*) from notes") == [(5,)]


def test_a_function_that_refuses_what_we_made_up_is_not_called_broken(small_app: SmallApp) -> None:
    release = """
    create function known(p_id uuid) returns int language plpgsql as $$
      begin raise exception 'no such person: secret words'; end $$;
    """
    found = probed(small_app, release)
    assert (found.verdict, found.facts["unclear"]) == (Verdict.UNKNOWN, {"known": "P0001"})
    assert "secret words" not in str(found)


def test_values_of_rows_are_not_told(small_app: SmallApp) -> None:
    release = """
    create function read_all() returns int language plpgsql as $$
      declare n int; begin select body::int into n from public.notes limit 1; return n; end $$;
    """
    found = probed(small_app, release)
    assert (found.verdict, found.facts["failed"][0]["message"]) == (Verdict.FAIL, "InvalidTextRepresentation")
    assert "private" not in str(found)


def test_a_function_that_acts_outside_the_transaction_is_not_called(small_app: SmallApp) -> None:
    release = """
    create function ended() returns boolean language plpgsql as $$
      begin return pg_terminate_backend(0); end $$;
    """
    found = probed(small_app, release)
    assert (found.verdict, found.facts["skipped"], found.facts["called"]) == (Verdict.UNKNOWN, ["ended"], [])


def test_a_function_that_moves_a_sequence_says_so(small_app: SmallApp) -> None:
    release = """
    create sequence numbers; create function numbered() returns bigint language sql as $$ select nextval('numbers') $$;
    """
    assert probed(small_app, release).facts["sequences_may_advance"] is True


def test_a_function_of_the_release_that_is_missing(small_app: SmallApp) -> None:
    found = probed(small_app, GOOD + BROKEN, deployed=GOOD)
    assert (found.verdict, found.facts["missing"]) == (Verdict.FAIL, ["mismatched"])


def test_before_the_release_there_is_nothing_to_call(small_app: SmallApp) -> None:
    assert function_probe(small_app.context(GOOD)).verdict is Verdict.UNKNOWN


def test_a_release_without_functions_is_not_tried(small_app: SmallApp) -> None:
    with pytest.raises(NotTried, match="no function"):
        function_probe(small_app.context("create table t (id int);"))


def test_a_function_that_waits_for_a_lock_is_unclear(small_app: SmallApp, session: Any) -> None:
    small_app.run(GOOD)
    session.execute("begin")
    session.execute("lock table people in access exclusive mode")
    found = function_probe(small_app.context(GOOD))
    assert (found.verdict, found.facts["unclear"]) == (Verdict.UNKNOWN, {"adults": "55P03"})


@pytest.mark.parametrize(
    ("code", "made_up", "verdict"),
    [
        ("42804", True, Verdict.FAIL),
        ("23503", True, Verdict.UNKNOWN),
        ("23503", False, Verdict.FAIL),
        ("57014", False, Verdict.UNKNOWN),
        ("25006", False, Verdict.UNKNOWN),
        (None, True, Verdict.PASS),
    ],
)
def test_what_a_sqlstate_says_about_a_function(code: str | None, made_up: bool, verdict: Verdict) -> None:
    assert Call("f", code, "", made_up).verdict is verdict


def test_it_needs_the_level_deploy_and_its_address(small_app: SmallApp) -> None:
    from services.checks.standard.functions import SPECS

    assert (SPECS[0].level, SPECS[0].needs, SPECS[0].mutates) == (Level.DEPLOY, ("deploy_url",), False)
    with pytest.raises(OpsError):
        function_probe(small_app.context(GOOD, deploy_url=None, database_url=None))
