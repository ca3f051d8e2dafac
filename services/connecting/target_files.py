"""The file in which a target made here is kept: read, checked as settings, replaced in one step, private to us."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.connecting.credential_digest import plain
from services.errors import NotUnderstood, Refused, Unavailable
from services.settings import Settings, Target, load_settings, origin_of

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
RESERVED = frozenset({"sandbox", "database", "address"})
"""Names that mean something else already: the embedded world, a plain database, an address that is looked at."""

Values = dict[str, Any]


class TargetFile:
    """The file of one target, held by one writer at a time."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self.name = name
        self.path = settings.home / "targets" / f"{name}.json"

    @property
    def place(self) -> str:
        """How settings call this file where they say where a value comes from."""
        return f"targets/{self.name}.json"

    def read(self) -> Values | None:
        """What the file says; None where there is none. Raises Unavailable where it cannot be read."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"{self.place} cannot be read as JSON ({type(error).__name__}).",
                "Nothing was changed.",
                "Mend or remove it.",
                place=self.place,
            ) from None
        return dict(found)

    def check(self, values: Mapping[str, Any]) -> Target:
        """The target that the values make, with what other sources say of it. Raises NotUnderstood with every problem,
        never with a value.

        They are read as settings are, from a folder of their own, so that no rule of the settings is known twice.
        """
        try:
            return self._read_apart({**values, **self.said_elsewhere()})
        except OSError as error:
            raise self._not_written(error) from None

    def _read_apart(self, values: Mapping[str, Any]) -> Target:
        self._settings.home.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".checking-", dir=self._settings.home) as folder:
            apart = Path(folder)
            _replace(apart / "targets" / f"{self.name}.json", values)
            environ = {"OPS_HOME": folder, "OPS_STORE_URL": self._settings.store_url}
            try:
                return load_settings(environ, apart).target(self.name)
            except NotUnderstood as error:
                raise NotUnderstood(error.what, "Nothing was kept.", error.do, error.place) from None

    def said_elsewhere(self) -> Values:
        """What the environment or a file of somebody's hand says about the target, which wins over this file."""
        target = self._settings.targets.get(self.name)
        if target is None:
            return {}
        others = [
            key
            for key in type(target).model_fields
            if key != "name" and origin_of(self._settings, self.name, key) not in (None, self.place)
        ]
        return {key: plain(getattr(target, key)) for key in others}

    def write(self, values: Mapping[str, Any]) -> None:
        """Replace the file in one step by one that only we can read. Raises Unavailable where it cannot be written."""
        try:
            _replace(self.path, values)
        except OSError as error:
            raise self._not_written(error) from None

    def _not_written(self, error: OSError) -> Unavailable:
        return Unavailable(
            f"{self.place} cannot be written ({error.strerror or type(error).__name__}).",
            "Nothing was changed.",
            "Look at the folder's rights and at the disk.",
            place=self.place,
        )

    def put_back(self, values: Mapping[str, Any] | None) -> None:
        """Make the file what it was before."""
        if values is None:
            self.path.unlink(missing_ok=True)
        else:
            self.write(values)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else on this machine changes the file meanwhile."""
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / f".{self.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def refuse_what_is_not_ours(settings: Settings, target: Target, *keys: str) -> None:
    """Raises Refused, naming where a value comes from, where the environment or a file of somebody's hand says it."""
    if target.fault_control_url is not None:
        raise Refused(
            f"{target.name} is the embedded world, which writes its settings itself.",
            "Nothing was changed.",
            "Make a target of your own to go through the levels.",
        )
    ours = TargetFile(settings, target.name).place
    for key in keys:
        origin = origin_of(settings, target.name, key)
        if origin not in (None, ours):
            raise Refused(
                f"{key} of {target.name} is set in {origin}, which wins over what is kept here.",
                "Nothing was changed.",
                "Change it there, or take it out there.",
                place=str(origin),
            )


def require_name(name: str) -> None:
    """Raises NotUnderstood for a name that a target cannot have."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise NotUnderstood(
            f"A target cannot be called '{name[:60]}'.",
            "Nothing was made.",
            "Use up to 40 small letters, digits and dashes, beginning with a letter: staging, production.",
            place="name",
        )


def _replace(path: Path, values: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(json.dumps(dict(values), indent=1, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
