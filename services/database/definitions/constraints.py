"""Knows the SQL of constraints and indexes, those of partitions too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.database.definitions.draft import CLASS, CONSTRAINT, Draft
from services.database.definitions.relations import Relations


def add_constraints(draft: Draft, found: Relations, types: Mapping[int, str], rows: Sequence[Any]) -> None:
    """Constraints of tables and domains. NOT NULL is a property of its column; foreign keys and checks that a
    partition has from its parent come with it."""
    for row in rows:
        if row.type in types:
            _of_domain(draft, types[row.type], row)
        elif row.kind != "n" and row.relation in found.rows:
            _of_table(draft, found, row, rows)


def _of_domain(draft: Draft, domain: str, row: Any) -> None:
    if row.kind == "n":
        return
    alter = f"ALTER {domain.replace('domain', 'DOMAIN', 1)}"
    _, _, name = domain.partition(" ")
    draft.add(
        *("constraint", f"{row.name} on {name}", f"{alter} ADD CONSTRAINT {row.name} {row.text}"),
        f"{alter} DROP CONSTRAINT {row.name}", at=(CONSTRAINT, row.oid, 0), oid=row.oid, part_of=domain,
        named=f"CONSTRAINT {row.name} ON DOMAIN {name}",
    )  # fmt: skip


def _of_table(draft: Draft, found: Relations, row: Any, rows: Sequence[Any]) -> None:
    table = found.rows[row.relation]
    if row.kind == "f" and row.parent:
        return
    kind = "foreign key" if row.kind == "f" else "constraint"
    identity = f"{row.name} on {table.name}"
    alter = f"ALTER TABLE {table.name}"
    key, made_with, unless, above = f"{kind} {identity}", [], None, []
    if row.kind == "c" and row.inherited:
        above = [f"constraint {row.name} on {found.rows[p].name}" for p in table.parents or () if p in found.rows]
        # It comes down from its parents, save while the partition stands alone and is about to be attached.
        made_with = above
        if table.is_partition:
            unless = next(
                (f"partition {table.name} of {found.rows[p].name}" for p in table.parents if p in found.rows), None
            )
        elif not row.local:
            made_with = [*above, found.keys[row.relation]]
    columns = found.column_keys(row.relation, row.columns or ())
    draft.add(
        *(kind, identity, f"{alter} ADD CONSTRAINT {row.name} {row.text}", f"{alter} DROP CONSTRAINT {row.name}"),
        at=(CONSTRAINT, row.oid, 0), oid=row.oid, part_of=found.keys[row.relation], needs=columns,
        named=f"CONSTRAINT {row.name} ON {table.name}", made_with=made_with, unless=unless,
        goes_with=[*columns, *above], facts={"kind": row.kind, "text": row.text, "table": table.name, "name": row.name},
    )  # fmt: skip
    if row.kind in "pux":
        draft.places[CLASS, row.index, 0] = key


def add_indexes(draft: Draft, found: Relations, rows: Iterable[Any]) -> None:
    """Indexes that no constraint brings, and what is chosen of each index: clustered by it, identity of replicas."""
    keys: dict[int, str] = {}
    every = [row for row in rows if row.relation in found.rows]
    for row in every:
        table = found.rows[row.relation]
        if row.text is not None:
            text = row.text.replace(" ON ONLY ", " ON ", 1)
            keys[row.oid] = draft.add(
                *("index", row.name, text, f"DROP INDEX {row.name}"), at=(CLASS, row.oid, 0), oid=row.oid,
                named=f"INDEX {row.name}", part_of=found.keys[row.relation],
                facts={"table": table.name, "valid": row.valid},
            )  # fmt: skip
        else:
            keys[row.oid] = draft.places[CLASS, row.oid, 0]
            draft.named_within[CLASS, row.oid, 0] = f"INDEX {row.name}"
        _add_choices(draft, table, row, keys[row.oid])
    chosen = {row.relation for row in every if row.replica_identity}
    for oid, table in found.rows.items():
        if table.replica_identity == "i" and oid not in chosen:
            # The index is gone, and replicas get what they would with none; that much SQL can say.
            alter = f"ALTER TABLE {table.name} REPLICA IDENTITY"
            draft.property_of(found.keys[oid], "replica identity", f"{alter} NOTHING", f"{alter} DEFAULT")
    _tie_partitions(draft, found, every, keys)


def _add_choices(draft: Draft, table: Any, row: Any, key: str) -> None:
    alter, name = f"ALTER TABLE {table.name}", row.name.rpartition(".")[2]
    if row.clustered:
        draft.property_of(
            key, "clustered", f"{alter} CLUSTER ON {_last(row.name, row.space)}", f"{alter} SET WITHOUT CLUSTER"
        )
    if row.replica_identity and name:
        text = f"{alter} REPLICA IDENTITY USING INDEX {_last(row.name, row.space)}"
        draft.property_of(
            key, "replica identity", text, f"{alter} REPLICA IDENTITY DEFAULT", identity=f"table {table.name}"
        )
    for number, target in row.targets or ():
        text = f"ALTER INDEX {row.name} ALTER COLUMN {number} SET STATISTICS"
        draft.property_of(key, "statistics target", f"{text} {target}", f"{text} -1", identity=f"{number} of {key}")


def _last(name: str, space: str) -> str:
    return name.removeprefix(f"{space}.")


def _tie_partitions(draft: Draft, found: Relations, rows: Sequence[Any], keys: Mapping[int, str]) -> None:
    """A partition's index is made before its parent's, which takes it over under its own name, and goes with it; and a
    partition is attached when both sides have their indexes."""
    for row in rows:
        table = found.rows[row.relation]
        if row.parent in keys:
            draft.after(keys[row.parent], keys[row.oid])
            draft.goes_with(keys[row.oid], keys[row.parent])
            draft.revise(keys[row.oid], drop=None)
        if table.is_partition:
            attach = next(f"partition {table.name} of {found.rows[p].name}" for p in table.parents if p in found.rows)
            draft.after(attach, keys[row.oid])
        for child in found.children(row.relation):
            if child.is_partition:
                draft.after(f"partition {child.name} of {table.name}", keys[row.oid])


def tie_propagated(draft: Draft, found: Relations) -> None:
    """What a parent's partitions get when they are attached is made after that; its checks before."""
    for key, kind, table in draft.parts_of_tables(found.keys.values()):
        for child in found.children_of_key(table):
            if not child.is_partition:
                if kind == "constraint":
                    draft.after(key, found.keys[child.oid])
                continue
            attach = f"partition {child.name} of {table.partition(' ')[2]}"
            if kind in ("foreign key", "trigger"):
                draft.after(key, attach)
            elif kind == "constraint":
                draft.after(attach, key)
    for key, kind, table in draft.parts_of_tables(found.keys.values()):
        row = found.by_key.get(table)
        if kind == "constraint" and row is not None and row.is_partition:
            for parent in row.parents:
                if parent in found.rows:
                    draft.after(f"partition {row.name} of {found.rows[parent].name}", key)
