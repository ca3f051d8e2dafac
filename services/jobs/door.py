"""The private way into a worker: a Unix socket that only this account reaches, for handing over an address.

Words are four bytes of length and a JSON text; they hold no secret. The visitor says what is wanted and how long the
secret is; only where the worker says "go on" it is sent, and the worker says what became of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.errors import NotUnderstood, OpsError, Refused, Unavailable

FOLDER = "arming"
PATIENCE_S = 5.0
LONGEST_WORDS = 20_000
GO_ON: Mapping[str, Any] = {"go_on": True}
_LONGEST_PATH = 100
"""Of a socket's address in bytes; some systems take no more than 104."""
_LENGTH = struct.Struct("!I")


class Door:
    """The listening side. Open from the start; `close` takes its place in the folder away."""

    def __init__(self, home: Path) -> None:
        folder = home / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        _sweep(folder)
        self._path = folder / f"{secrets.token_hex(4)}.sock"
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(self._path) as address:
                self._listening.bind(address)
            self._path.chmod(0o600)
            self._listening.listen(4)
        except OSError:
            self._listening.close()
            raise

    def fileno(self) -> int:
        return self._listening.fileno()

    def accept(self) -> socket.socket:
        """Who comes next. Raises PermissionError where it is not a process of our own account."""
        peer, _ = self._listening.accept()
        peer.settimeout(PATIENCE_S)
        try:
            _require_same_account(peer)
        except OSError:
            peer.close()
            raise
        return peer

    def close(self) -> None:
        self._listening.close()
        self._path.unlink(missing_ok=True)


def hand_over(home: Path, wanted: Mapping[str, Any], secret: bytes) -> Mapping[str, Any]:
    """Give a secret to a living worker of this home; returns its answer.

    Raises Refused or NotUnderstood as the worker said, Unavailable where none of this home answers.
    """
    for path in sorted((home / FOLDER).glob("*.sock")):
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError), _connected(path) as peer:
            return _exchange(peer, wanted, secret)
    raise Unavailable(
        "No worker of this folder is there to hold the address.",
        "Nothing was armed.",
        "Start one with `python -m dashboard run` or `python -m dashboard worker`, with the same OPS_HOME.",
        place=str(home),
    ).because("no-worker")


def read_words(peer: socket.socket) -> Mapping[str, Any]:
    """What the other side says. Raises ValueError or ConnectionError for what is not words of ours."""
    (length,) = _LENGTH.unpack(_exactly(peer, _LENGTH.size))
    if length > LONGEST_WORDS:
        raise ValueError("too long")
    said = json.loads(_exactly(peer, length))
    if not isinstance(said, dict):
        raise ValueError("not an object")
    return said


def answer(peer: socket.socket, words: Mapping[str, Any]) -> None:
    """Answer; who has left meanwhile gets none."""
    with contextlib.suppress(OSError):
        _say(peer, words)


def _say(peer: socket.socket, words: Mapping[str, Any]) -> None:
    text = json.dumps(words).encode()
    peer.sendall(_LENGTH.pack(len(text)) + text)


def refusal(error: OpsError) -> Mapping[str, Any]:
    return {"error": error.to_json(), "exit_code": error.exit_code}


def _exchange(peer: socket.socket, wanted: Mapping[str, Any], secret: bytes) -> Mapping[str, Any]:
    try:
        _say(peer, {**wanted, "length": len(secret)})
        said = read_words(peer)
        if said == GO_ON:
            peer.sendall(secret)
            said = read_words(peer)
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"The worker gave no answer that can be understood ({type(error).__name__}).",
            "Whether the target is armed is not known.",
            "Look at /settings, or disarm and try again.",
        ) from None
    if "error" in said:
        raise _error(said["error"], int(said["exit_code"]))
    return said


def _error(parts: Mapping[str, Any], exit_code: int) -> OpsError:
    kinds = {kind.exit_code: kind for kind in (Refused, Unavailable, NotUnderstood)}
    return kinds.get(exit_code, Refused)(parts["what"], parts["means"], parts["do"], parts["place"])


@contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(PATIENCE_S)
        with _address(path) as address:
            peer.connect(address)
        try:
            _require_same_account(peer)
        except PermissionError:
            raise Refused(
                "The worker of this folder runs under another account than you.",
                "Nothing was armed: an address is handed over within one account only.",
                "Run this command as the account that runs the worker.",
                place=str(path.parent),
            ) from None
        yield peer


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's address; by way of its open folder where its path is longer than a socket's may be (Linux)."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    if sys.platform != "linux":
        raise Unavailable(
            f"The path of {path.parent} is too long for a private socket.",
            "Nothing can be armed here.",
            "Set OPS_HOME to a folder with a shorter path.",
            place="OPS_HOME",
        )
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _require_same_account(peer: socket.socket) -> None:
    """By what the kernel says of the other side (Linux); elsewhere the folder's mode alone keeps others out."""
    if not hasattr(socket, "SO_PEERCRED"):
        return
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    if uid != os.geteuid():
        raise PermissionError("the other side is another account")


def _exactly(peer: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        got = peer.recv(size - len(read))
        if not got:
            raise ConnectionError("the peer left in the middle")
        read += got
    return read


def _sweep(folder: Path) -> None:
    """Take away the sockets of workers that were killed: nobody listens there."""
    for path in folder.glob("*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, _address(path) as address:
            try:
                probe.connect(address)
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
