"""Knows which sequences a change gave to another column, and how they are kept from going with what goes."""

from __future__ import annotations

from dataclasses import replace

from services.database.definitions.definition import Definition, Definitions


def let_go(before: Definitions, after: Definitions, *, same_database: bool) -> tuple[tuple[str, ...], Definitions]:
    """The statements after which such a sequence belongs to no column, and the definitions as they are then.

    Only sequences that stand on both sides: the server would drop one of them with its column or table of now.
    """
    found = dict(after.by_key)
    texts: list[str] = []
    for tie in after.ordered:
        if tie.kind != "owned by" or tie.drop is None or tie.part_of not in found:
            continue
        sequence = found[tie.part_of]
        was = before.by_place.get((sequence.kind, sequence.oid, 0)) if same_database else before.by_key.get(tie.part_of)
        if was is None:
            continue
        then = before.by_key.get(f"owned by {was.key}")
        if then is None or _column(then, before, same_database) != _column(tie, after, same_database):
            texts.append(tie.drop)
            del found[tie.key]
            found[sequence.key] = replace(sequence, goes_with=sequence.goes_with - tie.goes_with)
    return (tuple(texts), Definitions(found)) if texts else ((), after)


def _column(tie: Definition, among: Definitions, same_database: bool) -> tuple[str, int, int]:
    """Whose the sequence is: told by the table's oid and the column's number where names may have changed."""
    key = next((one for one in sorted(tie.needs) if one.startswith("column ")), "")
    column = among.by_key.get(key)
    table = among.by_key.get(column.part_of or "") if column is not None else None
    if same_database and column is not None and table is not None and table.oid:
        return ("", table.oid, column.number)
    return (key, 0, 0)
