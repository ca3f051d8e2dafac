"""The proof of the reading role: what it tells of a good one, and of each way in which one is not what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.app_definition import AppDefinition, load_app
from services.connecting.reader_catalog import Relation
from services.connecting.reader_proof import judged_rows, prove_reader
from services.connecting.reader_role import reader_role_sql, take_back_sql
from services.connecting.seen import Seen
from services.database.connect import connect
from services.database.server import Server
from services.errors import Refused, Unavailable
from services.sandbox.postgres import OWNER, SKELETON, Cluster
from services.verdict import Verdict

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "a-password-of-the-tests"
SHUT = "revoke select (content) on journal_entries from ops_reader"
WORDS = "Nobody but me should ever read this line"
SCHEMA = Path(__file__).resolve().parents[3] / "apps/pulsecheck/twin/schema.sql"
ROWS = f"""
insert into users (email, name) select 'person' || i || '@example.com', 'Person ' || i from generate_series(1, 60) i;
insert into journal_entries (user_id, content, mood_level, energy_level, stress_level)
  select 'user_123', '{WORDS}', 5, 5, 5 from generate_series(1, 300);
create function keep() returns trigger language plpgsql as $$ begin raise exception 'a trigger was fired'; end $$;
create trigger keep before insert or update or delete on users for each statement execute function keep();
analyze users, journal_entries;
"""


class Proved:
    """A small database of the app, its owner, and what the proof tells through the reader's address."""

    def __init__(self, owner: str, admin: str, app: AppDefinition) -> None:
        self.owner, self.admin, self.app = connect(owner), connect(admin), app
        self.reader = owner.replace("//postgres:postgres-pw@", f"//ops_reader:{PASSWORD}@")

    def run(self, text: str) -> None:
        self.owner.execute(text.encode())

    @contextmanager
    def changed(self, given: str, taken: str) -> Iterator[None]:
        """The change holds in the block."""
        self.admin.execute(f"set search_path = public; {given}".encode())
        try:
            yield
        finally:
            self.admin.execute(taken.encode())

    def prove(self, url: str | None = None, *, now: datetime = NOW, **given: Any) -> dict[str, Seen]:
        return {one.what: one for one in prove_reader(url or self.reader, self.app, now, **given)}


@pytest.fixture(scope="module")
def proved(postgres_server: Server, supabase_cluster: Cluster) -> Iterator[Proved]:
    """One database in which the reader was made; every test puts back what it changed."""
    name = "reader_proved"
    with connect(postgres_server.dsn()) as admin:
        admin.execute(f"create database {name} template {SKELETON} owner postgres".encode())
        one = Proved(supabase_cluster.dsn(OWNER, name), postgres_server.dsn(name), load_app("pulsecheck"))
        one.run("set search_path = public;" + SCHEMA.read_text(encoding="utf-8") + ROWS)
        one.run(reader_role_sql(one.app, password=PASSWORD))
        try:
            yield one
        finally:
            one.owner.close()
            one.admin.close()
            admin.execute(f"drop database {name} with (force)".encode())
            admin.execute("drop role ops_reader")


def test_of_a_good_reader_everything_passes(proved: Proved) -> None:
    seen = proved.prove()
    assert {one.verdict for one in seen.values()} == {Verdict.PASS}, seen
    assert seen["rows"].text == "Read through this role: 60 rows of users, 300 rows of journal_entries."
    assert "journal_entries.content" in seen["private columns"].text
    assert "was refused by rights (42501), in a session that was allowed to write" in seen["a write"].text
    assert "advisory locks" in seen["what it can still do"].text
    assert "temporary tables" in seen["what it can still do"].text


def test_nothing_of_what_people_wrote_is_told(proved: Proved) -> None:
    with proved.changed("grant select (content) on journal_entries to ops_reader", SHUT):
        assert WORDS not in str(proved.prove())


def test_trying_leaves_nothing_behind_and_fires_no_trigger(proved: Proved) -> None:
    """Even where the write would have gone through."""
    count = "select count(*), max(updated_at) from users"
    before = proved.owner.execute(count.encode()).fetchone()
    with proved.changed(
        "grant insert, update, delete on users, journal_entries to ops_reader",
        "revoke insert, update, delete on users, journal_entries from ops_reader",
    ):
        seen = proved.prove()
    assert seen["a write"].verdict is Verdict.FAIL
    assert proved.owner.execute(count.encode()).fetchone() == before


