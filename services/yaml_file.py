"""Reading a YAML file that people write: one mapping, and errors with their file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.errors import NotUnderstood


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as one mapping. Raises NotUnderstood with the file and line where it is not one."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    place = f"{path.parent.name}/{path.name}"
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise NotUnderstood(f"The file is not YAML: {error.problem}.", place=place + line) from None
    if not isinstance(document, dict):
        raise NotUnderstood("The file must hold one mapping.", place=place)
    return document
