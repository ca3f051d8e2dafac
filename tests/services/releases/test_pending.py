"""A folder of migrations as a release: what a target has had is not run again, is listed with the change, and goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.database.connect import connect
from services.database.deployment.deploy import deploy
from services.database.rollback.roll_back import rollback
from services.errors import NotUnderstood, Refused
from services.releases.bundle import Release, load_release
from services.releases.pending import pending_of
from tests.conftest import SupabaseDatabase
from tests.services.conftest import NOON

LIST = "CREATE SCHEMA supabase_migrations; CREATE TABLE supabase_migrations.schema_migrations"
FILES = {
    "20260101000000_first.sql": "CREATE TABLE notes (id int PRIMARY KEY);\n",
    "20260201000000_second.sql": "ALTER TABLE notes ADD COLUMN said text;\nCREATE INDEX notes_said ON notes (said);\n",
}


@pytest.fixture
def url(make_supabase_database: Callable[[], SupabaseDatabase]) -> str:
    owner = make_supabase_database().owner
    with connect(owner) as conn:
        conn.execute(f"{LIST} (version text PRIMARY KEY, statements text[], name text)".encode())
        conn.execute("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260101000000', NULL, 'first')")
        conn.execute("CREATE TABLE notes (id int PRIMARY KEY)")
    return owner


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "journal" / "supabase" / "migrations"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return tmp_path / "journal"


def listed(url: str) -> list[tuple[str, str, int]]:
    with connect(url) as conn:
        return conn.execute(
            "SELECT version, name, COALESCE(cardinality(statements), 0)"
            " FROM supabase_migrations.schema_migrations ORDER BY version"
        ).fetchall()


def deployed(url: str, release: Release) -> None:
    wanted = pending_of(url, release, NOON)
    done = deploy(
        url,
        wanted.scripts,
        release_id=release.id,
        plan_hash=release.content_hash,
        actor="ann",
        keep_inverse=True,
        listings=wanted.listings,
    )
    assert done.applied, done.summary


@pytest.mark.parametrize("below", ["", "supabase", "supabase/migrations"])
def test_a_project_its_folder_and_the_migrations_themselves_are_one_release(project: Path, below: str) -> None:
    release = load_release(project / below)
    assert (release.id, [one.version for one in release.migrations]) == (
        "journal",
        ["20260101000000", "20260201000000"],
    )
    assert release.steps == () and release.rollback == ()


def test_only_what_is_pending_runs_and_is_listed_and_the_rollback_takes_it_out(url: str, project: Path) -> None:
    release = load_release(project)
    deployed(url, release)
    assert listed(url) == [("20260101000000", "first", 0), ("20260201000000", "second", 2)]
    with pytest.raises(Refused, match="nothing to do"):
        pending_of(url, release, NOON)
    rollback(url, release.id, (), actor="ann")
    assert listed(url) == [("20260101000000", "first", 0)]


def test_what_the_parser_refuses_is_listed_without_its_semicolon_as_all_are(tmp_path: Path) -> None:
    (tmp_path / "odd.sql").write_text("SELECT 1;\nSELECT 1 +;\n")
    (listing,) = pending_of("", load_release(tmp_path / "odd.sql"), NOON).listings
    assert listing.statements == ("SELECT 1", "SELECT 1 +")


def test_migrations_of_comments_alone_are_refused_with_what_lists_them_and_are_listed_beside_others(
    url: str, project: Path
) -> None:
    deployed(url, load_release(project))
    folder = project / "supabase" / "migrations"
    (folder / "20260301000000_empty.sql").write_text("-- nothing\n")
    with pytest.raises(NotUnderstood, match=r"holds only comments: 20260301000000_empty\.sql") as refused:
        pending_of(url, load_release(project), NOON)
    assert "SELECT 1;" in refused.value.do
    (folder / "20260302000000_more.sql").write_text("SELECT 1;\n")
    deployed(url, load_release(project))
    assert listed(url)[2:] == [("20260301000000", "empty", 0), ("20260302000000", "more", 1)]


def test_a_release_of_its_own_scripts_is_listed_by_the_time_and_moves_on_where_that_is_taken(
    url: str, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.sql").write_text(f"CREATE TABLE {name} (id int);\n")
        deployed(url, load_release(tmp_path / f"{name}.sql"))
    assert [row[:2] for row in listed(url)][1:] == [("20260301120000", "one"), ("20260301120001", "two")]


def test_a_deploy_that_fails_lists_nothing(url: str, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("CREATE TABLE one (id int);\nSELECT 1 / 0;\n")
    wanted = pending_of(url, load_release(tmp_path / "bad.sql"), NOON)
    done = deploy(url, wanted.scripts, release_id="bad", plan_hash="h", actor="ann", listings=wanted.listings)
    assert not done.applied and len(listed(url)) == 1


def test_where_folder_and_list_disagree_it_is_told(url: str, project: Path) -> None:
    with connect(url) as conn:
        conn.execute("INSERT INTO supabase_migrations.schema_migrations VALUES ('20260301000000', NULL, 'theirs')")
    kinds = {one.kind for one in pending_of(url, load_release(project), NOON).divergence}
    assert "file-missing" in kinds and len(kinds) == 2
