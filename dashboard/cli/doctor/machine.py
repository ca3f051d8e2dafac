"""Whether this machine stays awake, and whether it stands where what it watches stands: only what can be seen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.cli.doctor.told import Notice
from services.errors import OpsError
from services.settings import Target

POWER = Path("/sys/class/power_supply")
A_NAP_S = 60.0
"""Sleep since the start of the machine that counts; less is how its two clocks differ."""


@dataclass(frozen=True, slots=True)
class Wakefulness:
    """battery: whether the machine runs on one, None where that is not told; slept_s: seconds since its start."""

    battery: bool | None
    slept_s: float | None


def wakefulness(power: Path = POWER) -> Wakefulness:
    """What this machine tells about its sleep."""
    return Wakefulness(_has_battery(power), _slept_s())


def _has_battery(power: Path) -> bool | None:
    if not power.is_dir():
        return None
    return any(_is_battery(supply) for supply in power.iterdir())


def _is_battery(supply: Path) -> bool:
    """Whether a supply is a battery of the machine itself, and not one of a mouse."""
    try:
        kind = (supply / "type").read_text(encoding="ascii").strip()
        scope = (supply / "scope").read_text(encoding="ascii").strip() if (supply / "scope").exists() else "System"
    except OSError:
        return False
    return kind == "Battery" and scope != "Device"


def _slept_s() -> float | None:
    """Seconds of sleep since the start: one of Linux's clocks goes on meanwhile and the other does not."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC))


def sleep_problems(seen: Wakefulness) -> Iterator[OpsError]:
    """At most one: that the machine sleeps, may sleep, or that nothing is known about it."""
    means = "While it sleeps nothing is watched, no job goes on, and what is armed is not held as long as it says."
    do = "Run the worker on a machine that stays on: docs/running-elsewhere.md shows how."
    if seen.slept_s is not None and seen.slept_s > A_NAP_S:
        yield OpsError(f"This machine has slept for {_for(seen.slept_s)} since it was started.", means, do)
    elif seen.battery:
        yield Notice("This machine has a battery: a laptop sleeps when it is closed.", means, do)
    elif seen.slept_s is None:
        yield Notice("Whether this machine sleeps is not known: this system does not say.", means, do)


def _for(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"


def place_problems(environ: Mapping[str, str], targets: Sequence[Target]) -> Iterator[OpsError]:
    """One for each target whose platform is the one that we run on ourselves."""
    if not any(name.startswith("RAILWAY_") for name in environ):
        return
    for target in targets:
        if target.railway_url is None and target.railway_token is None:
            continue
        same = environ.get("RAILWAY_SERVICE_ID") in {target.railway_service_id} - {None}
        where = "in the very service that is watched" if same else "on the platform that is watched"
        yield OpsError(
            f"We run on Railway, {where} as {target.name}.",
            "When it fails we fail with it: nobody is told, and the way back is closed.",
            "Run us elsewhere: docs/running-elsewhere.md shows how.",
            place=f"targets.{target.name}.railway_url",
        )
