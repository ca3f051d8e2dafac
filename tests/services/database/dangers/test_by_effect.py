"""Dangers of a run on a real server: the line of each, what is compared although it moved, and sizes by estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import psycopg
import pytest

from services.database.connect import connect
from services.database.dangers.by_effect import Danger, dangers_of, sizes_of
from services.database.dangers.trail import Trail
from services.database.execution import run_sql
from services.database.rehearsal.measure import effects, measure
from services.database.script import Script, read_scripts
from services.database.server import Server
from services.sandbox.postgres import Cluster
from tests.services.database.app_database import APP

Tell = Callable[..., list[Danger]]


@pytest.fixture(scope="module")
def tell(postgres_server: Server, supabase_cluster: Cluster, supabase_template: str) -> Iterator[Tell]:
    """`tell(sql)`: the dangers of a script, each time on a fresh copy of the app's database."""
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE endangered TEMPLATE {supabase_template} OWNER postgres")
        with psycopg.connect(supabase_cluster.dsn("postgres", "endangered"), autocommit=True) as owner:
            owner.execute(APP)

        def told(sql: str, sizes: Mapping[str, int] | None = None) -> list[Danger]:
            admin.execute("DROP DATABASE IF EXISTS endangered_copy WITH (FORCE)")
            admin.execute("CREATE DATABASE endangered_copy TEMPLATE endangered OWNER postgres")
            with connect(supabase_cluster.dsn("postgres", "endangered_copy")) as conn:
                trail = _run(conn, sql)
            with (
                connect(postgres_server.dsn("endangered")) as untouched,
                connect(postgres_server.dsn("endangered_copy")) as changed,
            ):
                return list(dangers_of(trail, untouched, changed, sizes=sizes, connected_as="postgres"))

        yield told
        admin.execute("DROP DATABASE IF EXISTS endangered_copy WITH (FORCE)")
        admin.execute("DROP DATABASE endangered WITH (FORCE)")


def _run(conn: psycopg.Connection, sql: str) -> Trail:
    conn.execute("BEGIN")
    base = before = measure(conn)
    trail = Trail(conn)
    for statement in read_scripts([Script("a.sql", sql)]).statements:
        run_sql(conn, statement.sql)
        after = measure(conn)
        trail.after(statement, effects(base, before, after), 1.0)
        before = after
    conn.execute("COMMIT")
    return trail


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("ALTER TABLE journal_entries ALTER content TYPE varchar(99);", 300),
        ("CREATE INDEX i ON journal_entries (content); CREATE INDEX j ON journal_entries (created_at);"
         " ALTER TABLE journal_entries ALTER content TYPE varchar(99);", 300),
        ("INSERT INTO journal_entries (user_id, content) SELECT user_id, content FROM journal_entries;"
         " ALTER TABLE journal_entries ALTER content TYPE varchar(99);", 600),
    ],
)  # fmt: skip
def test_rows_that_are_rewritten_are_counted_once_however_many_indexes_are_built(
    tell: Tell, sql: str, rows: int
) -> None:
    told = [one.detail for one in tell(sql) if "rewrites its" in one.detail]
    assert [f"rewrites its {rows} rows" in one for one in told] == [True], told


def test_rows_that_a_crash_will_take_are_a_loss(tell: Tell) -> None:
    found = tell("SELECT 1;\nALTER TABLE journal_entries SET UNLOGGED;\nCREATE UNLOGGED TABLE fresh (id int);")
    losses = [(one.object, one.line, "gone after a crash" in one.detail) for one in found if one.danger_class == "loss"]
    assert losses == [("public.journal_entries", 2, True)]


def test_each_danger_has_the_line_of_the_statement_that_did_it(tell: Tell) -> None:
    found = tell(
        "SELECT 1;\nDELETE FROM journal_entries\n WHERE id < 4;\nCREATE INDEX ON users (created_at);\n"
        "DO $$ BEGIN EXECUTE 'GRANT SELECT ON users TO anon'; END $$;\nSELECT setval('journal_entries_id_seq', 2);\n"
    )
    assert [(one.danger_class, one.object, one.line, one.file) for one in found] == [
        ("loss", "public.journal_entries", 3, "a.sql"),
        ("loss", "public.journal_entries_id_seq", 6, "a.sql"),
        ("blocking", "public.users", 4, "a.sql"),
        ("security", "public.users", 5, "a.sql"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE journal_entries RENAME TO entries; ALTER TABLE entries RENAME content TO body;"
        " ALTER TABLE entries SET SCHEMA extensions; UPDATE extensions.entries SET body = body;",
        "CREATE TABLE copied AS TABLE journal_entries; DROP TABLE journal_entries CASCADE;"
        " ALTER TABLE copied RENAME TO journal_entries;",
        "CREATE TEMP TABLE kept AS TABLE journal_entries; DELETE FROM journal_entries;"
        " INSERT INTO journal_entries SELECT * FROM kept;",
        "DROP VIEW moods; ALTER TABLE journal_entries ALTER mood_level TYPE numeric(12,4);",
    ],
)
def test_what_only_moved_is_no_loss(tell: Tell, sql: str) -> None:
    assert [one for one in tell(sql) if one.danger_class == "loss" and "_seq" not in one.object] == []


