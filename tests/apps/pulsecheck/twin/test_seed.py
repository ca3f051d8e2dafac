"""Production before the release: what is in it, and that the same seed gives the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from apps.pulsecheck.twin import TWIN

ANCHOR = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TABLES = ("users", "checkins", "ai_analyses", "journal_entries")


def seeded(make_supabase_database: Callable[[], Any], anchor: datetime = ANCHOR, number: int = 7) -> str:
    address: str = make_supabase_database().owner
    with psycopg.connect(address) as conn:
        TWIN.seed(conn, anchor, number)
    return address


@pytest.fixture
def conn(make_supabase_database: Callable[[], Any]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(seeded(make_supabase_database), autocommit=True) as opened:
        yield opened


def rows(conn: psycopg.Connection, statement: str) -> list[tuple[Any, ...]]:
    return conn.execute(statement.encode()).fetchall()


def contents(address: str) -> dict[str, bytes]:
    found = {}
    with psycopg.connect(address) as conn:
        for table in TABLES:
            with conn.cursor().copy(f"copy (select * from {table} order by id) to stdout".encode()) as copy:
                found[table] = b"".join(bytes(part) for part in copy)
    return found


def test_sixty_people_and_about_three_thousand_entries_of_thirty_days(conn: psycopg.Connection) -> None:
    assert rows(conn, "select count(*) from users") == [(60,)]
    ((entries, oldest, newest),) = rows(conn, "select count(*), min(created_at), max(created_at) from journal_entries")
    assert 2500 < entries < 3500
    assert ANCHOR - timedelta(days=30) <= oldest < newest <= ANCHOR
    assert newest > ANCHOR - timedelta(hours=12)


def test_user_ids_of_entries_are_of_three_kinds(conn: psycopg.Connection) -> None:
    kinds = rows(
        conn,
        "select case when user_id = 'user_123' then 'caller' when user_id like '%@example.com' then 'e-mail'"
        " when user_id::uuid is not null then 'uuid' end, count(*) from journal_entries group by 1 order by 1",
    )
    assert [kind for kind, _ in kinds] == ["caller", "e-mail", "uuid"]
    assert all(count >= 20 for _, count in kinds)
    ((kind,),) = rows(
        conn,
        "select format_type(atttypid, null) from pg_attribute"
        " where attrelid = 'journal_entries'::regclass and attname = 'user_id'",
    )
    assert kind == "character varying"


def test_some_joined_within_thirty_days_and_some_before(conn: psycopg.Connection) -> None:
    ((recent, others),) = conn.execute(
        "select count(*) filter (where created_at > %s), count(*) filter (where created_at <= %s) from users",
        [ANCHOR - timedelta(days=30)] * 2,
    ).fetchall()
    assert (recent, others) == (18, 42)


def test_addresses_are_of_example_com(conn: psycopg.Connection) -> None:
    assert rows(conn, "select count(*) from users where email not like '%@example.com'") == [(0,)]


def test_row_level_security_is_off_and_the_app_may_write(conn: psycopg.Connection) -> None:
    assert rows(conn, "select count(*) from pg_class where relrowsecurity and relname = 'journal_entries'") == [(0,)]
    conn.execute("set role anon")
    conn.execute(
        "insert into journal_entries (user_id, content, mood_level, energy_level, stress_level)"
        " values ('user_123', 'something', 5, 5, 5)"
    )


def test_the_owner_owns_all_and_is_no_superuser(conn: psycopg.Connection) -> None:
    assert rows(conn, "select distinct tableowner from pg_tables where schemaname = 'public'") == [("postgres",)]


def test_the_same_seed_gives_the_same_bytes(make_supabase_database: Callable[[], Any]) -> None:
    assert contents(seeded(make_supabase_database)) == contents(seeded(make_supabase_database))


@pytest.mark.parametrize(("anchor", "number"), [(ANCHOR + timedelta(days=1), 7), (ANCHOR, 8)])
def test_another_seed_or_time_gives_others(
    make_supabase_database: Callable[[], Any], anchor: datetime, number: int
) -> None:
    assert contents(seeded(make_supabase_database)) != contents(seeded(make_supabase_database, anchor, number))


def test_it_is_quick(make_supabase_database: Callable[[], Any]) -> None:
    with psycopg.connect(make_supabase_database().owner) as conn:
        began = time.process_time()
        TWIN.seed(conn, ANCHOR, 7)
        assert time.process_time() - began < 0.5
