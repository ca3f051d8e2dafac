"""What a change did to definitions is worked out after COMMIT: nothing of it is lost where that is cut short."""

from __future__ import annotations

from typing import Any

import pytest

from services.database.deployment import together
from services.database.deployment.deploy import Deployment, deploy
from services.database.deployment.receipts import find_receipt
from services.database.rollback.restoring import restore
from services.database.rollback.roll_back import preview_of, rollback
from tests.services.database.app_database import Listener, Owner, script

UP = """ALTER TABLE public.users ADD COLUMN tier text DEFAULT 'free';
DROP VIEW public.moods;
CREATE TABLE public.logs (id int PRIMARY KEY);
COMMENT ON TABLE public.users IS 'people';
"""
IN_PARTS = f"{UP}CREATE INDEX CONCURRENTLY by_mood ON public.journal_entries (mood_level);\nDROP TABLE public.logs;\n"


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The process dies right after each COMMIT; `.undo()` lets it live."""

    def die(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(together, "settle_or_tell", die)
    return monkeypatch


def up(app: Owner, sql: str, listener: Listener | None = None) -> Deployment:
    return deploy(
        app.url,
        script(sql),
        release_id="beta",
        plan_hash="h",
        actor="ann",
        job_id="up",
        keep_inverse=True,
        emit=listener or Listener(),
    )


def unsettled(app: Owner) -> int:
    return int(app.value("SELECT count(*) FROM ops.unsettled"))


def test_a_change_that_takes_nothing_leaves_no_snapshot(app: Owner) -> None:
    done = up(app, "CREATE TABLE public.logs (id serial);")
    assert (done.applied, done.inverse, unsettled(app)) == (True, True, 0)
    assert (done.snapshot_id, app.value("SELECT count(*) FROM ops.snapshots")) == (None, 0)
    receipt = find_receipt(app.url, "beta")
    assert receipt is not None and receipt.kept_snapshot_id is None


def test_killed_after_commit_the_way_back_is_seen_and_taken(app: Owner, killed: pytest.MonkeyPatch) -> None:
    before, rows = app.fingerprint(), app.rows()
    with pytest.raises(Killed):
        up(app, UP)
    killed.undo()
    assert unsettled(app) == 1
    assert "DROP TABLE public.logs" in preview_of(app.url, "beta", ()).sql
    assert unsettled(app) == 1, "who only looks writes nothing"
    back = rollback(app.url, "beta", (), actor="ann", job_id="down", may_copy=False)
    assert back.fingerprint_restored
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)
    assert unsettled(app) == 0


def test_killed_after_commit_a_restore_finds_all_definitions(app: Owner, killed: pytest.MonkeyPatch) -> None:
    before, rows = app.fingerprint(), app.rows()
    with pytest.raises(Killed):
        up(app, "DROP TABLE public.journal_entries CASCADE;")
    killed.undo()
    receipt = find_receipt(app.url, "beta")
    assert receipt is not None and receipt.kept_snapshot_id is not None
    result = restore(app.url, receipt.kept_snapshot_id, undo=True)
    assert (result.conflicts, result.not_restored) == ([], [])
    assert (app.fingerprint().facts, app.rows()) == (before.facts, rows)


def test_killed_in_the_middle_of_a_deploy_in_parts_the_way_back_leads_to_its_beginning(
    app: Owner, killed: pytest.MonkeyPatch
) -> None:
    before = app.fingerprint()
    with pytest.raises(Killed):
        up(app, IN_PARTS)
    killed.undo()
    done = up(app, IN_PARTS)
    assert (done.applied, done.inverse, unsettled(app)) == (True, True, 0)
    assert app.value("SELECT count(*) FROM ops.snapshot_definitions WHERE object = 'public.moods' AND side = 'before'")
    rollback(app.url, "beta", (), actor="ann", job_id="down", may_copy=False)
    assert app.fingerprint().facts == before.facts


def test_what_others_change_meanwhile_is_told_and_never_taken_for_ours(app: Owner, killed: pytest.MonkeyPatch) -> None:
    with pytest.raises(Killed):
        up(app, UP)
    killed.undo()
    app.run("CREATE TABLE public.theirs (id int); COMMENT ON TABLE public.users IS 'theirs'")
    receipt = find_receipt(app.url, "beta")
    assert receipt is not None and receipt.inverse is None and receipt.kept_snapshot_id is not None
    listener = Listener()
    deploy(app.url, script("SELECT 1;"), release_id="next", plan_hash="h", actor="ann", job_id="next", emit=listener)
    told = [payload["message"] for kind, payload in listener.events if kind == "notice"]
    assert len([one for one in told if "others have changed the catalog since" in one]) == 2
    restore(app.url, receipt.kept_snapshot_id, undo=True)
    assert app.exists("public.moods") and app.exists("public.theirs")
    assert app.value("SELECT obj_description('public.users'::regclass)") == "theirs"


def test_an_error_after_commit_is_told_and_made_good_by_the_next_change(app: Owner) -> None:
    app.run("CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    deploy(app.url, script("SELECT 1;"), release_id="first", plan_hash="h", actor="ann")
    app.run(
        "CREATE FUNCTION ops.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;"
        "CREATE TRIGGER no BEFORE DELETE ON ops.unsettled FOR EACH ROW EXECUTE FUNCTION ops.no()"
    )
    listener = Listener()
    done = up(app, "DROP FUNCTION public.f();", listener)
    assert done.applied and not done.inverse and done.snapshot_id is not None
    assert any("not now" in payload.get("message", "") for kind, payload in listener.events if kind == "notice")
    app.run("DROP TRIGGER no ON ops.unsettled; DROP FUNCTION ops.no()")
    rollback(app.url, "beta", (), actor="ann", job_id="down", may_copy=False)
    assert app.value("SELECT public.f()") == 1
