"""Knows how to keep a program, and all that it starts, from reaching others: a filter that the Linux kernel applies.

The watcher loads this file by its path, so it uses the standard library only. What is refused, with EPERM: connect, and
every way to send to an address that is named with the message. Connections that others make to the program work.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | errno.EPERM
_NUMBER, _MACHINE, _FIFTH_ARGUMENT = 0, 4, 48
"""Where in the kernel's `struct seccomp_data` these stand."""
_FOREIGN_CALLS = 0x40000000
"""From here on the numbers of x86-64 are those of another calling convention, with the same calls in it."""


_DISCARD = 9
"""A port of this machine, on which hardly anybody listens."""

_Machine = tuple[int, tuple[int, ...], int]
"""The kernel's name of a processor; the numbers there of connect, sendmsg, sendmmsg and io_uring_setup, by which all of
these could be made unseen; and that of sendto."""

_MACHINES: dict[str, _Machine] = {
    "x86_64": (0xC000003E, (42, 46, 307, 425), 44),
    "aarch64": (0xC00000B7, (203, 211, 269, 425), 206),
}


def cutting_off() -> Callable[[], bool]:
    """What cuts this process off for good, to be called later: rights may be dropped in between, after which the
    library could not be read. It gives whether connecting was then seen to be refused."""
    machine = _MACHINES.get(os.uname().machine)
    if sys.platform != "linux" or machine is None:
        return lambda: False
    control = ctypes.CDLL(None, use_errno=True).prctl
    rules = b"".join(_rules(machine))
    text = ctypes.create_string_buffer(rules, len(rules))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules) // 8, ctypes.addressof(text)))

    def cut() -> bool:
        kept = (text, program)  # the kernel reads them during the call
        if control(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
            return False
        return control(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(kept[1]), 0, 0) == 0 and _is_refused()

    return cut


def _is_refused() -> bool:
    """Whether connecting fails for want of leave. Nobody need listen there."""
    with socket.socket() as probe:
        try:
            probe.connect(("127.0.0.1", _DISCARD))
        except OSError as error:
            return error.errno == errno.EPERM
    return False


def _rules(machine: _Machine) -> Iterator[bytes]:
    """The filter: each rule tests what was loaded last, and says how many rules to leave out if so, and if not."""
    mark, refused, sendto = machine
    checks = [(_IF_AT_LEAST, _FOREIGN_CALLS), *((_IF_EQUAL, number) for number in refused)]
    # Behind these: is it sendto, and if so, are both halves of the address's place zero? Then allow, deny.
    deny = len(checks) + 6
    yield _rule(_LOAD, _MACHINE)
    yield _rule(_IF_EQUAL, mark, 0, deny + 1)
    yield _rule(_LOAD, _NUMBER)
    for place, (test, number) in enumerate(checks):
        yield _rule(test, number, deny - place - 1, 0)
    yield _rule(_IF_EQUAL, sendto, 0, 4)
    yield _rule(_LOAD, _FIFTH_ARGUMENT)
    yield _rule(_IF_EQUAL, 0, 0, 3)
    yield _rule(_LOAD, _FIFTH_ARGUMENT + 4)
    yield _rule(_IF_EQUAL, 0, 0, 1)
    yield _rule(_RETURN, _ALLOW)
    yield _rule(_RETURN, _DENY)


def _rule(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)
