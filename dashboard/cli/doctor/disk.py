"""Whether the disk under our own files is still there after a restart, as far as the machine says so."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dashboard.cli.doctor.told import Notice
from services.errors import OpsError

MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
OF_A_CONTAINER = frozenset({"overlay", "aufs", "fuse-overlayfs"})


@dataclass(frozen=True, slots=True)
class Disk:
    """Where a folder lies. filesystem: None where the machine does not say; swept: below a folder for passing things.

    on_railway: we run there; volume: it lies on a volume that Railway keeps
    """

    folder: Path
    filesystem: str | None
    swept: bool
    on_railway: bool
    volume: bool


def disk_of(folder: Path, environ: Mapping[str, str], mounts: Path = MOUNTS) -> Disk:
    """The facts about a folder, or where it does not exist yet about the nearest one above it."""
    place = next(one for one in (folder, *folder.parents) if one.exists()).resolve()
    try:
        filesystem = filesystem_of(place, mounts.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        filesystem = None
    volume = environ.get("RAILWAY_VOLUME_MOUNT_PATH", "")
    temporary = {Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")}  # noqa: S108 - asked, not used
    return Disk(
        folder=folder,
        filesystem=filesystem,
        swept=any(place.is_relative_to(one) for one in temporary),
        on_railway=any(name.startswith("RAILWAY_") for name in environ),
        volume=bool(volume) and place.is_relative_to(volume),
    )


def filesystem_of(place: Path, mounts: Iterable[str]) -> str | None:
    """The kind of the file system that holds a path: of the deepest mount above it, and of the last one there.

    mounts: the lines of mountinfo (proc(5)): "36 35 98:0 /root /mount/point options ... - ext4 source options"
    """
    best: tuple[int, str] | None = None
    for line in mounts:
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if not dash or len(fields) < 5 or not kind:
            continue
        point = Path(fields[4].replace("\\040", " ").replace("\\134", "\\"))
        if place.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), kind[0])
    return best[1] if best else None


def disk_problems(disk: Disk) -> Iterator[OpsError]:
    """At most one: why what we keep there will not stay, or that it is not known whether it will."""
    why = _why_it_goes(disk)
    if why is not None:
        yield OpsError(
            f"{disk.folder} {why}.",
            "Runs, evidence, the audit and the proofs of levels are gone after that.",
            "Set OPS_HOME to a folder on a disk that stays, or OPS_STORE_URL to a Postgres database.",
            place="OPS_HOME",
        )
    elif disk.filesystem is None:
        yield Notice(
            f"Whether the disk under {disk.folder} outlives a restart is not known: this system does not say.",
            "Where it does not, runs, evidence and the audit go with it.",
            "Look whether OPS_HOME is on a disk that stays.",
            place="OPS_HOME",
        )


def _why_it_goes(disk: Disk) -> str | None:
    if disk.volume:
        return None
    if disk.on_railway:
        return "is on no volume of Railway, so that it is emptied with each deploy"
    if disk.filesystem in IN_MEMORY:
        return f"lies in memory ({disk.filesystem}), so that it is empty after a restart"
    if disk.filesystem in OF_A_CONTAINER:
        return f"lies in the container itself ({disk.filesystem}), so that it goes when the container is replaced"
    if disk.swept:
        return "lies below a folder for passing things, which is swept now and then"
    return None
