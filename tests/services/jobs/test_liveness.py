"""Who lives: a process id says something only where we could see the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.jobs.liveness import process_is_gone, this_host


@pytest.fixture(scope="module")
def gone() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_process_that_ended_here_is_known_to_be_gone(gone: int) -> None:
    assert process_is_gone(this_host(), gone)


def test_of_a_machine_or_container_that_only_bears_our_name_nothing_is_known(gone: int) -> None:
    name, *rest = this_host().split("/")
    assert rest, "the start of the machine and the space of process ids belong to it"
    for other in (name, "/".join([name, "another-start", *rest[1:]]), "/".join([name, *rest[:-1], "pid:[1]"]), None):
        assert not process_is_gone(other, gone)
