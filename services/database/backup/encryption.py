"""Knows how a backup is encrypted: for whom, with which identity it is opened, and what a file that does not open has.

The format is age (age-encryption.org/v1), so that a file can be opened years later without this program.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import pyrage  # type: ignore[import-untyped]

from services.errors import NotUnderstood

Recipient: TypeAlias = Any
Identity: TypeAlias = Any
"""Objects of the library, which comes without types: made here, and only handed on elsewhere."""

WhyNot = Literal["wrong-key", "damaged"]

_SECRET = "AGE-SECRET-KEY-"  # how the secret part begins, no secret itself
_MOST_KEY_BYTES = 64 * 1024


class Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...


class NotOpened(Exception):
    """An encrypted file did not open; reason: the identity is none of its recipients, or its bytes are not whole."""

    def __init__(self, reason: WhyNot) -> None:
        super().__init__(reason)
        self.reason: WhyNot = reason


@dataclass(frozen=True, slots=True)
class KeyPair:
    """recipient: the public part, for settings; secret: what opens the files, kept by a person and by nobody else."""

    recipient: str
    secret: str = field(repr=False)


def new_key() -> KeyPair:
    """A fresh key pair. Nothing is stored: whoever asked keeps the secret part."""
    identity = pyrage.x25519.Identity.generate()
    return KeyPair(str(identity.to_public()), str(identity))


def public_part(secret: str) -> str:
    """The recipient that belongs to a secret part."""
    (identity,) = identities_of(secret)
    return str(identity.to_public())


def ephemeral_identity() -> Identity:
    """An identity that lives only in memory, for as long as somebody holds it."""
    return pyrage.x25519.Identity.generate()


def recipient_of(text: str, *, place: str = "backup_recipient") -> Recipient:
    """The recipient that a setting names: `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`.

    Raises NotUnderstood, never repeating the text: it may be the secret part by mistake.
    """
    text = text.strip()
    if text.upper().startswith(_SECRET) or "PRIVATE KEY" in text:
        raise NotUnderstood(
            "What is given as the recipient of backups is the secret part of a key.",
            "Nothing was done: with it here, whoever reads our settings could read the backups.",
            "Put the public part here (age1...), of a new key pair: the secret has been where it does not belong.",
            place=place,
        )
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise NotUnderstood(
            "The recipient of backups is no public key of age.",
            "Nothing was done.",
            "`backup --new-key` makes a key pair; put its public part (age1...) here. ssh-ed25519 and ssh-rsa do too.",
            place=place,
        ) from None


def read_identity(value: str, environ: Mapping[str, str], *, place: str = "--identity") -> str:
    """The text of an identity: what the variable of `env:NAME` holds, or the contents of a file.

    Raises NotUnderstood; a secret typed as the value itself is refused, since command lines show in the process list.
    """
    if value.upper().startswith(_SECRET):
        raise NotUnderstood(
            "The secret part of a key was given on the command line, where every process can read it.",
            "Nothing was opened.",
            "Give a file, or env:NAME.",
            place=place,
        )
    if value.startswith("env:"):
        name = value.removeprefix("env:")
        if not environ.get(name):
            raise NotUnderstood(
                f"The environment variable {name or '(none named)'} holds no identity.",
                "Nothing was opened.",
                "Set it to the secret part of the key, or name a file.",
                place=place,
            )
        return environ[name]
    try:
        with Path(value).open("rb") as file:
            return file.read(_MOST_KEY_BYTES).decode(errors="replace")
    except OSError as error:
        raise NotUnderstood(
            f"The identity file {value} cannot be read ({os.strerror(error.errno or 0)}).",
            "Nothing was opened.",
            "Name the file that holds the secret part of the key, or env:NAME.",
            place=place,
        ) from None


def identities_of(text: str, *, place: str = "--identity") -> tuple[Identity, ...]:
    """Every identity in the text: the lines that `age-keygen` writes, or one SSH private key without a passphrase."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    try:
        if "PRIVATE KEY" in text:
            return (pyrage.ssh.Identity.from_buffer(text.encode()),)
        found = tuple(pyrage.x25519.Identity.from_str(line) for line in lines)
    except pyrage.IdentityError:
        found = ()
    if found:
        return found
    raise NotUnderstood(
        "What is given as the identity holds no secret key of age.",
        "Nothing was opened.",
        f"It is a line that begins with {_SECRET}1, or an SSH private key without a passphrase.",
        place=place,
    )


def encrypt(source: Reader, sink: Writer, recipients: Sequence[Recipient]) -> None:
    """Encrypt all that `source` gives into `sink`, in blocks of 64 KiB. Raises what source or sink raised."""
    reading, writing = _Remembering(source=source), _Remembering(sink=sink)
    try:
        pyrage.encrypt_io(reading, writing, list(recipients))
    except (pyrage.EncryptError, OSError) as error:
        raise reading.failure or writing.failure or error from None


def decrypt(source: Reader, sink: Writer, identities: Sequence[Identity]) -> None:
    """Decrypt all of `source` into `sink`; each block is authentic when it is written, the whole when this returns.

    Raises NotOpened, or what source or sink raised.
    """
    reading, writing = _Remembering(source=source), _Remembering(sink=sink)
    try:
        pyrage.decrypt_io(reading, writing, list(identities))
    except (pyrage.DecryptError, OSError) as error:
        if failure := reading.failure or writing.failure:
            raise failure from None
        raise NotOpened("wrong-key" if "No matching keys" in str(error) else "damaged") from None


class _Remembering:
    """A source or sink that keeps what it failed with: the library passes on its text alone."""

    def __init__(self, source: Reader | None = None, sink: Writer | None = None) -> None:
        self._source = source
        self._sink = sink
        self.failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        assert self._source is not None
        try:
            return self._source.read(size)
        except BaseException as error:
            self.failure = error
            raise

    def write(self, data: bytes) -> int:
        assert self._sink is not None
        try:
            return self._sink.write(data)
        except BaseException as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """The sink has each block as soon as it is written."""
