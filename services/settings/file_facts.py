"""What the machine knows of our settings files: who can read them, and whether git keeps them."""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from pathlib import Path

_ENTRY = struct.Struct(">40x20sH")
_EXTENDED = 0x4000
_LENGTH = 0x0FFF


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One settings file. shown: as people call it; mode: its permission bits; tracked: None where that is not known."""

    shown: str
    mode: int
    tracked: bool | None


def settings_files(home: Path, root: Path) -> list[FileFacts]:
    """The settings files that exist, as they are now."""
    files = {f".streamlit/{path.name}": path for path in [root / ".streamlit" / "secrets.toml"]}
    files |= {f"targets/{path.name}": path for path in sorted((home / "targets").glob("*.json"))}
    found = []
    for shown, path in files.items():
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode):
            found.append(FileFacts(shown, stat.S_IMODE(mode), is_tracked(path.resolve())))
    return found


def is_tracked(path: Path) -> bool | None:
    """Whether the git repository around a file keeps it; False where there is none, None where it cannot be read."""
    top = next((folder for folder in path.parents if (folder / ".git").exists()), None)
    if top is None:
        return False
    try:
        names = index_names(_git_folder(top / ".git").joinpath("index").read_bytes())
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return None if names is None else path.relative_to(top).as_posix().encode() in names


def _git_folder(git: Path) -> Path:
    """The folder itself, or the one that a worktree's file names."""
    if git.is_dir():
        return git
    return git.parent / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()


def index_names(index: bytes) -> set[bytes] | None:
    """The files that a git index of version 2 or 3 lists; None for another one.

    Each entry is 62 bytes, two more where it is extended, the name, and zeros up to a multiple of eight:
    https://git-scm.com/docs/index-format
    """
    if len(index) < 12 or index[:4] != b"DIRC" or index[4:8] not in {b"\0\0\0\2", b"\0\0\0\3"}:
        return None
    names, at = set(), 12
    for _ in range(int.from_bytes(index[8:12], "big")):
        if at + _ENTRY.size > len(index):
            return None
        _, flags = _ENTRY.unpack_from(index, at)
        begins = at + _ENTRY.size + (2 if flags & _EXTENDED else 0)
        ends = index.find(b"\0", begins) if flags & _LENGTH == _LENGTH else begins + (flags & _LENGTH)
        names.add(index[begins:ends])
        at += (ends - at) // 8 * 8 + 8
    return names
