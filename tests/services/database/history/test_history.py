"""A target's list of migrations: written with the change, taken back with it, and compared with the folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.database.connect import connect
from services.database.history.divergence import divergence
from services.database.history.migrations import (
    is_migrations_folder,
    load_migrations,
    pending,
    record,
    recorded,
    refuse_unwritable_list,
    take_out,
    version_at,
)
from services.errors import NotUnderstood, Refused
from tests.conftest import MakeDatabase

TABLE = """
CREATE SCHEMA supabase_migrations;
CREATE TABLE supabase_migrations.schema_migrations (version text NOT NULL PRIMARY KEY, statements text[], name text);
"""
FILES = {
    "20240101000000_notes.sql": "CREATE TABLE notes (id int);\n\n-- more\nALTER TABLE notes ADD body text;\n",
    "20240202000000_tags.sql": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;\n",
    "20240303000000_last.sql": "SELECT 1",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def target(make_database: MakeDatabase) -> Iterator[psycopg.Connection[Any]]:
    with connect(make_database()) as conn:
        conn.execute(TABLE)
        yield conn


def had(conn: psycopg.Connection[Any], folder: Path, count: int) -> None:
    for migration in load_migrations(folder)[:count]:
        assert record(conn, migration.version, migration.name, migration.statements)


def kinds(conn: psycopg.Connection[Any], folder: Path) -> list[tuple[str, str]]:
    return [(found.kind, found.version) for found in divergence(conn, folder)]


def test_migrations_are_ordered_by_name_as_text_and_know_their_statements(folder: Path) -> None:
    (folder / "10_first.sql").write_text("SELECT 3")
    (folder / "20240101_day.sql").write_text("SELECT 4")
    (folder / "3_third.sql").write_text("SELECT 3")
    found = load_migrations(folder)
    assert [m.name for m in found] == ["first", "notes", "day", "tags", "last", "third"]
    assert [m.script.file for m in found] == sorted(m.script.file for m in found)
    assert found[1].statements[0] == "CREATE TABLE notes (id int)"
    assert len(found[1].statements) == 2
    assert found[3].statements == ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$",)


def test_a_folder_of_migrations_is_told_from_other_folders(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert is_migrations_folder(folder)
    (folder / "other.sql").write_text("SELECT 1")
    assert not is_migrations_folder(folder)
    assert not is_migrations_folder(tmp_path_factory.mktemp("empty"))
    assert not is_migrations_folder(folder / "other.sql")


def test_two_files_of_one_version_and_no_file_at_all_are_refused(folder: Path, tmp_path_factory: Any) -> None:
    (folder / "20240101000000_again.sql").write_text("SELECT 1")
    with pytest.raises(NotUnderstood, match="20240101000000"):
        load_migrations(folder)
    with pytest.raises(NotUnderstood, match="no migration"):
        load_migrations(tmp_path_factory.mktemp("empty"))


def test_a_version_that_cannot_be_listed_is_refused_before_anything_runs(folder: Path) -> None:
    (folder / f"{'1' * 20}_long.sql").write_text("SELECT 1")
    assert len(load_migrations(folder)) == 4
    (folder / f"{'1' * 21}_longer.sql").write_text("SELECT 1")
    with pytest.raises(NotUnderstood, match="has 21 digits") as refused:
        load_migrations(folder)
    assert refused.value.place == f"{'1' * 21}_longer.sql"


def test_what_was_listed_is_no_longer_pending(target: psycopg.Connection[Any], folder: Path) -> None:
    had(target, folder, 2)
    assert [m.name for m in pending(target, load_migrations(folder))] == ["last"]
    assert divergence(target, folder) == ()
    kept = recorded(target)
    assert kept is not None
    assert kept[0].statements == load_migrations(folder)[0].statements


def test_a_list_goes_with_its_transaction(target: psycopg.Connection[Any], folder: Path) -> None:
    with target.transaction(force_rollback=True):
        had(target, folder, 1)
        assert len(recorded(target) or ()) == 1
    assert recorded(target) == ()


def test_a_version_is_listed_once_and_taken_out_once(target: psycopg.Connection[Any], folder: Path) -> None:
    had(target, folder, 1)
    with pytest.raises(Refused, match="already"):
        record(target, "20240101000000", "other", ())
    assert take_out(target, "20240101000000")
    assert not take_out(target, "20240101000000")
    had(target, folder, 1)


def test_a_target_without_a_list_gets_none(make_database: MakeDatabase, folder: Path) -> None:
    with connect(make_database()) as conn:
        assert not record(conn, "20240101000000", "notes", ("SELECT 1",))
        assert recorded(conn) is None
        assert not take_out(conn, "20240101000000")
        assert len(pending(conn, load_migrations(folder))) == len(FILES)
        assert divergence(conn, folder) == ()


def test_a_list_of_versions_only_is_served(make_database: MakeDatabase, folder: Path) -> None:
    with connect(make_database()) as conn:
        conn.execute(
            "CREATE SCHEMA supabase_migrations;"
            " CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY)"
        )
        had(conn, folder, 2)
        assert divergence(conn, folder) == ()


def test_a_list_without_a_key_is_served_and_lists_a_version_once(target: psycopg.Connection[Any]) -> None:
    target.execute("ALTER TABLE supabase_migrations.schema_migrations DROP CONSTRAINT schema_migrations_pkey")
    assert record(target, "20240101000000", "notes", ("SELECT 1",))
    with pytest.raises(Refused, match="lists the version 20240101000000 already"):
        record(target, "20240101000000", "notes", ("SELECT 1",))


def test_a_role_that_may_not_write_to_the_list_is_told_so_before_anything_runs(
    target: psycopg.Connection[Any],
) -> None:
    refuse_unwritable_list(target)
    target.execute("SET ROLE pg_monitor")
    with pytest.raises(Refused, match=r"may not write to supabase_migrations\.schema_migrations"):
        refuse_unwritable_list(target)


def test_every_kind_of_divergence_is_found(target: psycopg.Connection[Any], folder: Path) -> None:
    had(target, folder, 3)
    take_out(target, "20240202000000")
    record(target, "20231231000000", "gone", ("SELECT 0",))
    (folder / "20240101000000_notes.sql").rename(folder / "20240101000000_entries.sql")
    (folder / "20240303000000_last.sql").write_text("SELECT 2")
    assert kinds(target, folder) == [
        ("file-missing", "20231231000000"),
        ("renamed", "20240101000000"),
        ("out-of-order", "20240202000000"),
        ("changed", "20240303000000"),
    ]


def test_what_is_out_of_order_is_told_by_the_names_too(target: psycopg.Connection[Any], folder: Path) -> None:
    assert kinds(target, folder) == []
    had(target, folder, 2)
    (folder / "20240103_short.sql").write_text("SELECT 1")
    (folder / "99_last.sql").write_text("SELECT 1")
    assert kinds(target, folder) == [("out-of-order", "20240103")]
    record(target, "20240103", "short", ("SELECT 1",))
    assert kinds(target, folder) == []
    assert [one.version for one in recorded(target) or ()] == ["20240101000000", "20240103", "20240202000000"]


def test_comments_blanks_and_semicolons_change_nothing(target: psycopg.Connection[Any], folder: Path) -> None:
    had(target, folder, 3)
    (folder / "20240101000000_notes.sql").write_text(
        "/* first */ CREATE TABLE notes\n  (id int) ;ALTER TABLE notes ADD body text"
    )
    assert divergence(target, folder) == ()
    (folder / "20240101000000_notes.sql").write_text("CREATE TABLE notes (id int, body text)")
    assert kinds(target, folder) == [("changed", "20240101000000")]


def test_a_version_listed_without_statements_cannot_have_changed(target: psycopg.Connection[Any], folder: Path) -> None:
    target.execute("INSERT INTO supabase_migrations.schema_migrations (version) VALUES ('20240101000000')")
    assert divergence(target, folder) == ()


def test_a_role_that_may_not_read_the_list_is_told_so(target: psycopg.Connection[Any]) -> None:
    with target.transaction(force_rollback=True):
        target.execute("CREATE ROLE history_reader; SET LOCAL ROLE history_reader")
        with pytest.raises(Refused, match="may not read"):
            recorded(target)


def test_a_change_without_a_version_gets_its_time() -> None:
    assert version_at(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)) == "20260304050607"
    with pytest.raises(NotUnderstood):
        record(None, "2026-03-04", "x", ())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["20240102000000_add.down.sql", "20240202000000_add.undo.sql"])
def test_a_file_that_takes_a_migration_back_is_not_run_with_the_others(folder: Path, name: str) -> None:
    (folder / name).write_text("DROP TABLE notes;\n")
    with pytest.raises(NotUnderstood, match="takes a migration back"):
        load_migrations(folder)