WIPE = "create function wipe() returns void language sql security definer as 'delete from users'"
FEEDBACK = "create table ai_feedback (id uuid, user_id text); alter table ai_feedback owner to postgres"


@pytest.mark.parametrize(
    ("broken", "mended", "what", "told"),
    [
        ("grant update (email) on users to ops_reader", "revoke update (email) on users from ops_reader",
         "a write", "may write to users"),
        ("grant insert on checkins to public", "revoke insert on checkins from public",
         "a write", "may write to checkins"),
        ("grant create on schema public to ops_reader", "revoke create on schema public from ops_reader",
         "a write", "may write to schema public"),
        ("grant select (content) on journal_entries to ops_reader", SHUT, "private columns", "journal_entries.content"),
        ("grant select on checkins to public", "revoke select on checkins from public",
         "private columns", "checkins.note"),
        ("alter table journal_entries enable row level security",
         "alter table journal_entries disable row level security", "rows",
         "0 rows of journal_entries are seen where the catalog estimates 300: row-level security hides them (blind)"),
        ("alter table users enable row level security; create policy few on users using (email like 'person1%')",
         "drop policy few on users; alter table users disable row level security",
         "rows", "11 rows of users are seen where the catalog estimates 60: row-level security hides the others"),
        (FEEDBACK, "drop table ai_feedback",
         "grants", "Grants are missing for 1 table or view: ai_feedback. Run its SQL again."),
        ("revoke select (mood_level) on journal_entries from ops_reader",
         "grant select (mood_level) on journal_entries to ops_reader", "grants", "journal_entries"),
        ("revoke usage on schema public from public, ops_reader",
         "grant usage on schema public to public, ops_reader", "grants", "Grants are missing for 2"),
        (WIPE, "drop function wipe()", "what it can still do", "wipe, which run with their owner's rights"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(proved: Proved, broken: str, mended: str, what: str, told: str) -> None:
    with proved.changed(broken, mended):
        seen = proved.prove()[what]
    assert seen.verdict is Verdict.FAIL, seen
    assert told in seen.text


@pytest.mark.parametrize(
    ("broken", "mended", "what"),
    [
        ("alter table journal_entries enable row level security",
         "drop policy ops_reader_reads on journal_entries; alter table journal_entries disable row level security",
         "rows"),
        (FEEDBACK, "drop table ai_feedback", "grants"),
        (WIPE + "; alter function wipe() owner to postgres", "drop function wipe()", "what it can still do"),
    ],
)  # fmt: skip
def test_run_again_its_sql_mends_it(proved: Proved, broken: str, mended: str, what: str) -> None:
    with proved.changed(broken, mended):
        wrong = proved.prove()[what].verdict
        proved.run(reader_role_sql(proved.app))
        assert (wrong, proved.prove()[what].verdict) == (Verdict.FAIL, Verdict.PASS)


def test_a_policy_that_is_no_longer_needed_goes(proved: Proved) -> None:
    """Policies of a table without row-level security are a finding of their own."""
    for change in ("enable", "disable"):
        proved.run(f"alter table users {change} row level security")
        proved.run(reader_role_sql(proved.app))
    found = proved.owner.execute("select count(*) from pg_policy where polname = 'ops_reader_reads'").fetchone()
    assert found == (0,)


@pytest.mark.parametrize(
    ("given", "taken", "verdict", "told"),
    [
        ("alter role ops_reader superuser", "alter role ops_reader nosuperuser", Verdict.FAIL, "is a superuser"),
        ("alter role ops_reader createrole", "alter role ops_reader nocreaterole", Verdict.FAIL, "may make roles"),
        ("alter role ops_reader bypassrls", "alter role ops_reader nobypassrls", Verdict.PASS,
         "passes by row-level security: it could do more than needed"),
        ("grant pg_monitor to ops_reader", "revoke pg_monitor from ops_reader", Verdict.PASS,
         "is a member of pg_monitor: it could do more than needed"),
        ("alter table checkins owner to ops_reader", "alter table checkins owner to postgres", Verdict.FAIL,
         "owns 1 objects"),
    ],
)  # fmt: skip
def test_a_role_that_is_more_than_it_should_be_is_told(
    proved: Proved, given: str, taken: str, verdict: Verdict, told: str
) -> None:
    with proved.changed(given, taken):
        seen = proved.prove()["the role"]
    assert (seen.verdict, told in seen.text) == (verdict, True), seen


def test_a_password_that_soon_ends_is_told(proved: Proved) -> None:
    ends = datetime.now(UTC) + timedelta(days=30)
    with proved.changed(
        f"alter role ops_reader valid until '{ends.isoformat()}'", "alter role ops_reader valid until 'infinity'"
    ):
        early, late = (proved.prove(now=ends - timedelta(days=days))["the role"] for days in (20, 13))
    assert proved.prove()["the role"].verdict is Verdict.PASS
    assert (early.verdict, late.verdict) == (Verdict.PASS, Verdict.UNKNOWN)
    assert f"ends on {ends:%Y-%m-%d}" in late.text


def test_what_belongs_to_it_is_not_dropped_with_it(proved: Proved) -> None:
    with (
        proved.changed("alter table checkins owner to ops_reader", "alter table checkins owner to postgres"),
        pytest.raises(psycopg.errors.RaiseException, match=r"owns table .*checkins, which would be dropped"),
    ):
        proved.run(take_back_sql())
    assert proved.prove()["the role"].verdict is Verdict.PASS


def test_the_owner_is_no_reader(proved: Proved) -> None:
    seen = proved.prove(proved.reader.replace(f"ops_reader:{PASSWORD}", "postgres:postgres-pw"))
    failed = {one.what for one in seen.values() if one.verdict is Verdict.FAIL}
    assert failed == {"private columns", "a write", "the role"}


def test_rows_are_compared_with_what_another_way_counted(proved: Proved) -> None:
    assert proved.prove(counted={"users": 60})["rows"].verdict is Verdict.PASS
    seen = proved.prove(counted={"users": 61})["rows"]
    assert seen.verdict is Verdict.UNKNOWN
    assert "60 rows of users are seen and 61 were counted another way" in seen.text
    with proved.changed("alter table users enable row level security", "alter table users disable row level security"):
        seen = proved.prove(counted={"users": 61})["rows"]
    assert seen.verdict is Verdict.FAIL
    assert "0 of 61 rows of users are seen" in seen.text


def test_an_empty_database_proves_nothing(make_supabase_database: Callable[[], Any]) -> None:
    made = make_supabase_database()
    seen = prove_reader(made.read_only, load_app("pulsecheck"), NOW)
    assert {one.verdict for one in seen[:4]} == {Verdict.UNKNOWN}


def test_a_wrong_password_is_a_sentence(proved: Proved) -> None:
    with pytest.raises(Refused, match="refused the password"):
        proved.prove(proved.reader.replace(PASSWORD, "wrong"))


def test_a_connection_that_is_lost_on_the_way_is_a_sentence(proved: Proved, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(conn: psycopg.Connection[Any], *_: object) -> list[Any]:
        proved.admin.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))
        return conn.execute("select 1").fetchall()

    monkeypatch.setattr("services.connecting.reader_proof.relations", lose)
    with pytest.raises(Unavailable, match="could not be tried to the end"):
        proved.prove()


TABLE = Relation("public.users", False, 60, 8192, True, False, (), "id", ())


@pytest.mark.parametrize(
    ("changes", "rows", "counted", "verdict"),
    [
        ({}, 60, None, Verdict.PASS),
        ({}, 0, None, Verdict.PASS),
        ({"hides": True}, 0, None, Verdict.FAIL),
        ({"hides": True}, 12, None, Verdict.FAIL),
        ({"hides": True}, 59, None, Verdict.UNKNOWN),
        ({"hides": True}, 60, 60, Verdict.PASS),
        ({"hides": True, "estimate": -1}, 0, None, Verdict.UNKNOWN),
        ({"hides": True, "estimate": -1, "bytes": 0}, 0, None, Verdict.PASS),
        ({}, 59, 60, Verdict.UNKNOWN),
        ({"hides": True}, 59, 60, Verdict.FAIL),
        ({}, 61, 60, Verdict.PASS),
    ],
)
def test_rows_are_judged_by_what_stands_between(
    changes: dict[str, Any], rows: int, counted: int | None, verdict: Verdict
) -> None:
    assert judged_rows(replace(TABLE, **changes), rows, counted)[0] is verdict
