"""A scratch server lies in memory only where all that it may hold surely fits, and where nobody named a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.database import scratch_folder as asked
from services.database.rehearsal.shadow import ALL_ROWS_BYTES, shadow
from services.database.scratch_folder import SPARE_BYTES, scratch_folders

GIB = 1024**3


@pytest.fixture
def roomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """`roomy(free, available)`: a memory folder with so many bytes free, on a machine with so many available."""
    monkeypatch.setattr(asked, "MEMORY", tmp_path)

    def made(free: int, available: int) -> None:
        facts = tmp_path / "meminfo"
        facts.write_text(f"MemTotal: 1 kB\nMemAvailable: {available // 1024} kB\n", encoding="ascii")
        monkeypatch.setattr(asked, "_MEMORY_FACTS", facts)
        monkeypatch.setattr(asked.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    return made


def test_what_surely_fits_goes_into_memory(roomy: Callable[[int, int], None]) -> None:
    roomy(8 * GIB, 8 * GIB)
    assert asked.scratch_folder(GIB, {}) == asked.MEMORY
    assert asked.scratch_folder(8 * GIB - SPARE_BYTES, {}) == asked.MEMORY
    assert asked.scratch_folder(8 * GIB - SPARE_BYTES + 1, {}) != asked.MEMORY


def test_little_memory_a_small_folder_or_an_unknown_size_means_the_disk(roomy: Callable[[int, int], None]) -> None:
    on_disk = Path(tempfile.gettempdir())
    roomy(64 * 1024**2, 64 * GIB)
    assert asked.scratch_folder(0, {}) == on_disk
    roomy(64 * GIB, GIB)
    assert asked.scratch_folder(0, {}) == on_disk
    roomy(64 * GIB, 64 * GIB)
    assert asked.scratch_folder(None, {}) == on_disk
    assert asked.scratch_folder(0, {"TMPDIR": "/somewhere"}) == on_disk
    asked._MEMORY_FACTS.write_text("nothing of use\n", encoding="ascii")
    assert asked.scratch_folder(0, {}) == on_disk


def test_left_overs_are_looked_for_wherever_a_server_may_lie(roomy: Callable[[int, int], None]) -> None:
    roomy(GIB, GIB)
    assert scratch_folders({}) == (Path(tempfile.gettempdir()), asked.MEMORY)
    assert scratch_folders({"TMPDIR": "/somewhere"}) == (Path(tempfile.gettempdir()),)


def test_a_shadow_says_how_much_it_may_come_to_hold(monkeypatch: pytest.MonkeyPatch, make_database) -> None:
    told: list[int | None] = []

    def stop(**asked_for: int | None) -> None:
        told.append(asked_for["needs_bytes"])
        raise InterruptedError

    monkeypatch.setattr("services.database.rehearsal.shadow.scratch_server", stop)
    url = make_database()
    for on_disk in (False, True):
        with pytest.raises(InterruptedError), shadow(url, rows="none", on_disk=on_disk):
            pass
    assert told[1] is None
    assert told[0] is not None and 0 < told[0] <= 10 * ALL_ROWS_BYTES
