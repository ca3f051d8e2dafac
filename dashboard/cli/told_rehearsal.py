"""How a rehearsal is told in lines: the verdict and why, what fails, what it would take, lock, break and open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import indent
from typing import Any

from dashboard.cli.answer import OF_VERDICT, Answer, columns

Document = Mapping[str, Any]

_CLASSES = ("loss", "blocking", "security")
_AGAIN = {"fails": "fails", "catalog": "changes the catalog once more", "rows": "changes rows once more"}


def rehearsal(result: Document) -> Answer:
    """The document of `rehearse --json` for a person: the verdict stands last, where the eye is."""
    parts = (
        ("The copy", _shadow(result)),
        ("Statements", _statements(result)),
        ("Fails", _failure(result["failure"])),
        ("Fails too", _further(result)),
        ("Cannot run twice", _failure(result["second_run"])),
        ("Not the same when run twice", _again(result)),
        ("Works no longer", _inspected(result, meant=False)),
        ("Works no longer, as the script says", _inspected(result, meant=True)),
        ("Dangers", _dangers(result)),
        ("Asked of the target, read-only", _probes(result)),
        ("On the target's real size", _predicted(result)),
        ("Way back", _way_back(result)),
        ("Migrations", [str(one["message"]) for one in result.get("history", ())]),
        ("Advice, which blocks nothing", _advice(result)),
        ("Not known", [str(one) for one in result["unknown_because"]]),
    )
    lines: list[str] = []
    for title, told in parts:
        if told:
            lines += [title, *(indent(line, "  ") for line in told)]
    return Answer.of(result, [*lines, f"{result['verdict']}: {_why(result)}"], OF_VERDICT[result["verdict"]])


def _why(result: Document) -> str:
    """The verdict in a sentence."""
    from services.database.rehearsal.meant_breaks import broken_sentence

    if result["failure"]:
        return f"it fails at {_place(result['failure'])}. Nothing was changed."
    if result["second_run"]:
        return f"it runs once, and the second time it fails at {_place(result['second_run'])}."
    if broken := broken_sentence(result.get("inspection", ())):
        return broken
    if result["unknown_because"]:
        return "whether it would run on the target depends on what the copy cannot know (above)."
    dangers = len(result["dangers"])
    seen = f", with {dangers} danger{'s' if dangers > 1 else ''} to look at" if dangers else ""
    count = len(result["statements"])
    return f"{count} statement{'s' if count > 1 else ''} ran twice on a copy without an error{seen}."


def _place(one: Document) -> str:
    if one.get("line") is None:
        return str(one.get("file") or "COMMIT")
    return f"{one['file']}:{one['line']}"


def _shadow(result: Document) -> list[str]:
    """How the copy was made, where that is not the usual way."""
    shadow = result.get("shadow") or {}
    unusual = shadow.get("copied_by") == "definitions" or shadow.get("stands_in")
    return [str(shadow["sentence"])] if unusual else []


def _statements(result: Document) -> list[str]:
    apart = {(file, line) for file, line in result.get("apart", ())}
    lines = columns(
        (
            _place(one),
            one["lock"] or "-",
            f"{one['rows_written']} rows",
            f"{one['ms']} ms{', outside the transaction' if (one['file'], one['line']) in apart else ''}",
        )
        for one in result["statements"]
    )
    if order := result.get("order"):
        places = ", ".join(_place(result["statements"][index]) for index in order)
        lines.append(
            f"A deploy runs them in this order, so that long work comes before the first strong lock: {places}"
        )
    return lines


def _failure(failed: Document | None) -> list[str]:
    if not failed:
        return []
    lines = [f"{_place(failed)}  {failed['sqlstate']}  {failed['message']}"]
    lines += [str(failed[key]) for key in ("means", "fix") if failed.get(key)]
    return [*lines, *_form(failed.get("suggestion"))]


def _form(sql: str | None) -> Iterator[str]:
    """SQL that would help, set apart from the words."""
    yield from (f"> {line}" for line in (sql or "").splitlines())


def _further(result: Document) -> list[str]:
    lines: list[str] = []
    following = 0
    for one in result.get("further_failures", ()):
        if one["follows_from"] is not None:
            following += 1
            continue
        lines += [f"{_place(one)}  {one['sqlstate']}  {one['message']}", *_form(one.get("suggestion"))]
    return [*lines, f"{following} more follow from an earlier one"] if following else lines


def _again(result: Document) -> list[str]:
    lines: list[str] = []
    for one in result.get("not_idempotent", ()):
        lines += [f"{_place(one)}  {_AGAIN.get(one['kind'], one['kind'])}: {one['detail']}", *_form(one["guarded"])]
    return lines


def _inspected(result: Document, *, meant: bool) -> list[str]:
    found = [
        one for one in result.get("inspection", ()) if one["verdict"] == "fail" and bool(one.get("meant")) is meant
    ]
    return columns((one["kind"], one["object"], one["message"]) for one in found)


def _dangers(result: Document) -> list[str]:
    """By class, and in each by the place in the scripts; security findings that no danger tells stand last."""
    ordered = sorted(
        result["dangers"], key=lambda one: (_CLASSES.index(one["class"]), one.get("file") or "", one["line"] or 0)
    )
    lines = columns(
        (one["class"], _place(one) if one.get("line") else "-", one["object"], one["detail"]) for one in ordered
    )
    told = {one["object"] for one in ordered if one["class"] == "security"}
    return lines + [_finding(one) for one in result["security"] if one.get("object") not in told]


def _finding(finding: Document) -> str:
    return "  ".join(str(value) for value in finding.values() if value)


def _probes(result: Document) -> list[str]:
    return columns(
        (one["verdict"], one["object"], one["question"] + (f"  {one['rows']} rows" if one["rows"] is not None else ""))
        for one in result.get("probes", ())
    )


def _predicted(result: Document) -> list[str]:
    lines = [str(result["not_predicted"])] if result.get("not_predicted") else []
    if found := result.get("predicted"):
        waits = f"writers wait {found['stall_ms']:.0f} ms at most"
        within = f"right within a factor of {found['error']:g}"
        lines.append(f"{found['transaction_ms']:.0f} ms from BEGIN to COMMIT, {waits}, {within}")
    return lines


def _way_back(result: Document) -> list[str]:
    from services.database.inverse.derive import only_order

    found = result.get("inverse")
    if not found:
        return []
    passed = found["rehearsed"] == "pass"
    if passed:
        lines = ["Derived from what changed; deployed, rolled back and deployed again on the copy."]
        lines += [str(found["why"])] if found.get("why") else []
    else:
        lines = [f"Derived from what changed. {found.get('why') or 'It was not tried.'}"]
    left = [one for one in found["not_restored"] if not (passed and only_order(one))]
    return lines + [f"Does not come back by itself: {one}" for one in left]


def _advice(result: Document) -> list[str]:
    told = {(one.get("rule"), one.get("object")) for one in result["security"]}
    lines = columns(_advised(one for one in result.get("advice", ()) if (one["rule"], one["object"]) not in told))
    before = result.get("like_this_before")
    return [*lines, f"Not this change's doing: {before}"] if before else lines


def _advised(advice: Iterable[Document]) -> Iterator[tuple[str, str, str]]:
    return ((str(one["level"]), str(one["object"]), str(one["message"])) for one in advice)
