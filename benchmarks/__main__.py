"""`python -m benchmarks [GROUP ...]`: prints one table of all groups (see `GROUPS`), or of those named."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measures import Measure, table


def _deploys() -> list[Measure]:
    from benchmarks.deploys import measure_deploys

    with tempfile.TemporaryDirectory(prefix="ops-bench-") as folder:
        return measure_deploys(Path(folder))


def _lock_queue() -> list[Measure]:
    from benchmarks.lock_queue import measure_lock_queue

    with tempfile.TemporaryDirectory(prefix="ops-bench-") as folder:
        return measure_lock_queue(Path(folder))


def _processes() -> list[Measure]:
    from benchmarks.processes import measure_processes

    return measure_processes()


def _checks() -> list[Measure]:
    from benchmarks.checks import measure_checks

    return measure_checks()


def _rehearsals() -> list[Measure]:
    from benchmarks.rehearsals import measure_rehearsals

    return measure_rehearsals()


def _clicks() -> list[Measure]:
    from benchmarks.clicks import measure_clicks

    return measure_clicks()


def _blast_radius() -> list[Measure]:
    from benchmarks.blast_radius import measure_blast_radius

    return measure_blast_radius()


def _cancels() -> list[Measure]:
    from benchmarks.cancels import measure_cancels

    return measure_cancels()


def _large_catalogs() -> list[Measure]:
    from benchmarks.large_catalogs import measure_large_catalogs

    return measure_large_catalogs()


GROUPS: dict[str, Callable[[], list[Measure]]] = {
    "deploys": _deploys,
    "lock_queue": _lock_queue,
    "large_catalogs": _large_catalogs,
    "cancels": _cancels,
    "rehearsals": _rehearsals,
    "processes": _processes,
    "checks": _checks,
    "clicks": _clicks,
    "blast_radius": _blast_radius,
}


def main(named: list[str]) -> int:
    unknown = [name for name in named if name not in GROUPS]
    if unknown:
        print(f"There is no benchmark '{unknown[0]}'. Known: {', '.join(GROUPS)}.", file=sys.stderr)
        return 64
    measures: list[Measure] = []
    for name in named or GROUPS:
        print(f"Measuring {name} ...", file=sys.stderr, flush=True)
        measures += GROUPS[name]()
    print("\n".join(table(measures)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
