"""A backup is what a restore of its file shows; whatever else happens is told in a sentence and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.database.backup import contents as backup_contents
from services.database.backup import take as taking
from services.database.backup.encryption import Identity, KeyPair, encrypt, identities_of, new_key, recipient_of
from services.database.backup.folder import new_file, private_folder
from services.database.backup.manifest import manifest_path, read_manifest
from services.database.backup.programs import Program, tools_for
from services.database.backup.proving import examine, prove_backup
from services.database.backup.restoring import table_of_contents
from services.database.backup.streams import Hashed
from services.database.backup.take import Backup, take_backup
from services.database.connect import connect
from services.database.execution import Stopped, never
from services.database.server import find_binaries
from services.errors import NotUnderstood, OpsError, Refused, Unavailable
from services.verdict import Verdict
from tests.campaign import only_in_full
from tests.conftest import SupabaseDatabase
from tests.services.database.app_database import APP, Listener
from tests.services.database.backup.backup_manifests import a_manifest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHUNK = 64 * 1024 + 16
SECRET_TEXT = "hard day at work"

# What has tripped copies of databases: a column named like an alias, dropped columns, children with columns of another
# order, generated columns, partitions, large objects, sequences, quoted names, text forms that a session decides.
ODD = """
CREATE TABLE public."Odd ""name" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, r text, gone int,
  amount money, at timestamptz, took interval, raw bytea, ratio double precision,
  made int GENERATED ALWAYS AS (7) STORED);
ALTER TABLE public."Odd ""name" DROP COLUMN gone;
INSERT INTO public."Odd ""name" (r, amount, at, took, raw, ratio)
  SELECT 'r' || i, i::money, '2026-01-01'::timestamptz + i * interval '1 hour', i * interval '36 hours',
         ('\\x0' || i)::bytea, i / 3.0
  FROM generate_series(1, 9) i;
CREATE TABLE public.parent (a int); CREATE TABLE public.child (b int) INHERITS (public.parent);
ALTER TABLE public.parent ADD COLUMN c int; INSERT INTO public.child (a, b, c) VALUES (1, 2, 3), (4, 5, 6);
CREATE TABLE public.days (day date, n int) PARTITION BY RANGE (day);
CREATE TABLE public.days_1 PARTITION OF public.days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO public.days VALUES ('2026-02-02', 2);
CREATE TABLE public.profiles (id uuid PRIMARY KEY REFERENCES auth.users (id), note text);
CREATE SCHEMA ops; CREATE TABLE ops.snapshot_1 (id int); INSERT INTO ops.snapshot_1 VALUES (1);
ALTER TABLE public.journal_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.journal_entries TO authenticated USING (user_id = (auth.uid())::text);
SELECT lo_from_bytea(0, 'a large object');
"""
ACCOUNTS = """
INSERT INTO auth.users (id, email)
  SELECT gen_random_uuid(), 'person' || i || '@example.com' FROM generate_series(1, 5) i
"""
PROFILES = "INSERT INTO public.profiles SELECT id, 'note' FROM auth.users"
LARGE = """
INSERT INTO public.journal_entries (user_id, content)
  SELECT 'u', md5(i::text) || md5((i + 1)::text) FROM generate_series(1, 60000) i
