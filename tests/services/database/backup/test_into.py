"""A backup becomes a database again where there is none, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.database.backup import into as backup_into
from services.database.backup.encryption import Identity, identities_of, new_key
from services.database.backup.into import restore_backup, restore_phrase
from services.database.backup.take import Backup, take_backup
from services.database.connect import connect
from services.errors import OpsError, Refused
from services.sandbox.postgres import OWNER, Cluster
from services.verdict import Verdict
from tests.conftest import MakeDatabase, SupabaseDatabase
from tests.services.database.app_database import APP, Owner
from tests.services.database.backup.backup_manifests import a_manifest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MORE = """
CREATE TABLE public.profiles (id uuid PRIMARY KEY REFERENCES auth.users (id), note text);
ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.profiles TO authenticated USING (id = auth.uid());
"""


@pytest.fixture
def taken(
    make_supabase_database: Callable[[], SupabaseDatabase], tmp_path: Path
) -> tuple[Backup, tuple[Identity, ...]]:
    source = make_supabase_database()
    with connect(source.owner) as conn:
        conn.execute(APP + MORE)
    with connect(source.admin) as conn:
        conn.execute("INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), 'a@example.com')")
        conn.execute("INSERT INTO public.profiles SELECT id, 'note' FROM auth.users")
    key = new_key()
    done = take_backup(
        source.owner,
        target="staging",
        recipient=key.recipient,
        folder=tmp_path / "backups",
        keep_days=1,
        clock=lambda: NOW,
    )
    return done, identities_of(key.secret)


@pytest.fixture
def owned(make_database: MakeDatabase, supabase_cluster: Cluster) -> str:
    """An empty database without Supabase's schemas, as its owner."""
    return supabase_cluster.dsn(OWNER, make_database(owner=OWNER).rpartition("/")[2])


def test_it_is_restored_into_what_is_empty_and_only_once(
    taken: tuple[Backup, tuple[Identity, ...]],
    owned: str,
    make_database: MakeDatabase,
    make_supabase_database: Callable[[], SupabaseDatabase],
) -> None:
    done, mine = taken
    assert restore_phrase(done.manifest, "postgresql://u:p@h/fresh") == f"restore {done.manifest.id} into fresh"
    # A new project as the platform makes it, a plain database, and a plain one whose owner is no superuser.
    for url in (make_supabase_database().owner, make_database(), owned):
        proof = restore_backup(done.file, manifest=done.manifest, identities=mine, url=url, clock=lambda: NOW)
        assert proof.verdict is Verdict.PASS, proof.summary
        found = Owner(url)
        try:
            assert found.value("SELECT count(*) FROM public.profiles JOIN auth.users USING (id)") == 1
            assert found.value("SELECT count(*) FROM pg_policies WHERE tablename = 'profiles'") == 1
            assert found.value("SELECT nextval('public.journal_entries_id_seq')") == 301
            # A second time there is something in it.
            before = found.fingerprint().digest
            with pytest.raises(Refused, match=r"not empty: it holds public\.journal_entries"):
                restore_backup(done.file, manifest=done.manifest, identities=mine, url=url, clock=lambda: NOW)
            assert found.fingerprint().digest == before
        finally:
            found.conn.close()


def test_a_database_that_does_not_fit_is_refused_and_left_as_it_was(
    owned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_into, "examine", lambda *_: None)  # the file itself is good
    found = Owner(owned)
    before = found.fingerprint().digest

    def said(**unlike: Any) -> OpsError:
        manifest = a_manifest(**unlike)
        with pytest.raises(OpsError) as refused:
            restore_backup(tmp_path / "x", manifest=manifest, identities=(), url=owned, clock=lambda: NOW)
        assert found.fingerprint().digest == before
        return refused.value

    try:
        missing = said(roles=("nobody_here",))
        assert "roles that the backup gives rights to: nobody_here" in missing.what
        assert 'CREATE ROLE "nobody_here" NOLOGIN;' in missing.do
        assert "the backup was taken of Postgres 99" in said(major=99).what
        found.run("CREATE FUNCTION public.in_the_way() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        before = found.fingerprint().digest
        assert "not empty: it holds public.in_the_way()" in said().what
    finally:
        found.conn.close()
