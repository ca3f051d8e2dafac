"""Knows what differs between two matrices of access, and which is a fault: more for strangers, less for others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from services.database.inspection.access import Key, Matrix, Reach
from services.database.inspection.finding import InspectionFinding, broken, passed, unclear

_WORDS = {"select": "read", "insert": "insert into", "update": "update", "delete": "delete from", "execute": "call"}
_WHO = {
    "anon": "anon",
    "stranger": "every signed-in person",
    "person": "a signed-in person",
    "service_role": "service_role",
}
_OUTSIDERS = ("anon", "stranger")


def compare_access(
    before: Matrix, after: Matrix, *, there_before: Collection[str], secured: Collection[str],
    definers: Collection[str],
) -> list[InspectionFinding]:  # fmt: skip
    """What each caller can do now and could not before, or no more.

    there_before: names of objects that are not new; secured: of tables where row-level security is on;
    definers: of functions that run with their owner's rights.
    """
    found = []
    for key, now in sorted(after.items()):
        was = before.get(key)
        if key[2] == "execute":
            found += list(_of_call(key, was, now, definers))
        else:
            found += list(_of_rows(key, was, now, after, new=key[0] not in there_before, secured=key[0] in secured))
    return list(dict.fromkeys(found))


def _of_call(key: Key, was: Reach | None, now: Reach, definers: Collection[str]) -> Iterator[InspectionFinding]:
    name, caller, _ = key
    gained = now.allowed and (was is None or was.state == "refused")
    if gained and caller == "anon" and name in definers:
        yield broken("access", name, "anon can now call it, and it runs with its owner's rights.", "anon-execute")
    elif was is not None and was.allowed and now.state == "refused":
        yield broken("access", name, f"{_WHO[caller]} can no longer call it: {now.message}.", f"{caller}-execute-lost")


def _of_rows(
    key: Key, was: Reach | None, now: Reach, after: Mapping[Key, Reach], *, new: bool, secured: bool
) -> Iterator[InspectionFinding]:
    name, caller, command = key
    who, rule = _WHO[caller], f"{caller}-{command}"
    if now.state == "unknown":
        yield unclear("access", name, f"Whether {who} can {_WORDS[command]} it was {now.message}.", rule)
    elif now.state == "broken":
        if was is None or was.state != "broken":
            yield broken("access", name, f"Whoever comes by the REST server meets an error: {now.message}.", "error")
    elif now.allowed and _gained(was, now):
        if caller == "person" and after.get((name, "stranger", command), now).allowed:
            return  # told of everybody already
        yield _gain(key, now, new=new, secured=secured)
    elif now.state == "done" and not now.of_rows and command != "insert":
        return  # there is no row in it now that could be reached
    elif was is not None and was.allowed and not now.allowed and caller != "stranger":
        why = now.message or ("row-level security hides every row" if command == "select" else "no row is reached")
        said = f"{who} could {_WORDS[command]} it and cannot any more: {why}. What comes with that role fails now."
        yield broken("access", name, said, f"{rule}-lost")
    elif new and caller == "service_role" and now.state == "refused" and _sequence(now):
        yield broken("access", name, f"service_role may insert, and then fails: {now.message}.", f"{rule}-sequence")


def _gained(was: Reach | None, now: Reach) -> bool:
    if was is None or not was.allowed:
        return True
    same_rows = was.of_rows is not None and was.of_rows == now.of_rows
    return (same_rows and now.rows > was.rows) or bool(set(now.sensitive) - set(was.sensitive))


def _gain(key: Key, now: Reach, *, new: bool, secured: bool) -> InspectionFinding:
    name, caller, command = key
    outsider = caller in _OUTSIDERS
    # A policy that was written for a new table, and shows nothing that looks personal, was meant.
    meant = new and secured and command == "select" and not now.sensitive
    rows = f"{now.rows}{' or more' if now.rows >= 1000 else ''} row{'s' if now.rows != 1 else ''}"
    what = f"{_WORDS[command]} {rows} of {name}" if command in ("select", "update") else f"{_WORDS[command]} {name}"
    among = f", {', '.join(now.sensitive)} among the columns" if command == "select" and now.sensitive else ""
    said = f"{_WHO[caller]} can now {what}{among}."
    make = broken if outsider and not meant else passed
    return make("access", name, said, f"{caller}-{command}")


def _sequence(reach: Reach) -> bool:
    return "for sequence" in reach.message
