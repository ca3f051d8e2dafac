"""Knows whether tables with triggers still take rows: one inserted, updated and deleted, so that each fires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.database.inspection.catalog import Catalog, Relation
from services.database.inspection.error_kinds import Kind, function_in, kind_of
from services.database.inspection.finding import InspectionFinding, broken, passed, unclear
from services.database.inspection.probing import REACHES_OUT, Answer, Prober
from services.database.inspection.rows import MadeRow, RowMaker
from services.database.names import identifier

NO_ROW = "no-row"
"""The rule of findings that say only that we could not make a row."""


def check_rows(
    catalog: Catalog, prober: Prober, relations: Iterable[Relation], maker: RowMaker
) -> list[InspectionFinding]:
    """One finding for each of insert, update and delete that fires a trigger, of each table."""
    wanted = [one for one in relations if one.holds_rows and not one.partition and catalog.triggers_of(one)]
    catalog.prepare(wanted)
    return [finding for one in wanted for finding in _tried(catalog, prober, one, maker)]


def _tried(catalog: Catalog, prober: Prober, relation: Relation, maker: RowMaker) -> Iterator[InspectionFinding]:
    triggers = catalog.triggers_of(relation)
    bodies = [catalog.routine_by_oid[one.function].body for one in triggers if one.function in catalog.routine_by_oid]
    if any(REACHES_OUT.search(body) for body in bodies):
        said = "A trigger acts outside the database, so no row was written."
        yield unclear("insert", relation.name, said, "reaches-out")
        return
    role = relation.owner if relation.owner in prober.roles else None
    made = maker.make(relation, role=role)
    if any(one.insert for one in triggers):
        yield _judged("insert", relation, made, [one.name for one in triggers if one.insert])
    columns = ", ".join(
        f"{name} = {name}" for one in catalog.columns(relation) if not one.made for name in [identifier(one.name)]
    )
    row = f"(tableoid, ctid) = (SELECT tableoid, ctid FROM {relation.name} ORDER BY ctid DESC LIMIT 1)"
    changes = {
        "update": f"UPDATE {relation.name} SET {columns} WHERE {row}" if columns else "",
        "delete": f"DELETE FROM {relation.name} WHERE {row}",
    }
    for kind, statement in changes.items():
        fired = [one.name for one in triggers if getattr(one, kind)]
        if not fired or not statement:
            continue
        first = f"{made.statement}; " if made.answer.good else ""
        if not first and not maker.has_rows(relation):
            yield unclear(kind, relation.name, f"There is no row, and none could be made: {made.why}.", NO_ROW)
            continue
        answer = prober.attempt(f"{first}{statement}; SET CONSTRAINTS ALL IMMEDIATE", role=role)
        yield _judged(kind, relation, MadeRow(statement, answer, "" if answer.good else answer.message), fired)


def _judged(kind: str, relation: Relation, made: MadeRow, fired: list[str]) -> InspectionFinding:
    answer, function = made.answer, function_in(made.answer)
    if answer.good:
        return passed(kind, relation.name, f"It went through; triggers that fire: {', '.join(sorted(fired))}.")
    if answer.says_nothing:
        return unclear(kind, relation.name, f"It was not told in time ({answer.sqlstate}).", answer.sqlstate or "")
    meaning = kind_of(answer, has_arguments=False)
    if function and meaning in (Kind.BROKEN, Kind.REFUSED):
        return broken(kind, relation.name, _sentence(kind, function, answer), answer.sqlstate or "")
    if function:
        return unclear(kind, relation.name, _sentence(kind, function, answer), answer.sqlstate or "")
    return unclear(kind, relation.name, f"No row could be made: {made.why or answer.message}.", NO_ROW)


def _sentence(kind: str, function: str, answer: Answer) -> str:
    word = {"insert": "An INSERT", "update": "An UPDATE", "delete": "A DELETE"}[kind]
    return f"{word} fails in {function}: {answer.message} ({answer.sqlstate})."
