"""What a change takes is kept, told by effect; what it only adds to or moves is not copied."""

from __future__ import annotations

import pytest
from psycopg.sql import Identifier

from services.database.rollback.restoring import restore
from services.database.snapshots.keep import Cover
from services.database.snapshots.restore import NotAsKept
from services.database.snapshots.snapshot import text_hash
from services.errors import Refused
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change


def kept(app: Owner) -> list[tuple[str, str, int]]:
    return app.run("SELECT kind, table_name, row_count FROM ops.snapshot_parts ORDER BY part")


def altered(app: Owner, table: str) -> list[tuple[str, list[str], int]]:
    name = app.value(f"SELECT after_name FROM ops.snapshot_parts WHERE table_name = '{table}'")
    return app.run(f'SELECT "ops what", "ops key", "ops n" FROM ops.{name} ORDER BY 1, 2')


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        ("DELETE FROM users WHERE email LIKE 'person1%'", [("table", "users", 40)]),
        ("DO $$ BEGIN EXECUTE 'UPDATE users SET email = upper(email)'; END $$", [("table", "users", 40)]),
        ("WITH d AS (DELETE FROM users RETURNING 1) SELECT count(*) FROM d", [("table", "users", 40)]),
        ("ALTER TABLE users DROP COLUMN created_at", [("column", "users", 40)]),
        ("DO $$ BEGIN ALTER TABLE users DROP COLUMN created_at; END $$", [("column", "users", 40)]),
        ("ALTER TABLE users RENAME COLUMN created_at TO since", []),
        ("ALTER TABLE users DROP COLUMN id", [("table", "users", 40)]),
        ("ALTER TABLE users ALTER created_at TYPE date", [("table", "users", 40)]),
        ("ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid()", []),
        ("CREATE TABLE fresh (id int); INSERT INTO fresh VALUES (1); DELETE FROM fresh", []),
        ("INSERT INTO journal_entries (user_id) VALUES ('new')", [("inserted", "journal_entries", 0)]),
    ],
)  # fmt: skip
def test_what_goes_is_kept_and_nothing_else(app: Owner, sql: str, parts: list[tuple[str, str, int]]):
    change(app.url, sql)
    assert kept(app) == parts


def test_what_statements_name_is_kept_in_the_first_round_and_what_they_hide_in_the_second(app: Owner):
    first: list[Cover] = []
    change(app.url, "DELETE FROM users", rounds=first)
    second: list[Cover] = []
    change(app.url, "DO $$ BEGIN DELETE FROM journal_entries; END $$", rounds=second)
    assert (len(first), len(second)) == (1, 2)


def test_a_rewrite_that_only_adds_does_not_hide_a_truncate_before_it(app: Owner):
    change(
        app.url, "DO $$ BEGIN TRUNCATE users; END $$; ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid()"
    )
    assert kept(app) == [("table", "users", 40)]


def test_only_the_rows_that_a_change_altered_are_kept_as_they_became(app: Owner):
    change(
        app.url,
        "UPDATE journal_entries SET content = 'x' WHERE id = 5; DELETE FROM journal_entries WHERE id = 7;"
        "INSERT INTO journal_entries (id, user_id) VALUES (999, 'new');"
        "UPDATE journal_entries SET id = id WHERE id = 9",
    )
    assert altered(app, "journal_entries") == [("changed", ["5"], 1), ("deleted", ["7"], 1), ("inserted", ["999"], 1)]


def test_rows_without_a_key_are_told_apart_by_counting_equal_ones(app: Owner):
    app.run("CREATE TABLE loose (note text); INSERT INTO loose VALUES ('a'), ('a'), ('a'), ('b'), (NULL)")
    change(app.url, "DELETE FROM loose WHERE ctid IN (SELECT ctid FROM loose WHERE note = 'a' LIMIT 2);"
           "INSERT INTO loose VALUES ('c'), (NULL)")  # fmt: skip
    assert sorted((what, n) for what, _, n in altered(app, "loose")) == [("fewer", 2), ("more", 1), ("more", 1)]


