"""The wish to stop arrives, also where the process was started with SIGINT ignored."""

from __future__ import annotations

import os
import select
import signal

import pytest

from dashboard.processes.signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_is_heard_by_event_and_by_descriptor(number: signal.Signals) -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), number)
        assert signals.event.wait(2)
        assert select.select([signals.descriptor], [], [], 2)[0]


def test_an_ignored_interrupt_is_heard_and_ignored_again_afterwards() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.event.wait(2)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
