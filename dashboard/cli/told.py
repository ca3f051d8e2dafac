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
        f"snapshot: {result['snapshot_id']}",
        *(f"parked: {table}" for table in result.get("parked", ())),
        *(f"conflict: {conflict}" for conflict in result.get("conflicts", ())),
        f"catalog restored: {_YES_NO[result['fingerprint_restored']]}",
        f"rows lost: {result['rows_lost']}",
    ]
    if result.get("proof"):
        lines.append(f"restore tried: {result['proof']}")
    return Answer.of(result, lines, OF_VERDICT[result["verdict"]])


_YES_NO: Mapping[bool | None, str] = {True: "yes", False: "NO", None: "not known, there is no deploy receipt"}


def _losses(radius: Sequence[Document]) -> list[str]:
    return columns(
        [(one["kind"], one["object"], _size(one["rows"], "rows"), _size(one["bytes"], "bytes")) for one in radius]
    )


def _size(number: int | None, unit: str) -> str:
    return "-" if number is None else f"{number} {unit}"


def restored(result: Document) -> Answer:
    lines = [
        f"{result['rows_restored']} rows are back.",
        *(f"stands again: {one}" for one in result.get("recreated", ())),
        *([f"{gone} rows that the change had added are gone."] if (gone := result.get("rows_taken_out")) else []),
        *(f"not restored: {one}" for one in result.get("not_restored", ())),
        *(f"conflict: {one}" for one in result.get("conflicts", ())),
    ]
    return Answer.of(result, lines, OF_VERDICT[str(result.get("verdict", "pass"))])
