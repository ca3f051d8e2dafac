"""A real pgbouncer in front of a database, in whichever mode a test asks for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.database.connect import connection_parameters

PROGRAM = Path("/usr/sbin/pgbouncer")
READY_S = 5


@contextmanager
def poolers(url: str) -> Iterator[Callable[[str], str]]:
    """`start(mode)` starts pgbouncer in front of the database at `url` and returns its address; all end with the block.

    Skips the test where pgbouncer is not installed.
    """
    if not PROGRAM.exists():
        pytest.skip("pgbouncer is not installed: a pooler was NOT tried (apt-get install pgbouncer)")
    parts = connection_parameters(url)
    running: list[subprocess.Popen[bytes]] = []
    folders: list[Path] = []
    # pgbouncer does not run as root, and an ordinary account cannot enter pytest's own folder.
    account = ["-u", "nobody"] if os.geteuid() == 0 else []

    def start(mode: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        folder = Path(tempfile.mkdtemp(prefix=f"pooler-{mode}-"))
        folders.append(folder)
        (folder / "users.txt").write_text(f'"postgres" "{parts["password"]}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={parts['port']}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {folder}/users.txt\n"
            f"pool_mode = {mode}\nignore_startup_parameters = options\n"
        )
        folder.chmod(0o755)
        command = [str(PROGRAM), "-q", *account, str(folder / "pgbouncer.ini")]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        return f"postgresql://postgres:{parts['password']}@127.0.0.1:{port}/{parts['dbname']}"

    try:
        yield start
    finally:
        for process in running:
            process.terminate()
            process.wait(READY_S)
        for folder in folders:
            shutil.rmtree(folder)
