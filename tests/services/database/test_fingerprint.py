"""The fingerprint changes with every fact of the catalog and with nothing else; row hashes with every value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.database.fingerprint import Fingerprint, catalog_fingerprint, difference, row_hash
from tests.services.database.app_database import APP, Owner

CHANGES = {
    "column": "ALTER TABLE users ADD COLUMN x int",
    "type": "ALTER TABLE journal_entries ALTER content TYPE varchar(90)",
    "default": "ALTER TABLE users ALTER email SET DEFAULT ''",
    "not null": "ALTER TABLE users ALTER email DROP NOT NULL",
    "constraint": "ALTER TABLE users ADD CHECK (email <> '') NOT VALID",
    "index": "CREATE INDEX ON users (created_at)",
    "function": "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "function's setting": "ALTER FUNCTION f() SET search_path = ''",
    "function's rights": "REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC",
    "view": "CREATE OR REPLACE VIEW moods AS SELECT user_id, 1.5 + id AS mood FROM journal_entries",
    "view's option": "ALTER VIEW moods SET (security_invoker = true)",
    "policy": "CREATE POLICY p ON users USING (true)",
    "row-level security": "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
    "trigger": "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION tf()",
    "disabled trigger": "ALTER TABLE journal_entries DISABLE TRIGGER t",
    "enum value": "ALTER TYPE level ADD VALUE 'middle'",
    "sequence": "ALTER SEQUENCE journal_entries_id_seq INCREMENT 5",
    "grant": "GRANT SELECT ON users TO anon",
    "column grant": "GRANT SELECT (email) ON users TO anon",
    "default right": "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon",
    "comment": "COMMENT ON COLUMN users.email IS 'x'",
    "schema": "CREATE SCHEMA other",
    "identity": "ALTER TABLE numbered ALTER id DROP IDENTITY",
    "rule": "CREATE RULE r AS ON DELETE TO users DO INSTEAD NOTHING",
    "disabled rule": "ALTER TABLE numbered DISABLE RULE kept",
    "option of long values": "ALTER TABLE users SET (toast.autovacuum_enabled = false)",
    "rule's comment": "COMMENT ON RULE kept ON numbered IS 'x'",
    "aggregate": "CREATE OR REPLACE AGGREGATE added (int) (sfunc = int4pl, stype = int, initcond = '1')",
    "statistics": "CREATE STATISTICS st ON user_id, content FROM journal_entries",
    "statistics target": "ALTER TABLE users ALTER email SET STATISTICS 900",
    "statistics target of its own": "ALTER STATISTICS both_columns SET STATISTICS 900",
    "compression": "ALTER TABLE users ALTER email SET COMPRESSION pglz",
    "column's option": "ALTER TABLE users ALTER email SET (n_distinct = 5)",
    "collation": 'CREATE COLLATION other_letters FROM "C"',
    "domain's collation": "CREATE DOMAIN d AS text COLLATE letters",
    "text search configuration": "CREATE TEXT SEARCH CONFIGURATION other_words (COPY = simple)",
    "text search mapping": "ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR word WITH short",
    "text search dictionary": "ALTER TEXT SEARCH DICTIONARY short (accept = false)",
    "operator": "CREATE OPERATOR =~= (leftarg = int, rightarg = int, function = int4eq)",
    "operator dropped": "DROP OPERATOR === (int, int)",
    "operator's estimator": "ALTER OPERATOR === (int, int) SET (restrict = eqsel)",
    "operator class": "CREATE OPERATOR CLASS ops FOR TYPE level USING hash AS STORAGE level",
    "operator family's member": "ALTER OPERATOR FAMILY kin USING btree ADD FUNCTION 1 (int2, int4) btint24cmp",
    "cast": "CREATE CAST (text AS level) WITH INOUT",
    "foreign server": "ALTER SERVER far OPTIONS (SET host 'b')",
    "foreign server's rights": "GRANT USAGE ON FOREIGN SERVER far TO anon",
    "foreign table": "ALTER FOREIGN TABLE there OPTIONS (ADD n '1')",
    "foreign data wrapper": "CREATE FOREIGN DATA WRAPPER another",
    "table of a type": "ALTER TABLE typed NOT OF",
    "publication's filter": "ALTER PUBLICATION news SET TABLE users WHERE (id IS NOT NULL)",
    "publication's columns": "ALTER PUBLICATION news SET TABLE users (id)",
    "publication's comment": "COMMENT ON PUBLICATION news IS 'x'",
    "comment on what has no other facts": "COMMENT ON COLLATION letters IS 'x'",
}
BASE = """
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON journal_entries FOR EACH ROW EXECUTE FUNCTION tf();
CREATE TYPE level AS ENUM ('low', 'high');
CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY);
CREATE RULE kept AS ON DELETE TO numbered DO INSTEAD NOTHING;
CREATE AGGREGATE added (int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE STATISTICS both_columns ON id, mood_level FROM journal_entries;
CREATE COLLATION letters FROM "C";
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE TEXT SEARCH DICTIONARY short (template = simple, accept = true);
CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq);
CREATE OPERATOR FAMILY kin USING btree;
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER far FOREIGN DATA WRAPPER elsewhere OPTIONS (host 'a');
CREATE FOREIGN TABLE there (id int) SERVER far;
CREATE TYPE pair AS (a int, b int);
CREATE TABLE typed OF pair;
CREATE PUBLICATION news FOR TABLE users;
"""


@pytest.fixture
def rich(make_supabase_database: Callable[[], Any]) -> Iterator[Owner]:
    """A superuser's session: some kinds of objects are made by nobody else."""
    owner = Owner(make_supabase_database().admin)
    owner.run(APP + BASE)
    yield owner
    owner.conn.close()


