"""A program that is cut off reaches nobody, by no call and through no program that it starts; it can be reached."""

from __future__ import annotations

import os
import socket
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from services.database.watcher import Watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a filter")

PROGRAM = """
import socket, subprocess, sys
port = int(sys.argv[1])
def tried(name, act):
    try:
        act()
        print(name, "went through", flush=True)
    except OSError as error:
        print(name, type(error).__name__, flush=True)
def datagram():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tried("connect", lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close())
tried("sendto", lambda: datagram().sendto(b"x", ("127.0.0.1", port)))
tried("sendmsg", lambda: datagram().sendmsg([b"x"], [], 0, ("127.0.0.1", port)))
one, other = socket.socketpair()
tried("send", lambda: one.send(b"x"))
if len(sys.argv) == 2:
    subprocess.run([sys.executable, sys.argv[0], str(port), "child"])
    listening = socket.create_server(("127.0.0.1", 0))
    print("listens", listening.getsockname()[1], flush=True)
    print("hears", listening.accept()[0].recv(9).decode(), flush=True)
"""


@pytest.mark.parametrize("cut_off", [True, False])
def test_who_is_cut_off_reaches_nobody_and_can_be_reached(tmp_path: Path, cut_off: bool) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    said: dict[str, list[str]] = defaultdict(list)
    read, write = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    with socket.create_server(("127.0.0.1", 0)) as stranger, os.fdopen(read, encoding="utf-8") as told:
        argv = [sys.executable, str(program), str(stranger.getsockname()[1])]
        with Watched(argv, log=tmp_path / "log", streams=(nothing, write, write), cut_off=cut_off) as child:
            os.close(nothing)
            os.close(write)
            assert child.cut_off is cut_off
            for line in told:
                name, _, what = line.strip().partition(" ")
                said[name].append(what)
                if name == "listens":
                    with socket.create_connection(("127.0.0.1", int(what))) as into:
                        into.sendall(b"hello")
    came = ["PermissionError" if cut_off else "went through"] * 2  # the program's own, and that of what it starts
    assert (said["connect"], said["sendto"], said["sendmsg"]) == (came, came, came)
    assert (said["send"], said["hears"]) == (["went through"] * 2, ["hello"])