def test_counts_tell_deleted_from_changed(tell: Tell) -> None:
    found = tell(
        "DELETE FROM users WHERE email < 'person2'; UPDATE users SET email = upper(email) WHERE email > 'person5';"
    )
    assert [one.detail for one in found] == ["Of 40 existing rows 11 are deleted and 5 are changed."]


def test_a_function_left_behind_that_writes_people_again_is_told(tell: Tell) -> None:
    sql = "CREATE FUNCTION {}() RETURNS {} LANGUAGE plpgsql AS $$ BEGIN {} END $$;"
    (found,) = tell("SELECT 1;\n" + sql.format("again", "void", "UPDATE users SET created_at = now();"))
    assert (found.object, found.line) == ("public.again()", 2)
    assert "changes 40 rows of public.users" in found.detail
    undone = "BEGIN UPDATE users SET created_at = now(); RAISE 'no'; EXCEPTION WHEN others THEN NULL; END;"
    assert tell(sql.format("probe", "void", undone)) == []
    assert tell(sql.format("quiet", "void", "UPDATE users SET created_at = now() WHERE email = '';")) == []


def test_after_a_failure_what_was_seen_is_told(postgres_server: Server, supabase_cluster: Cluster, tell: Tell) -> None:
    tell("SELECT 1")
    with connect(supabase_cluster.dsn("postgres", "endangered_copy")) as conn:
        trail = _run(conn, "CREATE INDEX ON journal_entries (user_id);\nGRANT SELECT ON users TO anon;")
    assert [(one.danger_class, one.line) for one in dangers_of(trail)] == [("blocking", 1), ("security", 2)]


def test_sizes_are_estimated_also_before_the_first_analyze(postgres_server: Server, tell: Tell) -> None:
    with connect(postgres_server.dsn("endangered")) as conn:
        conn.execute("ANALYZE public.users")
        sizes = sizes_of(conn)
    assert sizes["public.users"] == 40
    assert 100 < sizes["public.journal_entries"] < 1000


@pytest.mark.parametrize(
    ("sql", "loses"),
    [
        ("ALTER TABLE journal_entries ALTER content TYPE int USING NULL;", True),
        ("ALTER TABLE journal_entries ALTER content TYPE text USING NULL;", True),
        ("ALTER TABLE journal_entries ALTER content TYPE varchar(3) USING left(content, 3);", True),
        ("ALTER TABLE journal_entries ALTER created_at TYPE timestamptz(0);", True),
        (
            "DO $$ BEGIN EXECUTE 'ALTER TABLE journal_entries ALTER content TYPE text USING upper(content)'; END $$;",
            True,
        ),
        ("ALTER TABLE journal_entries ALTER id TYPE numeric;", False),
        ("ALTER TABLE journal_entries ADD made timestamptz DEFAULT clock_timestamp();", False),
    ],
)
def test_values_written_anew_in_a_table_without_its_rows_may_be_lost(tell: Tell, sql: str, loses: bool) -> None:
    found = [one.detail for one in tell(sql, {"public.journal_entries": 4000}) if one.danger_class == "loss"]
    assert [one.startswith("The values of about 4000 rows are written anew") for one in found] == [True] * loses


def test_a_table_that_takes_the_place_of_another_and_numbers_anew_is_told(tell: Tell):
    sql = (
        "CREATE TABLE entries_new (LIKE journal_entries); ALTER TABLE entries_new ALTER id SET NOT NULL,"
        " ALTER id ADD GENERATED BY DEFAULT AS IDENTITY; INSERT INTO entries_new SELECT * FROM journal_entries;\n"
        "DROP VIEW moods; DROP TABLE journal_entries;\nALTER TABLE entries_new RENAME TO journal_entries;"
    ).replace("ALTER id SET NOT NULL,", "ALTER id SET NOT NULL,")
    (one,) = [one for one in tell(sql) if one.danger_class == "loss"]
    assert (one.object, one.line) == ("public.journal_entries_id_seq", 2)
    assert one.detail == "The sequence goes back from 300: its next number is 1, which was given out before."
    kept = f"{sql}\nSELECT setval(pg_get_serial_sequence('journal_entries', 'id'), 300);"
    assert [one for one in tell(kept) if one.danger_class == "loss"] == []
