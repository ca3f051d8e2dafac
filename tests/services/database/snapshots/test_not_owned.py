"""Rows of a table of another owner come back without its triggers acting, or are refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.fingerprint import RowHash
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import rollback
from services.database.snapshots.not_owned import stays_away
from services.database.snapshots.snapshot import Part
from services.errors import Refused
from services.verdict import Verdict
from tests.services.database.app_database import Listener, Owner, script
from tests.services.database.snapshots.thin_change import change

WORLD = """
CREATE TABLE auth.sessions (id int PRIMARY KEY, code text COLLATE "C" UNIQUE,
  by_code text REFERENCES auth.sessions (code),
  user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE, nr int GENERATED ALWAYS AS IDENTITY);
ALTER TABLE auth.sessions OWNER TO supabase_auth_admin;
GRANT ALL ON auth.sessions TO postgres;
SET ROLE postgres;
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE, name text);
INSERT INTO auth.users (id, email)
  SELECT gen_random_uuid(), 'person' || i || '@example.com' FROM generate_series(1, 4) i;
INSERT INTO profiles SELECT id, email FROM auth.users;
INSERT INTO auth.sessions SELECT n, 'c' || n, 'c1', id
  FROM (SELECT id, row_number() OVER (ORDER BY email) AS n FROM auth.users) u;
CREATE FUNCTION handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS
  $$ BEGIN INSERT INTO public.profiles VALUES (NEW.id, 'new'); RETURN NEW; END $$;
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION handle_new_user();
RESET ROLE;
"""
TAKES = "DELETE FROM auth.users WHERE email LIKE 'person2%' OR email LIKE 'person3%';"
ADDS = "INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), 'x');"
STATE = (
    "SELECT u.email, p.name, s.id, s.nr FROM auth.users u LEFT JOIN profiles p USING (id)"
    " LEFT JOIN auth.sessions s ON s.user_id = u.id ORDER BY 1, 3"
)


class Hosted(Owner):
    """The owner's session on a database of which schema auth is another's; admin: the superuser's."""

    admin: psycopg.Connection[Any]


@pytest.fixture
def hosted(make_supabase_database: Callable[[], Any]) -> Iterator[Hosted]:
    made = make_supabase_database()
    found = Hosted(made.owner)
    with connect(made.admin) as found.admin:
        found.admin.execute(WORLD.encode())
        yield found
        found.admin.execute("REVOKE SET ON PARAMETER session_replication_role FROM postgres")
    found.conn.close()


def allow(hosted: Hosted) -> None:
    hosted.admin.execute("GRANT SET ON PARAMETER session_replication_role TO postgres")


def test_undo_brings_users_back_with_all_that_hung_on_them_but_makes_no_orphans(hosted: Hosted):
    allow(hosted)
    before = hosted.run(STATE)
    done = change(hosted.url, TAKES + ADDS)
    hosted.run("INSERT INTO auth.sessions SELECT 9, 'c9', 'c1', id FROM auth.users WHERE email = 'x'")
    after = hosted.run(STATE)
    with pytest.raises(Refused) as refused:
        restore(hosted.url, str(done.snapshot_id), undo=True)
    assert refused.value.what == (
        "1 row of auth.sessions would refer to rows of auth.users that are not there"
        " (constraint sessions_user_id_fkey)."
    )
    assert hosted.run(STATE) == after
    hosted.run("DELETE FROM auth.sessions WHERE id = 9")
    told = restore(hosted.url, str(done.snapshot_id), undo=True)
    assert (told.verdict, told.conflicts, told.not_restored) == (Verdict.PASS, [], [])
    assert hosted.run(STATE) == before


def test_rollback_brings_users_back_and_no_trigger_fires(hosted: Hosted):
    allow(hosted)
    before = hosted.run(STATE)
    assert up(hosted) == []
    back = rollback(hosted.url, "beta", (), actor="bob", job_id="down", may_copy=False)
    assert (back.verdict, back.fingerprint_restored, back.conflicts) == (Verdict.PASS, True, ())
    assert hosted.run(STATE) == before


def test_without_the_right_it_is_told_at_the_deploy_and_refused_where_a_trigger_would_act(hosted: Hosted):
    before = hosted.run(STATE)
    told, after = up(hosted), hosted.run(STATE)
    words = (
        "auth.users belongs to supabase_auth_admin, and its trigger on_auth_user_created would act on rows that come"
        " back; postgres may neither switch it off nor set session_replication_role."
    )
    do = (
        "Start it as supabase_auth_admin, or let a superuser allow it, from Postgres 15 on:"
        " GRANT SET ON PARAMETER session_replication_role TO postgres."
    )
    assert told == [f"{words} What the change does to rows there will not come back by our rollback. {do}"]
    with pytest.raises(Refused) as refused:
        restore(hosted.url, hosted.value("SELECT id::text FROM ops.snapshots"), undo=True)
    assert (refused.value.what, refused.value.do) == (words, do)
    assert hosted.run(STATE) == after
    hosted.run("DROP FUNCTION handle_new_user CASCADE")
    restore(hosted.url, hosted.value("SELECT id::text FROM ops.snapshots"), undo=True)
    assert {row[:2] for row in before} <= {row[:2] for row in hosted.run(STATE)}


def test_what_a_replica_does_not_keep_off_is_refused(hosted: Hosted):
    allow(hosted)
    part = Part("table", "auth", "users", (), (), (), "", RowHash(0, ""))
    with hosted.conn.transaction():
        assert stays_away(hosted.conn, [part]) == []
    for then, words in STUBBORN.items():
        with hosted.admin.transaction(force_rollback=True):
            hosted.admin.execute(then.encode())
            hosted.admin.execute("SET SESSION AUTHORIZATION postgres")
            assert [words in one for one in stays_away(hosted.admin, [part])] == [True], then


STUBBORN = {
    "ALTER TABLE auth.users ENABLE ALWAYS TRIGGER on_auth_user_created": "(ENABLE ALWAYS)",
    "CREATE RULE one AS ON INSERT TO auth.users DO INSTEAD NOTHING;"
    "ALTER TABLE auth.users ENABLE REPLICA RULE one": "(ENABLE REPLICA)",
    "ALTER TABLE auth.users ADD UNIQUE (phone) DEFERRABLE": "which is deferrable, would not be checked",
    "REVOKE ALL ON auth.sessions FROM postgres": "sessions_user_id_fkey of auth.sessions would not be checked",
}


def up(hosted: Hosted) -> list[str]:
    """Deploy it; returns the notices."""
    told = Listener()
    done = deploy(hosted.url, script(TAKES + ADDS), release_id="beta", plan_hash="h", actor="ann", job_id="up",
                  keep_inverse=True, emit=told)  # fmt: skip
    assert done.applied, done.summary
    return [one["message"] for one in told.of("notice")]
