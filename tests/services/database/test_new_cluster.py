"""New clusters: copies of one that initdb made and nobody used, each with a password of its own."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from services.database import new_cluster
from services.database.binaries import Binaries
from services.database.new_cluster import make_cluster
from services.database.scram import scram_verifier
from services.database.server import Server, scratch_server

PROGRAMS = Binaries(Path("/usr/bin"), 17, "installed")


class Making:
    """A stand-in for initdb and the server: writes what is looked at, and counts."""

    def __init__(self) -> None:
        self.made = 0

    def run(
        self, command: Sequence[str], programs: Binaries, account: object, deadline_s: float, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("-D") + 1])
        if command[0].endswith("initdb"):
            self.made += 1
            (folder / "PG_VERSION").write_text(f"{programs.version}\n")
            (folder / "global").mkdir()
            (folder / "global" / "pg_control").write_text("control")
        else:
            (folder / "password").write_text(typed)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Making:
    making = Making()
    monkeypatch.setattr(new_cluster, "_run", making.run)
    monkeypatch.setattr(new_cluster, "cache_folder", lambda: tmp_path / "cache")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "postgres").write_text("")
    return making


def make(tmp_path: Path, name: str, version: int = 17) -> Path:
    made = tmp_path / name
    make_cluster(Binaries(tmp_path / "bin", version, "installed"), made, None, f"password-of-{name}", 5)
    return made


def kept(tmp_path: Path) -> list[Path]:
    return [one for one in (tmp_path / "cache" / "clusters").iterdir() if one.name != "lock"]


def test_initdb_runs_once(making: Making, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        assert (make(tmp_path, name) / "global" / "pg_control").read_text() == "control"
    assert making.made == 1


def test_each_has_its_own_password_and_the_kept_one_has_none_of_them(making: Making, tmp_path: Path) -> None:
    for name in ("first", "second"):
        told = (make(tmp_path, name) / "password").read_text()
        salt = re.search(r"SCRAM-SHA-256\$1:([^$]+)\$", told)
        assert salt is not None
        given = scram_verifier(f"password-of-{name}", salt=base64.b64decode(salt[1]), iterations=1)
        assert f"'{given}'" in told
        assert f"password-of-{name}" not in told
    assert not (kept(tmp_path)[0] / "password").exists()


def test_nobody_else_may_enter_where_it_is_kept(making: Making, tmp_path: Path) -> None:
    make(tmp_path, "first")
    assert stat.S_IMODE((tmp_path / "cache" / "clusters").stat().st_mode) == 0o700


def test_a_folder_that_others_could_write_into_is_not_used(making: Making, tmp_path: Path) -> None:
    (tmp_path / "cache" / "clusters").mkdir(parents=True)
    (tmp_path / "cache" / "clusters").chmod(0o755)
    for name in ("first", "second"):
        make(tmp_path, name)
    assert making.made == 2


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("PG_VERSION", None),
        ("PG_VERSION", "16\n"),
        ("global/pg_control", None),
        ("postmaster.pid", "1\n"),
        ("postmaster.opts", ""),
    ],
)
def test_a_part_another_version_or_one_that_was_used_is_made_anew(
    making: Making, tmp_path: Path, file: str, text: str | None
) -> None:
    make(tmp_path, "first")
    place = kept(tmp_path)[0] / file
    place.unlink() if text is None else place.write_text(text)
    make(tmp_path, "second")
    make(tmp_path, "third")
    assert making.made == 2


def test_one_that_is_open_to_others_is_made_anew(making: Making, tmp_path: Path) -> None:
    make(tmp_path, "first")
    kept(tmp_path)[0].chmod(0o755)
    make(tmp_path, "second")
    assert making.made == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_one_of_another_account_is_made_anew(making: Making, tmp_path: Path) -> None:
    make(tmp_path, "first")
    os.chown(kept(tmp_path)[0], 65534, 65534)
    make(tmp_path, "second")
    assert making.made == 2


def test_other_programs_and_another_start_of_the_machine_have_their_own(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "first")
    (tmp_path / "bin" / "postgres").write_text("newer")
    make(tmp_path, "second")
    (tmp_path / "boot").write_text("another")
    monkeypatch.setattr(new_cluster, "_BOOT", tmp_path / "boot")
    make(tmp_path, "third")
    assert making.made == 3


def test_without_a_start_that_can_be_told_each_is_made(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_cluster, "_BOOT", tmp_path / "none")
    for name in ("first", "second"):
        make(tmp_path, name)
    assert making.made == 2


def test_it_does_not_grow_and_what_a_killed_maker_left_goes(making: Making, tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / "bin" / "postgres").write_text("x" * number)
        make(tmp_path, f"of-{number}")
        (tmp_path / "cache" / "clusters" / f".new-{number}").mkdir()
    (tmp_path / "bin" / "postgres").write_text("x" * 99)
    make(tmp_path, "last")
    assert len(kept(tmp_path)) == 6


def test_a_copy_that_fails_is_no_failure(making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "first")
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no cp
    assert (make(tmp_path, "second") / "PG_VERSION").exists()
    assert making.made == 2


def test_makers_at_once_make_one(making: Making, tmp_path: Path) -> None:
    makers = [threading.Thread(target=make, args=(tmp_path, f"of-{number}")) for number in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert making.made == 1
    assert all((tmp_path / f"of-{number}" / "PG_VERSION").exists() for number in range(4))


def test_the_password_of_one_server_does_not_open_another(postgres_server: Server) -> None:
    with scratch_server() as other, psycopg.connect(other.dsn()) as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("supabase_admin",)
        password = psycopg.conninfo.conninfo_to_dict(other.dsn())["password"]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(psycopg.conninfo.make_conninfo(postgres_server.dsn(), password=password))
