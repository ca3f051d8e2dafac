"""The causes that an app knows as a page: id, what it is, which checks decide it, and its playbook."""

from __future__ import annotations

from collections.abc import Iterable

from services.incidents.causes import Cause, Causes

HEAD = """\
# Causes

What `python -m dashboard diagnose` can tell apart. A cause is named only where something decides it; where nothing
fits, the diagnosis is "unknown" and says what was ruled out. What the sandbox can break bears the id of its fault.

This page is written by `python -m dashboard diagnose --causes --markdown`.

| id | cause | decided by | playbook |
| --- | --- | --- | --- |
"""


def deciding_checks(cause: Cause) -> tuple[str, ...]:
    """The checks of which one has to speak before the cause is named, each once, in the order of its signs."""
    return tuple(dict.fromkeys(check for sign in cause.signs if sign.decides for check in sign.check))


def markdown(catalogue: Causes) -> str:
    """docs/causes.md, in the order of the catalogue."""
    return HEAD + "".join(_row(cause) for cause in catalogue.causes)


def _row(cause: Cause) -> str:
    checks = _listed(f"`{check}`" for check in deciding_checks(cause))
    return f"| `{cause.id}` | {cause.title} | {checks} | `{cause.playbook}` |\n"


def _listed(names: Iterable[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    given = list(names)
    more = f" and {len(given) - most} more" if len(given) > most else ""
    return ", ".join(given[:most]) + more