"""


def at_noon() -> datetime:
    return NOW


@pytest.fixture(scope="module")
def key() -> KeyPair:
    return new_key()


@pytest.fixture(scope="module")
def mine(key: KeyPair) -> tuple[Identity, ...]:
    return identities_of(key.secret)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def source(make_supabase_database: Callable[[], SupabaseDatabase]) -> Iterator[SupabaseDatabase]:
    made = make_supabase_database()
    for url, script in ((made.owner, APP + ODD), (made.admin, ACCOUNTS), (made.owner, PROFILES)):
        with connect(url) as conn:
            conn.execute(script)
    yield made


@pytest.fixture
def take(source: SupabaseDatabase, key: KeyPair, folder: Path) -> Callable[..., Backup]:
    def taken(url: str | None = None, **given: Any) -> Backup:
        values: dict[str, Any] = {
            "target": "staging",
            "recipient": key.recipient,
            "folder": folder,
            "keep_days": 30,
            "clock": at_noon,
            "private": {"journal_entries": ["content"]},
        }
        return take_backup(url or source.owner, **(values | given))

    return taken


def left_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def programs_of_ours(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


class TestOneThatHolds:
    @pytest.fixture
    def done(self, take: Callable[..., Backup]) -> Backup:
        return take()

    def test_it_is_proved_told_and_private(
        self, done: Backup, folder: Path, key: KeyPair, mine: tuple[Identity, ...], source: SupabaseDatabase
    ) -> None:
        assert done.verdict is Verdict.PASS, done.summary
        rows = {table.place: table.rows for table in done.manifest.tables}
        assert rows["public.journal_entries"] == 300 and rows["public.users"] == 40
        assert rows["auth.users"] == 5 and rows["ops.snapshot_1"] == 1 and rows['public.Odd "name'] == 9
        assert f"all {sum(rows.values()):,} rows of {len(rows)} tables are back" in done.summary
        assert done.manifest.large_objects is not None and done.manifest.large_objects.count == 1
        assert done.manifest.keep_until == NOW + timedelta(days=30)
        assert "what people wrote (journal_entries) and e-mail addresses of 40 people" in done.manifest.contains
        assert any("storage" in told for told in done.manifest.not_contained)
        self.sees_only_what_is_encrypted(done, folder)
        self.can_be_read_and_proved_years_later(done, mine)

    def sees_only_what_is_encrypted(self, done: Backup, folder: Path) -> None:
        assert left_in(folder) == [done.file.name, manifest_path(done.file).name]
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            content = file.read_bytes()
            assert SECRET_TEXT.encode() not in content and b"PGDMP" not in content and b"@example.com" not in content
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def can_be_read_and_proved_years_later(self, done: Backup, mine: tuple[Identity, ...]) -> None:
        again = read_manifest(manifest_path(done.file))
        assert again == done.manifest
        proof = prove_backup(done.file, manifest=again, identities=mine, clock=lambda: NOW + timedelta(days=2000))
        assert proof.verdict is Verdict.PASS, proof.summary
        one, *others = again.tables
        unlike = replace(again, tables=(replace(one, digest="0" * 32), *others))
        proof = prove_backup(done.file, manifest=unlike, identities=mine, clock=at_noon)
        assert (proof.verdict, "not the same ones" in proof.summary) == (Verdict.FAIL, True)
        assert one.place in proof.summary


class TestAFileThatIsNotGood:
    @pytest.fixture
    def good(self, key: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
        """A file of four chunks as `take_backup` writes them; what it holds does not matter before it is opened."""
        folder = tmp_path_factory.mktemp("good")
        (folder / "plain").write_bytes(os.urandom(200_000))
        with new_file(folder, "staging", NOW) as file, (folder / "plain").open("rb") as plain:
            encrypt(Hashed(plain), file.sink, [recipient_of(key.recipient), recipient_of(new_key().recipient)])
        manifest = a_manifest(
            file=file.place.name, bytes=file.sink.bytes, sha256=file.sink.digest, recipient=key.recipient
        )
        return file.place, manifest

    def body(self, file: Path) -> int:
        """Where the chunks begin: after the header's last line and a nonce of 16 bytes."""
        data = file.read_bytes()
        return data.index(b"\n", data.index(b"\n---") + 1) + 1 + 16

    def said(self, file: Path, manifest: Any, identities: tuple[Identity, ...]) -> str:
        with pytest.raises(Refused) as refused:
            examine(file, manifest, identities)
        return refused.value.what

    def test_a_good_one_is_not_refused(self, good: tuple[Path, Any], mine: tuple[Identity, ...]) -> None:
        examine(*good, mine)

    def test_one_byte_that_differs_is_damage_wherever_it_is(
        self, good: tuple[Path, Any], mine: tuple[Identity, ...], tmp_path: Path
    ) -> None:
        file, manifest = good
        data, body = file.read_bytes(), self.body(good[0])
        header = [3, 30, data.index(b"\n---") - 5, data.index(b"\n---") + 10, body - 3]
        for place in [*header, body, body + CHUNK, body + CHUNK + 40_000, len(data) // 2, len(data) - 1]:
            flipped = bytearray(data)
            flipped[place] ^= 1
            copy = tmp_path / file.name
            copy.write_bytes(flipped)
            said = self.said(copy, manifest, mine)
            assert "is damaged" in said or ("not the file" in said and place < body), (place, said)

    def test_one_that_was_cut_is_told_with_its_length(
        self, good: tuple[Path, Any], mine: tuple[Identity, ...], tmp_path: Path
    ) -> None:
        file, manifest = good
        data, body = file.read_bytes(), self.body(file)
        borders = [body, body + CHUNK, body + 2 * CHUNK, body + 3 * CHUNK]
        for length in [0, 1, 40, body - 5, *borders, borders[1] + 1, len(data) - 1]:
            copy = tmp_path / file.name
            copy.write_bytes(data[:length])
            assert f"is cut off: {length:,} of {len(data):,} bytes" in self.said(copy, manifest, mine), length

    def test_bytes_behind_its_end_are_damage(
        self, good: tuple[Path, Any], mine: tuple[Identity, ...], tmp_path: Path
    ) -> None:
        copy = tmp_path / "longer"
        copy.write_bytes(good[0].read_bytes() + b"x")
        assert "is damaged" in self.said(copy, good[1], mine)

    def test_another_backups_manifest_is_not_taken(self, good: tuple[Path, Any], mine: tuple[Identity, ...]) -> None:
        other = replace(good[1], file="other.dump.age", sha256="0" * 64, bytes=good[1].bytes + 7)
        assert "is whole, but it is not the backup that this manifest describes (other.dump.age)" in self.said(
            good[0], other, mine
        )

    def test_a_wrong_identity_does_not_open_it(self, good: tuple[Path, Any], key: KeyPair) -> None:
        with pytest.raises(Refused) as refused:
            examine(*good, identities_of(new_key().secret))
        assert "this identity does not open it" in refused.value.what
        assert key.recipient in refused.value.do

    def test_one_that_is_gone_is_told(self, good: tuple[Path, Any], mine: tuple[Identity, ...], tmp_path: Path) -> None:
        assert "is not there" in self.said(tmp_path / "none", good[1], mine)

    def test_what_is_no_archive_is_told(self, good: tuple[Path, Any], mine: tuple[Identity, ...]) -> None:
        with pytest.raises(OpsError, match=r"could not be read|no archive of pg_dump"):
            table_of_contents(good[0], mine, tools_for(15), never)

    def test_a_file_that_is_no_manifest_is_not_understood(self, tmp_path: Path) -> None:
        for text in ("", "{}", "[]", '{"format": 1}', json.dumps({"format": 2})):
            (tmp_path / "m.json").write_text(text)
            with pytest.raises(NotUnderstood, match="no manifest of a backup"):
                read_manifest(tmp_path / "m.json")


class TestNoBackup:
    @pytest.fixture(autouse=True)
    def started(self, monkeypatch: pytest.MonkeyPatch) -> list[Program]:
        """Every pg_dump that is started."""
        seen: list[Program] = []

        class Seen(Program):
            def __init__(self, *given: Any, **named: Any) -> None:
                super().__init__(*given, **named)
                seen.append(self)

        monkeypatch.setattr(taking, "Program", Seen)
        return seen

    @pytest.fixture
    def large(self, source: SupabaseDatabase) -> str:
        with connect(source.owner) as conn:
            conn.execute(LARGE)
        return source.owner

    def refused(self, take: Callable[..., Backup], left: Path, kind: type[OpsError], **given: Any) -> OpsError:
        with pytest.raises(kind) as caught:
            take(**given)
        assert left_in(left) == []
        return caught.value

    def test_an_older_pg_dump_is_refused_with_both_versions(
        self, take: Callable[..., Backup], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        binaries = find_binaries()
        mixed = tmp_path / "bin"
        mixed.mkdir()
        for name in ("initdb", "postgres", "pg_restore"):
            (mixed / name).symlink_to(binaries.tool(name))
        (mixed / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.2'\n")
        (mixed / "pg_dump").chmod(0o755)
        monkeypatch.setenv("OPS_POSTGRES_BIN", str(mixed))
        error = self.refused(take, folder, Refused)
        assert error.what == f"pg_dump 14 is older than the server, which is {binaries.version}."
        assert "older pg_dump" in error.means

    def test_a_server_newer_than_all_programs_is_refused(self) -> None:
        with pytest.raises(Refused, match=r"pg_dump \d+ is older than the server, which is 99"):
            tools_for(99)

    @pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own needs root")
    def test_a_full_disk_leaves_nothing_and_says_so(
        self, take: Callable[..., Backup], large: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = tmp_path / "full"
        place.mkdir()
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(place)], check=False
        ).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            error = self.refused(take, place, Refused, folder=place)
            assert "A backup needs about" in error.what and "1.0 MB free" in error.what
            monkeypatch.setattr(taking, "_require_room", lambda *_: None)
            error = self.refused(take, place, Refused, folder=place)
            assert re.match(rf"The disk of {place} is full: [\d.]+ MB of the backup were written", error.what)
            assert "unfinished file was removed" in error.means
        finally:
            subprocess.run(["umount", str(place)], check=True)

    def test_a_limit_of_the_file_system_is_told_as_a_full_disk(
        self, take: Callable[..., Backup], folder: Path, large: str
    ) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
        try:
            assert "is full" in self.refused(take, folder, Refused).what
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    def test_a_server_that_goes_away_leaves_nothing(
        self, take: Callable[..., Backup], folder: Path, large: str, source: SupabaseDatabase, started: list[Program]
    ) -> None:
        def end(kind: str, payload: dict[str, Any]) -> None:
            if payload.get("doing") == "dump":
                with connect(source.admin) as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ops backup'"
                    )

        error = self.refused(take, folder, Unavailable, emit=Listener(end))
        assert "the server ended the connection" in error.what or "did not go on answering" in error.what
        assert programs_of_ours([one.pid for one in started]) == []

    def test_a_pg_dump_that_is_killed_leaves_nothing(
        self, take: Callable[..., Backup], folder: Path, large: str, started: list[Program]
    ) -> None:
        def kill(kind: str, payload: dict[str, Any]) -> None:
            if payload.get("doing") == "dump" and payload["index"] == 1:
                os.kill(started[0].pid, signal.SIGKILL)

        error = self.refused(take, folder, Unavailable, emit=Listener(kill))
        assert "pg_dump was ended from outside (signal 9)" in error.what

    @pytest.mark.parametrize("at", ["count", "dump", pytest.param("restore", marks=only_in_full)])
    def test_a_wish_to_stop_is_heard_everywhere(
        self, take: Callable[..., Backup], folder: Path, large: str, started: list[Program], at: str
    ) -> None:
        seen = Listener()
        with pytest.raises(Stopped):
            take(emit=seen, cancelled=lambda: any(one["doing"] == at for one in seen.of("table")))
        assert left_in(folder) == []
        assert programs_of_ours([one.pid for one in started]) == []

    def test_a_table_that_is_being_changed_is_not_waited_for(
        self, take: Callable[..., Backup], folder: Path, source: SupabaseDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(backup_contents._SETTINGS, "lock_timeout", "100ms")
        with connect(source.owner) as other:
            other.execute("BEGIN; LOCK TABLE public.users IN ACCESS EXCLUSIVE MODE")
            assert "locked" in self.refused(take, folder, Unavailable).what

    def test_rows_that_are_hidden_from_the_role_make_no_backup(
        self, take: Callable[..., Backup], folder: Path, source: SupabaseDatabase
    ) -> None:
        with connect(source.admin) as admin:
            admin.execute("ALTER TABLE public.journal_entries FORCE ROW LEVEL SECURITY")
            admin.execute("CREATE ROLE hidden_from LOGIN PASSWORD 'x'; GRANT postgres TO hidden_from")
        try:
            url = source.owner.replace("postgres:postgres-pw", "hidden_from:x")
            assert url != source.owner
            error = self.refused(take, folder, Refused, url=url)
            assert "may not read all" in error.what
        finally:
            with connect(source.admin) as admin:
                admin.execute("DROP ROLE hidden_from")

    def test_neither_password_nor_rows_show_in_a_command_line_or_environment(
        self, take: Callable[..., Backup], source: SupabaseDatabase, large: str, started: list[Program]
    ) -> None:
        shown: list[bytes] = []

        def look(kind: str, payload: dict[str, Any]) -> None:
            if payload.get("doing") == "dump" and not shown:
                process = Path(f"/proc/{started[0].pid}")
                shown.extend((process / name).read_bytes() for name in ("cmdline", "environ"))

        with pytest.raises(Stopped):
            take(emit=Listener(look), cancelled=lambda: bool(shown))
        assert len(shown) == 2 and b"--snapshot=" in shown[0]
        assert b"postgres-pw" not in b"".join(shown)


class TestWhere:
    def test_inside_a_repository_is_refused_but_for_our_home(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        with pytest.raises(Refused, match="inside the repository"):
            private_folder(tmp_path / "deep" / "backups")
        home = tmp_path / ".ops"
        assert private_folder(home / "backups", home=home).is_dir()

    def test_a_folder_that_others_can_read_is_refused(self, tmp_path: Path) -> None:
        place = tmp_path / "open"
        place.mkdir(mode=0o755)
        with pytest.raises(Refused) as refused:
            private_folder(place)
        assert f"chmod 700 {place}" in refused.value.do

    def test_what_a_killed_one_left_is_swept_and_what_is_being_written_is_not(self, tmp_path: Path) -> None:
        folder = tmp_path
        (folder / "staging-x.dump.age.partial").write_bytes(b"half")
        with new_file(folder, "staging", NOW) as first, new_file(folder, "other", NOW) as second:
            assert {first.so_far.name, second.so_far.name} == set(left_in(folder))

    @pytest.mark.parametrize("given", ["AGE-SECRET-KEY-1ABC", "age1nonsense", "", "ssh-ed25519 nonsense"])
    def test_a_recipient_that_is_none_is_refused_without_being_repeated(self, given: str) -> None:
        with pytest.raises(NotUnderstood) as refused:
            recipient_of(given)
        assert refused.value.place == "backup_recipient"
        assert not given or given not in str(refused.value)
