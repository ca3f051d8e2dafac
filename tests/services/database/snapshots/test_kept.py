"""What is kept is listed with its tables, rows and end, and goes for good when it is due and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.database.deployment.deploy import deploy
from services.database.snapshots.kept import kept_in, purge_kept
from tests.services.database.app_database import Owner, script


def test_it_is_listed_and_goes_when_it_is_due(app: Owner) -> None:
    assert kept_in(app.url) == []
    assert purge_kept(app.url, datetime.now(UTC)) == []
    sql = "DROP TABLE public.journal_entries CASCADE;\nDELETE FROM public.users WHERE email LIKE 'person1%';\n"
    done = deploy(app.url, script(sql), release_id="beta", plan_hash="h", actor="ann", keep_days=7)
    assert done.applied, done.summary
    (kept,) = kept_in(app.url)
    assert (kept.id, kept.release_id, kept.actor) == (done.snapshot_id, "beta", "ann")
    assert kept.tables == ("public.journal_entries", "public.users")
    assert kept.parked == ("public.journal_entries",)
    assert kept.rows == 340
    now = datetime.now(UTC)
    assert purge_kept(app.url, now + timedelta(days=6)) == [] and kept_in(app.url)
    assert sorted(purge_kept(app.url, now + timedelta(days=8))) == ["public.journal_entries", "public.users"]
    assert kept_in(app.url) == []
    assert app.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'ops'::regnamespace AND relkind = 'r'") == 8
