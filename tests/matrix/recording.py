"""What the checks said, written down so that a second recording of the same world gives the same file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.verdict import Evidence

RECORDED = Path(__file__).with_name("recorded")
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONGEST_LIST = 5
HEALTHY = "healthy"
BEFORE = "release-not-deployed"  # the world before the release bears the name of the cause that explains it
WHOLE = (HEALTHY, BEFORE)
NO_DIGEST = "0" * 64

Document = dict[str, dict[str, Any]]

_TIME = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_MARK = re.compile(r"ops-probe-[0-9a-f]+")
_REQUEST = re.compile(r"\breq_[0-9a-f]{8,}")
_MS = re.compile(r"\b\d+(?:\.\d+)?(?= ms\b)")
_SECONDS = re.compile(r"\b\d+\.\d+(?= s\b)")


class Recorder:
    """Makes what differs between two runs equal: ids in order of appearance, names, times, durations, digests.

    names: what else is another one in each world (ports, the project's reference), and what to write in its place
    """

    def __init__(self, now: datetime, names: Mapping[str, str] | None = None) -> None:
        self._now = now
        self._names = dict(names or {})
        self._ids: dict[str, str] = {}

    def evidence(self, one: Evidence) -> dict[str, Any]:
        """An evidence that `Evidence.from_json` reads again."""
        said = one.to_json()
        lasts = one.expires - one.started
        return {
            **said,
            "summary": self._text(said["summary"]),
            "facts": self._value(said["facts"]),
            "input": self._value(said["input"]),
            "digest": NO_DIGEST,
            "started": MOMENT.isoformat(),
            "took_ms": _rounded(said["took_ms"]),
            "expires": (MOMENT + lasts).isoformat(),
        }

    def _value(self, value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            return {self._text(str(key)): self._value(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(inner, name) for inner in value[:LONGEST_LIST]]
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and name.endswith(("_ms", "_s", "_bytes")):
            return _rounded(value)
        return value

    def _text(self, text: str) -> str:
        text = _TIME.sub(lambda found: self._moment(found.group()), text)
        text = _UUID.sub(lambda found: self._number(found.group()), text)
        for name, written in self._names.items():
            text = text.replace(name, written)
        text = _MARK.sub("ops-probe-0", text)
        text = _REQUEST.sub("req_0", text)
        text = _MS.sub(lambda found: f"{_rounded(float(found.group())):g}", text)
        return _SECONDS.sub(lambda found: f"{float(found.group()):.0f}.0", text)

    def _moment(self, text: str) -> str:
        """The same time counted from the recorded moment, to the nearest ten minutes; a day alone stays a day."""
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return text
        if len(text) == len("2026-03-01"):
            return (MOMENT.date() + (at.date() - self._now.date())).isoformat()
        moved = (at if at.tzinfo else at.replace(tzinfo=UTC)) + (MOMENT - self._now) + timedelta(minutes=5)
        return moved.replace(minute=moved.minute - moved.minute % 10, second=0, microsecond=0).isoformat()

    def _number(self, found: str) -> str:
        return self._ids.setdefault(found, f"00000000-0000-4000-8000-{len(self._ids) + 1:012}")


def _rounded(number: float) -> float:
    """Durations to the second from one second on, below it to the tenth: 37 -> 0, 240 -> 200, 6031 -> 6000."""
    step = 1000 if abs(number) >= 1000 else 100
    return round(number / step) * step if abs(number) >= 50 else 0


def differing(document: Document, healthy: Document) -> Document:
    """What of a document says something else than the healthy world; how long it took is no difference."""
    return {
        check: one for check, one in document.items() if check not in healthy or _said(one) != _said(healthy[check])
    }


def _said(one: Mapping[str, Any]) -> Any:
    return one["verdict"], one["link"], _timeless(one["facts"])


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _timeless(one) for name, one in value.items() if not name.endswith(("_ms", "_s"))}
    return [_timeless(one) for one in value] if isinstance(value, list | tuple) else value


def record(
    name: str, evidence: Iterable[Evidence], now: datetime, names: Mapping[str, str], forbidden: Iterable[str]
) -> Path:
    """Write recorded/<name>.json: {check id: evidence}; of a fault only what differs from the healthy world.

    Raises ValueError where a forbidden text would be in it.
    """
    recorder = Recorder(now, names)
    document = {one.check_id: recorder.evidence(one) for one in evidence}
    if name not in WHOLE:
        document = differing(document, _read(HEALTHY))
    return write(name, document, forbidden)


def write(name: str, document: Document, forbidden: Iterable[str] = ()) -> Path:
    """Write a document as it is kept."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    found = [word for word in forbidden if word and word in text]
    if found:
        raise ValueError(f"{name}: {len(found)} forbidden texts are in the evidence, first of {len(found[0])} letters")
    RECORDED.mkdir(exist_ok=True)
    path = RECORDED / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    return path


def recorded(name: str) -> dict[str, Evidence]:
    """Everything that was seen under the name, the same as in the healthy world included."""
    document = _read(name) if name in WHOLE else _read(HEALTHY) | _read(name)
    return {check_id: Evidence.from_json(one) for check_id, one in document.items()}


def _read(name: str) -> Document:
    path = RECORDED / f"{name}.json"
    found: Document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found