def test_only_rows_of_the_change_count_as_added_by_it(app: Owner):
    with app.conn.transaction():
        app.run("INSERT INTO journal_entries (id, user_id) VALUES (1000, 'before')")
    change(app.url, "DO $$ BEGIN INSERT INTO journal_entries (id, user_id) VALUES (1001, 'a');"
           " BEGIN INSERT INTO journal_entries (id, user_id) VALUES (1002, 'b'); EXCEPTION WHEN others THEN NULL; END;"
           "END $$")  # fmt: skip
    assert altered(app, "journal_entries") == [("inserted", ["1001"], 1), ("inserted", ["1002"], 1)]


def test_rows_that_row_security_hides_from_their_owner_are_kept_too(app: Owner):
    app.run("ALTER TABLE users ENABLE ROW LEVEL SECURITY; ALTER TABLE users FORCE ROW LEVEL SECURITY;"
            "CREATE POLICY few ON users USING (email LIKE 'person1%')")  # fmt: skip
    change(app.url, "DELETE FROM users")
    assert kept(app) == [("table", "users", 40)]
    assert app.value("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'users'")


def test_what_is_kept_is_reachable_by_nobody_else(app: Owner):
    app.run("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon, PUBLIC")
    change(app.url, "DELETE FROM users WHERE email LIKE 'person1%'")
    open_to = app.run(
        "SELECT relname, relacl FROM pg_class c, aclexplode(relacl) x"
        " WHERE relnamespace = 'ops'::regnamespace AND x.grantee <> c.relowner"
    )
    assert open_to == []


def test_the_same_value_is_kept_the_same_under_any_setting(app: Owner):
    app.run("CREATE DOMAIN moment AS timestamptz; CREATE TABLE t (id int PRIMARY KEY, at moment, f float8);"
            "INSERT INTO t VALUES (1, '2026-03-01 12:00+00', 0.1::float8 + 0.2)")  # fmt: skip
    change(app.url, "SET timezone = 'Asia/Tokyo'; SET extra_float_digits = 0; DELETE FROM t; SHOW timezone")
    copy = app.value("SELECT copy_name FROM ops.snapshot_parts")
    assert app.run(f"SELECT at, f = 0.1::float8 + 0.2 FROM ops.{copy}") == [("2026-03-01 12:00:00+00", True)]


def test_what_cannot_be_counted_is_refused(app: Owner, make_supabase_database, postgres_server):
    admin = Owner(postgres_server.dsn(app.url.rsplit("/", 1)[1]))
    with pytest.raises(Refused, match="track_counts"):
        change(admin.url, "SET track_counts = off; DELETE FROM users")
    admin.conn.close()
    assert app.value("SELECT count(*) FROM users") == 40


def test_a_copy_that_an_older_version_proved_is_known_again_and_one_that_was_altered_is_not(app: Owner):
    rows = app.rows()
    taken = change(app.url, "DELETE FROM journal_entries;")
    copy = app.value("SELECT copy_name FROM ops.snapshot_parts")
    assert taken.snapshot_id is not None
    columns = app.value("SELECT columns FROM ops.snapshot_parts")
    old = text_hash(app.conn, Identifier("ops", copy), columns, like="0" * 32)
    assert not old.digest.startswith("x")
    app.run(f"UPDATE ops.snapshot_parts SET row_digest = '{old.digest}'")
    app.run(f"UPDATE ops.{copy} SET mood_level = mood_level + 1 WHERE id = 7")
    with pytest.raises(NotAsKept):
        restore(app.url, taken.snapshot_id)
    app.run(f"UPDATE ops.{copy} SET mood_level = mood_level - 1 WHERE id = 7")
    restore(app.url, taken.snapshot_id)
    assert app.rows() == rows


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ('id int PRIMARY KEY, "ops what" int', "'ops what'"),
        (", ".join(f"c{i} bool" for i in range(1599)), "1597 columns"),
    ],
)
def test_what_no_copy_can_be_made_of_is_said_in_words(app: Owner, columns: str, why: str):
    app.run(f"CREATE TABLE t ({columns}); INSERT INTO t DEFAULT VALUES" if "id" not in columns else
            f"CREATE TABLE t ({columns}); INSERT INTO t VALUES (1, 1)")  # fmt: skip
    with pytest.raises(Refused, match=rf"public\.t has .*{why}.*: its rows cannot be kept"):
        change(app.url, "DELETE FROM t")
    assert app.value("SELECT count(*) FROM t") == 1
