"""The disk under our own files: which kinds do not stay, and how the machine is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.cli.doctor.disk import Disk, disk_of, disk_problems, filesystem_of
from dashboard.cli.doctor.told import Notice

SOUND = Disk(Path("/srv/ops"), "ext4", swept=False, on_railway=False, volume=False)
MOUNTS = [
    "27 1 254:0 / / rw,relatime - overlay overlay rw",
    "30 27 0:27 / /data rw - ext4 /dev/vda rw",
    "31 30 0:28 / /data/in\\040memory rw shared:1 - tmpfs tmpfs rw",
    "nonsense",
]


def changed(**facts: object) -> Disk:
    return Disk(**{**{name: getattr(SOUND, name) for name in Disk.__slots__}, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/srv", "overlay"), ("/data/x", "ext4"), ("/data/in memory/y", "tmpfs"), ("/database", "overlay")],
)
def test_the_deepest_mount_above_a_path_holds_it(place: str, kind: str) -> None:
    assert filesystem_of(Path(place), MOUNTS) == kind


def test_without_a_mount_nothing_is_known() -> None:
    assert filesystem_of(Path("/srv"), ["nonsense"]) is None


@pytest.mark.parametrize("disk", [SOUND, changed(filesystem="overlay", on_railway=True, volume=True)])
def test_a_disk_that_stays_is_no_problem(disk: Disk) -> None:
    assert list(disk_problems(disk)) == []


@pytest.mark.parametrize(
    ("disk", "why"),
    [
        (changed(filesystem="tmpfs"), "in memory"),
        (changed(filesystem="overlay"), "in the container itself"),
        (changed(swept=True), "swept"),
        (changed(on_railway=True), "no volume of Railway"),
    ],
)
def test_a_disk_that_does_not_stay_is_told_with_the_reason(disk: Disk, why: str) -> None:
    (problem,) = disk_problems(disk)
    assert why in problem.what
    assert (problem.place, problem.exit_code) == ("OPS_HOME", 1)


def test_where_the_system_does_not_say_it_is_unknown_and_no_failure() -> None:
    (notice,) = disk_problems(changed(filesystem=None))
    assert isinstance(notice, Notice)
    assert "not known" in notice.what
    assert notice.exit_code == 0


def test_the_facts_are_those_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 1 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path} rw - tmpfs x rw\n")
    found = disk_of(tmp_path / "not" / "yet", {}, mounts)
    assert (found.filesystem, found.swept, found.on_railway) == ("tmpfs", True, False)
    assert disk_of(tmp_path, {}, tmp_path / "none").filesystem is None


def test_a_volume_of_railway_is_known_by_its_variable(tmp_path: Path) -> None:
    environ = {"RAILWAY_SERVICE_ID": "x", "RAILWAY_VOLUME_MOUNT_PATH": str(tmp_path)}
    found = disk_of(tmp_path / "ops", environ)
    assert (found.on_railway, found.volume) == (True, True)
    assert not disk_of(tmp_path.parent, environ).volume