def test_every_kind_of_change_shows(rich: Owner):
    before = rich.fingerprint()
    unseen = []
    for name, sql in CHANGES.items():
        with rich.conn.transaction(force_rollback=True):
            rich.run(sql)
            if not difference(before, rich.fingerprint()):
                unseen.append(name)
    assert unseen == []
    assert rich.fingerprint() == before


def test_what_is_no_fact_of_the_catalog_does_not_show(rich: Owner):
    before = rich.fingerprint()
    rich.run("DELETE FROM users; SELECT nextval('journal_entries_id_seq'); ANALYZE; CREATE TEMP TABLE t (id int)")
    rich.run("CREATE SCHEMA ops; CREATE TABLE ops.mine (id int); SET search_path = auth")
    assert rich.fingerprint() == before
    assert rich.value("SHOW search_path") == "auth"


def test_how_a_session_writes_values_changes_no_fact(rich: Owner):
    rich.run(r"ALTER TABLE users ADD key bytea DEFAULT '\x00ff', ADD share float8 DEFAULT 0.1")
    before = rich.fingerprint()
    rich.run("SET bytea_output = 'escape'; SET extra_float_digits = -5; SET DateStyle = 'SQL, DMY'")
    assert rich.fingerprint() == before
    assert rich.value("SHOW bytea_output") == "escape"


def test_a_column_added_and_dropped_leaves_no_trace(rich: Owner):
    before = rich.fingerprint()
    rich.run("ALTER TABLE users ADD COLUMN x int; ALTER TABLE users DROP COLUMN x")
    rich.run("GRANT SELECT ON users TO anon; REVOKE SELECT ON users FROM anon")
    assert rich.fingerprint() == before


def test_the_difference_names_what_changed(rich: Owner):
    before = rich.fingerprint()
    rich.run("ALTER TABLE users ADD COLUMN x int; ALTER TABLE users ALTER email SET DEFAULT ''; DROP TABLE numbered")
    change = difference(before, rich.fingerprint())
    assert "column public.users.x" in change.added
    assert "column public.users.email" in change.changed
    assert "relation public.numbered" in change.removed
    assert "added: column public.users.x" in change.sentence()


def test_a_fingerprint_survives_packing(rich: Owner):
    found = catalog_fingerprint(rich.conn)
    assert Fingerprint.unpacked(found.packed()) == found


def test_row_hashes_see_every_value_and_no_order(app: Owner):
    app.run("CREATE TABLE a (x int, y text); CREATE TABLE b (x int, y text)")
    app.run("INSERT INTO a VALUES (1, 'p'), (2, NULL), (2, NULL); INSERT INTO b VALUES (2, NULL), (1, 'p'), (2, NULL)")
    assert row_hash(app.conn, "public", "a") == row_hash(app.conn, "public", "b")
    app.run("UPDATE b SET y = '' WHERE x = 1")
    assert row_hash(app.conn, "public", "a") != row_hash(app.conn, "public", "b")
    assert row_hash(app.conn, "public", "a", ["x"]) == row_hash(app.conn, "public", "b", ["x"])
    app.run("DELETE FROM b WHERE x = 2")
    assert row_hash(app.conn, "public", "b").count == 1


def test_row_hashes_cover_all_user_tables(app: Owner):
    assert {"public.users", "public.journal_entries", "auth.users"} <= set(app.rows())
    assert not any(name.startswith(("pg_", "information_schema", "ops.")) for name in app.rows())


def test_a_column_named_like_our_alias_hides_no_other_column(app: Owner) -> None:
    app.run("CREATE TABLE odd (r text, other int); INSERT INTO odd VALUES ('same', 1)")
    before = row_hash(app.conn, "public", "odd")
    app.run("UPDATE odd SET other = 2")
    assert row_hash(app.conn, "public", "odd") != before
