"""Default privileges that come back give nobody rights on what the way back makes again."""

from __future__ import annotations

from services.database.rollback.restoring import restore
from services.verdict import Verdict
from tests.services.database.app_database import Owner
from tests.services.database.snapshots.thin_change import change

WORLD = (
    "CREATE TABLE t (id int PRIMARY KEY, a text, b text); INSERT INTO t VALUES (1, 'a', 'b');"
    "CREATE VIEW v AS SELECT id FROM t; GRANT SELECT ON v TO anon;"
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated;"
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated"
)
MADE_AGAIN = (
    "CREATE OR REPLACE VIEW v AS SELECT id, b FROM t; ALTER TABLE t DROP COLUMN a;"
    "DROP FUNCTION f; CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'a' $$"
)


def test_what_is_made_again_has_the_rights_of_before_and_no_more(app: Owner):
    app.run(WORLD)
    before = app.fingerprint()
    taken = "".join(
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON {kind} FROM anon;" for kind in ("TABLES", "FUNCTIONS")
    )
    done = change(app.url, f"{taken} {MADE_AGAIN}")
    told = restore(app.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts, told.not_restored) == (Verdict.PASS, [], [])
    assert app.fingerprint().facts == before.facts
    assert not app.value("SELECT has_table_privilege('anon', 't', 'SELECT')")
