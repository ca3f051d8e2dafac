"""What is kept is listed with its tables, rows and end, and goes for good when it is due and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.database.deployment.deploy import deploy
from services.database.rollback.roll_back import rollback
from services.database.snapshots.kept import kept_in, purge_kept
from services.errors import Unavailable
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


def test_who_may_not_look_into_our_schema_is_told_so(app: Owner) -> None:
    assert deploy(app.url, script("CREATE TABLE n (x int)"), release_id="r", plan_hash="h", actor="ann").applied
    other = app.url.replace("postgres:postgres-pw", "authenticator:authenticator-pw")
    for ask in (lambda: kept_in(other), lambda: rollback(other, "r", script("DROP TABLE n"), actor="bob")):
        with pytest.raises(Unavailable, match="may not look into schema ops"):
            ask()
