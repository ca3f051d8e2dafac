"""How results are told: each result's document as lines for a person, with the exit code of its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboard.cli.answer import BAD, GOOD, OF_VERDICT, Answer, columns

if TYPE_CHECKING:
    from services.database.rollback.roll_back import Preview

Document = Mapping[str, Any]


def rehearsal(result: Document) -> Answer:
    lines = columns(
        [
            (f"{s['file']}:{s['line']}", s["lock"] or "-", f"{s['rows_written']} rows", f"{s['ms']} ms")
            for s in result["statements"]
        ]
    )
    for name, label in (("failure", "fails"), ("second_run", "cannot run twice")):
        failed = result[name]
        if failed:
            lines.append(f"{label}: {failed['file']}:{failed['line']}  {failed['sqlstate']}  {failed['message']}")
    lines += [
        f"fails too: {one['file']}:{one['line']}  {one['sqlstate']}  {one['message']}"
        for one in result.get("further_failures", ())
        if one["follows_from"] is None
    ]
    lines += [f"danger ({d['class']}): {d['object']}  {d['detail']}" for d in result["dangers"]]
    lines += [f"security: {finding}" for finding in map(_finding, result["security"])]
    lines += [f"migrations: {one['message']}" for one in result.get("history", ())]
    lines += [
        f"newly broken: {one['kind']} {one['object']}  {one['message']}"
        for one in result.get("inspection", ())
        if one["verdict"] == "fail"
    ]
    lines += [f"not known: {reason}" for reason in result["unknown_because"]]
    lines += [*_not_blocking(result), *_predicted(result)]
    return Answer.of(result, [*lines, str(result["verdict"])], OF_VERDICT[result["verdict"]])


def _not_blocking(result: Document) -> list[str]:
    """What a person should know and what the verdict does not look at."""
    told = {(one["rule"], one["object"]) for one in result["security"]}
    lines = [
        f"advice ({one['level']}, blocks nothing): {one['object']}  {one['message']}"
        for one in result.get("advice", ())
        if (one["rule"], one["object"]) not in told
    ]
    before = result.get("like_this_before")
    return [*lines, f"not this change's doing: {before}"] if before else lines


def _predicted(result: Document) -> list[str]:
    found = result.get("predicted")
    lines = [str(result["not_predicted"])] if result.get("not_predicted") else []
    if found:
        lines.append(
            f"on the real size: {found['transaction_ms']:.0f} ms from BEGIN to COMMIT, writers wait "
            f"{found['stall_ms']:.0f} ms at most, right within a factor of {found['error']:g}"
        )
    return lines


def _finding(finding: Document) -> str:
    return "  ".join(str(value) for value in finding.values())


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
    }
    lines = _losses([loss.to_json() for loss in seen.radius])
    if derived is not None:
        lines += ["Derived from the catalog, since the release has no rollback scripts:", seen.sql]
        lines += [f"not restored: {one}" for one in seen.not_restored]
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
    conflicts = result.get("conflicts") or []
    lines = [f"{result['rows_restored']} rows are back.", *(f"conflict: {one}" for one in conflicts)]
    return Answer.of(result, lines, BAD if conflicts else GOOD)
