"""How results are told: each result's document as lines for a person, with the exit code of its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboard.cli.answer import OF_VERDICT, Answer, columns

if TYPE_CHECKING:
    from services.database.rollback.roll_back import Preview

Document = Mapping[str, Any]


def deployment(result: Document) -> Answer:
    lines = [str(result["summary"])]
    failed = result.get("failure")
    if failed:
        lines.append(f"{failed['file']}:{failed['line']}  {failed['sqlstate']}  {failed['message']}")
    verified = result.get("verification")
    if verified:
        lines += _queries(verified["queries"])
    roles = result.get("roles") or {"trials": [], "not_tried": []}
    lines += [
        f"as {one['role']}: {one['object']} {one['message']}" for one in roles["trials"] if one["verdict"] != "pass"
    ]
    lines += [f"not tried: {why}" for why in roles["not_tried"]]
    lines.append(f"receipt: {result['receipt_id'] or 'none, nothing was applied'}")
    return Answer.of(result, [*lines, str(result["verdict"])], OF_VERDICT[result["verdict"]])


def verification(result: Document) -> Answer:
    return Answer.of(result, [*_queries(result["queries"]), str(result["verdict"])], OF_VERDICT[str(result["verdict"])])


def _queries(queries: Sequence[Document]) -> list[str]:
    return columns([(q["verdict"], q["id"], f"{q['rows']} rows", q["message"]) for q in queries])


def previewed(seen: Preview) -> Answer:
    """What a rollback would take and run; the keys of a rollback that was not done are null."""
    from services.database.rollback.blast_radius import rows_to_go, rows_to_go_sentence

    derived = {"sql": seen.sql, "not_restored": list(seen.not_restored)} if seen.derived else None
    document = {
        "blast_radius": [loss.to_json() for loss in seen.radius],
        "snapshot_id": None,
        "fingerprint_restored": None,
        "rows_lost": None,
        "rows_to_go": rows_to_go(seen.radius),
        "inverse": derived,
        "tried": seen.tried,
    }
    lines = _losses([loss.to_json() for loss in seen.radius])
    if derived is not None:
        lines += ["Derived from the catalog, since the release has no rollback scripts:", seen.sql]
        lines += [f"not restored: {one}" for one in seen.not_restored]
    if seen.tried:
        lines.append(seen.tried)
    return Answer.of(
        document, [*lines, rows_to_go_sentence(seen.radius), "This is what would go; nothing was changed."]
    )


def rolled_back(result: Document) -> Answer:
    lines = [
        *_losses(result["blast_radius"]),
        f"snapshot: {result['snapshot_id'] or 'none, nothing went that could be kept'}",
        *(f"parked: {table}" for table in result.get("parked", ())),
        *_conflicts(result),
        *([f"restore tried: {result['proof']}"] if result.get("proof") else []),
    ]
    good = ["the catalog is as before the deploy", f"{_many(result['rows_lost'], 'row')} lost"]
    if result.get("merged"):
        good.append(f"{_many(result['merged'], 'row')} that the deploy had taken brought back")
    bad = []
    if result["fingerprint_restored"] is None:
        bad.append("without a deploy receipt it cannot be told whether the catalog is as before the deploy")
    elif not result["fingerprint_restored"]:
        bad.append(f"the catalog is not as before the deploy ({result.get('not_restored') or 'see the receipt'})")
    if result["rows_lost"]:
        bad.append(f"{_many(result['rows_lost'], 'row')} lost")
    if result.get("proved") is False:
        bad.append("what was kept did not come back on a copy")
    return _ending(result, lines, good, [*bad, *_left(result)])


def _left(result: Document) -> list[str]:
    count = len(result.get("conflicts", ()))
    return [f"{_many(count, 'conflict')} left as now, for a person to decide"] if count else []


def _conflicts(result: Document) -> list[str]:
    told = []
    for one in result.get("conflicts", ()):
        keys = f", such as {', '.join(map(str, one['keys']))}" if one.get("keys") else ""
        rows = f" ({_many(one['rows'], 'row')}{keys})" if one.get("rows") else ""
        told.append(f"conflict: {one['table']}: {one['why']}{rows}" if one["table"] else f"conflict: {one['why']}")
    return told


def _ending(result: Document, lines: list[str], good: list[str], bad: list[str]) -> Answer:
    """The verdict in one sentence, as the last line: what is good where all is, else what is not."""
    verdict = str(result["verdict"])
    said = ", ".join(good) if verdict == "pass" or not bad else f"because {'; '.join(bad)}"
    return Answer.of(result, [*lines, f"{verdict}: {said}."], OF_VERDICT[verdict])


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _losses(radius: Sequence[Document]) -> list[str]:
    return columns(
        [(one["kind"], one["object"], _size(one["rows"], "rows"), _size(one["bytes"], "bytes")) for one in radius]
    )


def _size(number: int | None, unit: str) -> str:
    return "-" if number is None else f"{number} {unit}"


def restored(result: Document) -> Answer:
    lines = [
        *(f"stands again: {one}" for one in result.get("recreated", ())),
        *(f"not restored: {one}" for one in result.get("not_restored", ())),
        *(f"parked, not dropped: {one}" for one in result.get("parked", ())),
        *_conflicts(result),
    ]
    if kept := result.get("kept_snapshot_id"):
        lines.append(f"what lay in tables and columns that went is kept: restore {kept}")
    good = [f"{_many(result['rows_restored'], 'row')} brought back"]
    if result.get("rows_taken_out"):
        good.append(f"{_many(result['rows_taken_out'], 'row')} that the change had added gone again")
    if result.get("rows_kept"):
        good.append(f"{_many(result['rows_kept'], 'row')} written since kept")
    missing = result.get("not_restored") or ()
    return _ending(result, lines, good, [*missing, *_left(result)])
