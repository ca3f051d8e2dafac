"""Knows what a file must hold for a deploy to be bound to it: what `rehearse --json` printed, of this very release."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from services.errors import NotUnderstood, Refused
from services.releases.bundle import Release

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEANS = "Nothing was changed."


def rehearsal_in(file: Path, release: Release) -> Mapping[str, Any]:
    """The rehearsal that a file holds.

    Raises NotUnderstood, with the place of the fault, for what `rehearse --json` does not print, and Refused where it
    is not one that lets this release pass.
    """
    found = _document(file)
    if fault := next(_faults(found), None):
        _not_one(file, fault)
    if found["verdict"] != "pass" or found["content_hash"] != release.content_hash:
        passed = found["verdict"] == "pass"
        why = f"was of another content than {release.id} has now" if passed else "did not pass"
        raise Refused(f"The rehearsal in {file} {why}.", _MEANS, "Rehearse again.", "--rehearsal")
    if fault := next(_not_bound(found), None):
        _not_one(file, fault)
    return found


def _document(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotUnderstood(
            f"{file} cannot be read ({error.strerror}).", _MEANS, "Name the file that was written.", "--rehearsal"
        ) from None
    except json.JSONDecodeError as error:
        _not_one(file, f"line {error.lineno}, column {error.colno} is no JSON ({error.msg})")
    except UnicodeDecodeError as error:
        _not_one(file, f"byte {error.start} is no UTF-8")
    except (ValueError, RecursionError):
        _not_one(file, "it is no JSON")
    if not isinstance(found, dict):
        _not_one(file, "it is no object")
    return found


def _not_one(file: Path, fault: str) -> NoReturn:
    raise NotUnderstood(
        f"{file} does not hold what `rehearse --json` prints: {fault}.",
        f"{_MEANS[:-1]}: a deploy could not be bound to it.",
        "Write it anew, with `rehearse --json` of this version.",
        "--rehearsal",
    ) from None


def _faults(found: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with any rehearsal, whatever it found; the first says enough."""
    if found.get("verdict") not in ("pass", "fail", "unknown"):
        yield "verdict is none of pass, fail and unknown"
    if not _is_digest(found.get("content_hash")):
        yield "content_hash is not 64 hexadecimal digits"
    statements = found.get("statements")
    if not isinstance(statements, list):
        yield "statements is no list"
        return
    for place, one in enumerate(statements):
        yield from (f"statements[{place}]{fault}" for fault in _faults_of(one))
    order = found.get("order")
    if order is not None and not (isinstance(order, list) and all(type(place) is int for place in order)):
        yield "order is neither null nor a list of whole numbers"


def _faults_of(statement: Any) -> Iterator[str]:
    if not isinstance(statement, dict):
        yield " is no object"
        return
    for key, kind, said in (("file", str, "text"), ("line", int, "whole number"), ("sql", str, "text")):
        if type(statement.get(key)) is not kind:
            yield f".{key} is no {said}"
    locks = statement.get("locks")
    if locks is not None and not (isinstance(locks, dict) and all(isinstance(mode, str) for mode in locks.values())):
        yield ".locks is no object of names"
    wait = statement.get("stall_ms")
    if wait is not None and (type(wait) not in (int, float) or not math.isfinite(wait) or wait < 0):
        yield ".stall_ms is neither null nor a number of milliseconds"


def _not_bound(found: Mapping[str, Any]) -> Iterator[str]:
    """What a rehearsal that passed must have for a deploy to be bound to it."""
    for key in ("target_fingerprint", "plan_hash"):
        if not _is_digest(found.get(key)):
            yield f"{key} is not 64 hexadecimal digits"


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
