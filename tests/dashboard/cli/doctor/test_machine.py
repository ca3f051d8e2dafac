"""The machine: whether it sleeps, and whether it stands where what it watches stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.cli.doctor.machine import Wakefulness, place_problems, sleep_problems, wakefulness
from services.settings import Target

LIVE = Target(name="live", railway_url="https://railway.example/graphql/v2", railway_service_id="ours")


def supply(power: Path, name: str, **facts: str) -> None:
    (power / name).mkdir(parents=True)
    for fact, value in facts.items():
        (power / name / fact).write_text(f"{value}\n")


def test_a_machine_that_stays_awake_is_no_problem() -> None:
    assert list(sleep_problems(Wakefulness(battery=False, slept_s=0.2))) == []


@pytest.mark.parametrize(
    ("seen", "part", "code"),
    [
        (Wakefulness(battery=False, slept_s=600), "slept for 10 minutes", 1),
        (Wakefulness(battery=None, slept_s=36_000), "slept for 10 hours", 1),
        (Wakefulness(battery=True, slept_s=0), "a battery", 0),
        (Wakefulness(battery=None, slept_s=None), "not known", 0),
    ],
)
def test_sleep_is_told_as_far_as_it_is_seen(seen: Wakefulness, part: str, code: int) -> None:
    (told,) = sleep_problems(seen)
    assert part in told.what
    assert told.exit_code == code


def test_a_battery_of_the_machine_is_told_from_that_of_a_mouse(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains")
    supply(tmp_path, "mouse", type="Battery", scope="Device")
    supply(tmp_path, "odd")
    assert wakefulness(tmp_path).battery is False
    supply(tmp_path, "BAT0", type="Battery")
    assert wakefulness(tmp_path).battery is True


def test_without_that_folder_a_battery_is_unknown(tmp_path: Path) -> None:
    assert wakefulness(tmp_path / "none").battery is None


def test_without_that_clock_sleep_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    assert wakefulness(tmp_path).slept_s is None


def test_running_on_the_platform_that_is_watched() -> None:
    (problem,) = place_problems({"RAILWAY_PROJECT_ID": "p", "RAILWAY_SERVICE_ID": "other"}, [LIVE, Target(name="x")])
    assert "on the platform that is watched as live" in problem.what
    (worse,) = place_problems({"RAILWAY_SERVICE_ID": "ours"}, [LIVE])
    assert "the very service" in worse.what


def test_running_elsewhere_is_no_problem() -> None:
    assert list(place_problems({"PATH": "/bin"}, [LIVE])) == []
    assert list(place_problems({"RAILWAY_PROJECT_ID": "p"}, [Target(name="x")])) == []
