"""Reading a YAML file that people write: one mapping, and errors with their file and line."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.errors import NotUnderstood


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as one mapping. Raises NotUnderstood with the file and line where it is not one."""
    from ruamel.yaml.error import MarkedYAMLError

    place = f"{path.parent.name}/{path.name}"
    try:
        document = deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise NotUnderstood(f"The file is not YAML: {error.problem}.", place=place + line) from None
    if not isinstance(document, dict):
        raise NotUnderstood("The file must hold one mapping.", place=place)
    return document


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """What a text says; the same text is parsed once, which takes fifty times as long as a copy."""
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)
