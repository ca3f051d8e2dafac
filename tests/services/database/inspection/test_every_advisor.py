"""Every advisor speaks up at its fault, is quiet beside it, and all of the public list are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.database.inspection.advisors import ADVISORS, advise, new_advice, security_findings
from services.database.inspection.finding import KINDS
from tests.services.database.inspection.advisor_cases import CASES, USERS

DOCS = (Path(__file__).resolve().parents[4] / "docs" / "inspection.md").read_text(encoding="utf-8")
OF_TRAFFIC = {"unused-index", "table-bloat"}


@pytest.fixture(scope="module")
def database(base: str, supabase_cluster: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(supabase_cluster.server.dsn("supabase_skeleton"), autocommit=True) as conn:
        yield conn


def broken_rules(conn: psycopg.Connection[Any], rule: str, sql: str) -> set[str]:
    """Objects that break the rule after the change, and did not before."""
    with conn.transaction(force_rollback=True):
        before = advise(conn, live=True, rules={rule})
        conn.execute(sql.encode())
        return {one.object for one in new_advice(before, advise(conn, live=True, rules={rule}))}


def test_there_is_a_case_for_every_rule() -> None:
    assert set(CASES) | OF_TRAFFIC == {one.id for one in ADVISORS}


def test_all_of_the_public_list_are_there_once() -> None:
    numbers = sorted(one.number for one in ADVISORS if one.number)
    assert numbers == [f"{number:04}" for number in range(1, 30) if number != 12]


@pytest.mark.parametrize("rule", CASES)
def test_a_fault_is_seen(database: psycopg.Connection[Any], rule: str) -> None:
    assert len(broken_rules(database, rule, CASES[rule][0])) >= 1


@pytest.mark.parametrize("rule", CASES)
def test_what_is_right_is_left_alone(database: psycopg.Connection[Any], rule: str) -> None:
    assert broken_rules(database, rule, CASES[rule][1]) == set()


def test_dead_rows_and_unused_indexes_are_seen_in_use(base: str, supabase_cluster: Any) -> None:
    with psycopg.connect(supabase_cluster.server.dsn(base), autocommit=True) as conn:
        before = advise(conn, live=True, rules=OF_TRAFFIC)
        conn.execute(
            "CREATE TABLE public.used (id int PRIMARY KEY, a int) WITH (autovacuum_enabled = false);"
            " CREATE INDEX unused ON public.used (a);"
            " INSERT INTO public.used SELECT i, i FROM generate_series(1, 10005) i;"
            " DELETE FROM public.used; SELECT count(*) FROM public.used"
        )
        conn.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
        found = new_advice(before, advise(conn, live=True, rules=OF_TRAFFIC))
        conn.execute("DROP TABLE public.used")
    assert {(one.rule, one.object) for one in found} == {
        ("unused-index", "public.unused"),
        ("table-bloat", "public.used"),
    }


def test_rules_about_speed_are_never_dangers() -> None:
    assert [one.id for one in ADVISORS if one.danger and one.category == "performance"] == []


def test_all_are_quiet_on_an_empty_plain_database(make_database: Any) -> None:
    with psycopg.connect(make_database(), autocommit=True) as conn:
        assert advise(conn, live=True) == []


def test_a_role_that_only_reads_may_ask(database: psycopg.Connection[Any]) -> None:
    with database.transaction(force_rollback=True):
        database.execute(USERS.encode() + b"; CREATE ROLE reads; SET LOCAL ROLE reads")
        assert "rls-off" in {one.rule for one in security_findings(database)}
        assert advise(database, live=True) != []


def test_every_rule_and_kind_is_documented() -> None:
    for one in ADVISORS:
        row = next((line for line in DOCS.splitlines() if line.startswith(f"| `{one.id}` |")), "")
        assert all(part in row for part in (one.level, one.category, one.number)), one.id
    assert [kind for kind in KINDS if f"| `{kind}` |" not in DOCS] == []
