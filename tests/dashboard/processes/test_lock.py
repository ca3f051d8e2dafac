"""One home, one dashboard: who holds the lock, and what becomes of one whose holder was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dashboard.processes.lock import HomeLock
from services.errors import Refused, Unavailable


def test_a_second_start_is_told_where_the_first_one_runs(tmp_path: Path) -> None:
    with HomeLock(tmp_path).take() as lock:
        lock.tell({"pid": os.getpid(), "address": "http://127.0.0.1:8507"})
        with pytest.raises(Refused, match=r"runs already at http://127\.0\.0\.1:8507"):
            HomeLock(tmp_path).take()


def test_the_lock_is_free_again_after_release(tmp_path: Path) -> None:
    with HomeLock(tmp_path).take():
        assert HomeLock(tmp_path).is_taken()
    assert not HomeLock(tmp_path).is_taken()
    with HomeLock(tmp_path).take():
        pass


def _leave_behind(home: Path) -> subprocess.Popen[bytes]:
    """A holder that is dead, and a child of it that still holds the lock it inherited; it ends when told to."""
    lock = HomeLock(home).take()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock.tell({"pid": gone.pid})
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock.descriptor])
    os.close(lock.descriptor)
    return child


def test_a_start_waits_for_the_children_of_a_killed_one(tmp_path: Path) -> None:
    child = _leave_behind(tmp_path)
    timer = threading.Timer(0.3, child.communicate, args=(b"\n",))
    timer.start()
    with HomeLock(tmp_path).take(wait_s=10):
        assert child.poll() is not None or child.wait(5) == 0
    timer.join()


def test_children_that_do_not_go_are_named_and_nothing_starts(tmp_path: Path) -> None:
    child = _leave_behind(tmp_path)
    with pytest.raises(Unavailable, match="has not ended"):
        HomeLock(tmp_path).take(wait_s=0.2)
    child.communicate(b"\n")
