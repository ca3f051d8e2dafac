"""Knows the SQL of tables with their columns, of views and of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.database.definitions.draft import CLASS, DEFAULT, Draft, option_list, settings
from services.database.definitions.kinds import add_owner
from services.database.definitions.rights import Roles, add_rights

_KINDS = {
    **{"r": ("table", "TABLE"), "p": ("table", "TABLE"), "f": ("foreign table", "FOREIGN TABLE")},
    **{"v": ("view", "VIEW"), "m": ("materialized view", "MATERIALIZED VIEW"), "S": ("sequence", "SEQUENCE")},
}
_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}
_IDENTITY = {"a": "ALWAYS", "d": "BY DEFAULT"}


@dataclass(frozen=True, slots=True)
class Relations:
    """Every relation and its columns as read, and the keys they got."""

    rows: Mapping[int, Any]
    columns: Mapping[int, Sequence[Any]]
    keys: Mapping[int, str]
    not_null: Mapping[tuple[int, int], Any]
    below: Mapping[int, Sequence[Any]]
    by_key: Mapping[str, Any]

    def children(self, relation: int) -> Sequence[Any]:
        """The partitions and inheriting tables right below one."""
        return self.below.get(relation, ())

    def children_of_key(self, key: str) -> Sequence[Any]:
        """The same, of the relation with that key."""
        row = self.by_key.get(key)
        return self.children(row.oid) if row is not None else ()

    def column_keys(self, relation: int, numbers: Iterable[int]) -> list[str]:
        names = {column.number: column.name for column in self.columns.get(relation, ())}
        return [f"column {self.rows[relation].name}.{names[n]}" for n in numbers if n in names]


def relations_of(rows: Sequence[Any], columns: Sequence[Any], constraints: Sequence[Any]) -> Relations:
    """The relations with the keys that their definitions will have."""
    by_relation: dict[int, list[Any]] = {}
    for column in columns:
        by_relation.setdefault(column.relation, []).append(column)
    named = {(c.relation, c.columns[0]): c for c in constraints if c.kind == "n" and c.relation}
    keys = {row.oid: f"{_KINDS[row.kind][0]} {row.name}" for row in rows}
    below: dict[int, list[Any]] = {}
    for row in rows:
        for parent in row.parents or ():
            below.setdefault(parent, []).append(row)
    by_key = {keys[row.oid]: row for row in rows}
    return Relations({row.oid: row for row in rows}, by_relation, keys, named, below, by_key)


def add_relations(draft: Draft, roles: Roles, found: Relations, sequences: Sequence[Any], major: int) -> None:
    """Tables, views, sequences, their columns and all that is set on them by itself."""
    options_of_sequence = {row.relation: row for row in sequences}
    for oid, row in found.rows.items():
        kind, word = _KINDS[row.kind]
        named = f"{word} {row.name}"
        place = (CLASS, oid, 0)
        sequence = options_of_sequence.get(oid)
        if row.kind == "S":
            if sequence is not None and sequence.bond == "i":
                continue  # made by its identity column
            options = _sequence_options(sequence, with_type=True)
            text = f"CREATE {'UNLOGGED ' if row.persistence == 'u' else ''}{named} {options}"
        elif row.kind in "vm":
            text = _view(row)
        else:
            text = _table(row, found)
        facts = {"columns": [(c.name, c.type, c.collation) for c in found.columns.get(oid, ())], "relkind": row.kind}
        if row.kind == "S":
            facts["options"] = _sequence_options(sequence, with_type=True)
        if row.kind in "rpf":
            facts |= {
                "persistence": row.persistence,
                "partition_key": row.partition_key,
                "is_partition": row.is_partition,
            }
        inline = _inline_parents(row, found)
        draft.add(
            *(kind, row.name, text, f"DROP {named}"), at=place, named=named, oid=oid, facts=facts,
            needs=[f"schema {row.space}", *(inline or ())], comes_after=_columns_above(row, found) if inline else (),
        )  # fmt: skip
    for oid, row in found.rows.items():
        if draft.has(found.keys[oid]):
            _add_settings(draft, roles, found, row)
        for column in found.columns.get(oid, ()):
            _add_column(draft, roles, found, row, column, major)
    for sequence in sequences:
        _add_sequence(draft, roles, found, sequence, major)


def _table(row: Any, found: Relations) -> str:
    inline = _inline_parents(row, found)
    columns = found.columns.get(row.oid, ())
    parts = [_column(c, found, row) for c in columns if inline is None or c.local]
    words = ["CREATE", *(["UNLOGGED"] if row.persistence == "u" else []), _KINDS[row.kind][1], row.name]
    text = f"{' '.join(words)} (\n  " + ",\n  ".join(parts) + "\n)" if parts else f"{' '.join(words)} ()"
    if inline:
        text += f" INHERITS ({', '.join(found.rows[parent].name for parent in row.parents)})"
    if row.partition_key:
        text += f" PARTITION BY {row.partition_key}"
    if row.method:
        text += f" USING {row.method}"
    if row.foreign:
        server, options = row.foreign
        listed = ", ".join(f"{name} {_quoted(value)}" for name, value in option_list(options).items())
        text += f" SERVER {server}{f' OPTIONS ({listed})' if listed else ''}"
    return text


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _inline_parents(row: Any, found: Relations) -> list[str] | None:
    """Keys of the parents that CREATE TABLE names itself; None where the table is made alone and joined afterwards:
    a partition, and a table whose inherited columns do not come first and in their parents' order."""
    if row.is_partition or not row.parents or any(parent not in found.rows for parent in row.parents):
        return None
    wanted: list[str] = []
    for parent in row.parents:
        wanted += [c.name for c in found.columns.get(parent, ()) if c.name not in wanted]
    columns = found.columns.get(row.oid, ())
    if [c.name for c in columns if c.inherited] != wanted or any(not c.inherited for c in columns[: len(wanted)]):
        return None
    return [found.keys[parent] for parent in row.parents]


def _columns_above(row: Any, found: Relations) -> list[str]:
    """Keys of all columns of a table's parents."""
    parents = [found.rows[parent] for parent in row.parents or () if parent in found.rows]
    return [f"column {parent.name}.{column.name}" for parent in parents for column in found.columns[parent.oid]]


def _column(column: Any, found: Relations, row: Any) -> str:
    text = _column_type(column)
    if column.not_null:
        text += f" {_not_null(column, found, row)}"
    return text


def _column_type(column: Any) -> str:
    text = f"{column.name} {column.type}"
    if column.collation:
        text += f" COLLATE {column.collation}"
    if column.generated:
        text += f" GENERATED ALWAYS AS ({column.default}) {'STORED' if column.generated == 's' else 'VIRTUAL'}"
    return text


def _not_null(column: Any, found: Relations, row: Any) -> str:
    constraint = found.not_null.get((row.oid, column.number))
    if constraint is None or constraint.inherited or _usual_name(constraint, row, column):
        return "NOT NULL" + (" NO INHERIT" if constraint is not None and constraint.no_inherit else "")
    return f"CONSTRAINT {constraint.name} NOT NULL" + (" NO INHERIT" if constraint.no_inherit else "")


def _usual_name(constraint: Any, row: Any, column: Any) -> bool:
    return bool(constraint.name == f"{row.name.rpartition('.')[2]}_{column.name}_not_null")


def _view(row: Any) -> str:
    options = settings(option_list(row.options))
    word = "CREATE VIEW" if row.kind == "v" else "CREATE MATERIALIZED VIEW"
    method = f" USING {row.method}" if row.method else ""
    text = f"{word} {row.name}{method}{f' WITH ({options})' if options else ''} AS\n{row.query.strip().rstrip(';')}"
    return text if row.kind == "v" else f"{text}\nWITH NO DATA"


def _add_settings(draft: Draft, roles: Roles, found: Relations, row: Any) -> None:
    """What is set on a relation by statements of their own."""
    whole, named = found.keys[row.oid], f"{_KINDS[row.kind][1]} {row.name}"
    alter = f"ALTER {named}"
    options = option_list(row.options) | option_list(row.toast_options, "toast.")
    if options and row.kind in "rpf":
        drop = f"{alter} RESET ({', '.join(options)})"
        draft.property_of(whole, "options", f"{alter} SET ({settings(options)})", drop, facts={"options": options})
    if row.kind in "rp":
        if row.row_security:
            text = f"{alter} ENABLE ROW LEVEL SECURITY"
            draft.property_of(whole, "row security", text, f"{alter} DISABLE ROW LEVEL SECURITY")
        if row.forced:
            text = f"{alter} FORCE ROW LEVEL SECURITY"
            draft.property_of(whole, "forced row security", text, f"{alter} NO FORCE ROW LEVEL SECURITY")
        if row.replica_identity in "fn":
            text = f"{alter} REPLICA IDENTITY {'FULL' if row.replica_identity == 'f' else 'NOTHING'}"
            draft.property_of(whole, "replica identity", text, f"{alter} REPLICA IDENTITY DEFAULT")
        if row.of_type:
            draft.property_of(whole, "of type", f"{alter} OF {row.of_type}", f"{alter} NOT OF")
        _add_parents(draft, found, row)
    if row.kind == "m" and row.populated:
        text = f"REFRESH MATERIALIZED VIEW {row.name}"
        draft.property_of(whole, "materialized rows", text, f"{text} WITH NO DATA", comes_after=[f"owner {whole}"])
    if row.kind != "S":
        add_owner(draft, whole, row.owner)
        on, kind = f"TABLE {row.name}", "r"
        add_rights(draft, roles, whole, on, kind, row.acl, row.plain, owner=row.owner)


def _add_parents(draft: Draft, found: Relations, row: Any) -> None:
    for parent in row.parents or ():
        if parent not in found.rows:
            continue
        other, key = found.rows[parent].name, found.keys[parent]
        identity = f"{row.name} of {other}"
        if row.is_partition:
            create = f"ALTER TABLE ONLY {other} ATTACH PARTITION {row.name} {row.bound}"
            drop = f"ALTER TABLE ONLY {other} DETACH PARTITION {row.name}"
            draft.property_of(
                *(found.keys[row.oid], "partition", create, drop), identity=identity, needs=[key], goes_with=[key],
                comes_after=_columns_above(row, found),
            )  # fmt: skip
        else:
            made = [found.keys[row.oid]] if _inline_parents(row, found) else []
            create, drop = f"ALTER TABLE {row.name} INHERIT {other}", f"ALTER TABLE {row.name} NO INHERIT {other}"
            draft.property_of(
                found.keys[row.oid], "inheritance", create, drop, identity=identity, needs=[key], made_with=made,
                comes_after=_columns_above(row, found),
            )  # fmt: skip


def _add_column(draft: Draft, roles: Roles, found: Relations, row: Any, column: Any, major: int) -> None:
    table, name = found.keys[row.oid], f"{row.name}.{column.name}"
    alter = f"ALTER {'FOREIGN TABLE' if row.kind == 'f' else 'TABLE'} {row.name}"
    place = (CLASS, row.oid, column.number)
    named = f"COLUMN {name}"
    facts = {
        **{"type": column.type, "collation": column.collation, "generated": column.generated, "table": row.name},
        **{"expression": column.default if column.generated else None, "name": column.name},
    }
    own = row.kind in "rpf"
    above = _above(found, row, column) if own and column.inherited else []
    made_with = [table, *(f"column {key}" for key in above)]
    create = f"{alter} ADD COLUMN {_column_type(column)}"
    drop = None if above and row.is_partition else f"{alter} DROP COLUMN {column.name}"
    whole = draft.add(
        *("column", name, create if own else "", drop if own else None), at=place, named=named, oid=row.oid,
        number=column.number, part_of=table, made_with=made_with, goes_with=[f"column {key}" for key in above],
        unless=_tie(found, row) if above else None, facts=facts,
    )  # fmt: skip
    only = f"ALTER TABLE ONLY {row.name} ALTER COLUMN {column.name}"
    if column.generated:
        draft.places[DEFAULT, column.default_oid, 0] = whole
    elif column.default is not None:
        draft.property_of(
            *(whole, "default", f"{only} SET DEFAULT {column.default}", f"{only} DROP DEFAULT"),
            at=(DEFAULT, column.default_oid, 0),
        )  # fmt: skip
    if not own:
        add_column_rights(draft, roles, row, column, whole)
        return
    if column.not_null:
        _add_not_null(draft, found, row, column, whole, above)
    if column.identity and not (row.is_partition and major >= 17):
        facts = {"identity": _IDENTITY[column.identity], "column": f"{alter} ALTER COLUMN {column.name}"}
        drop = f"{facts['column']} DROP IDENTITY"
        draft.property_of(whole, "identity", (), drop, facts=facts, needs=[f"not null {whole}"])
    _add_column_options(draft, column, only, whole)
    add_column_rights(draft, roles, row, column, whole)


def _above(found: Relations, row: Any, column: Any) -> list[str]:
    """The columns of the table's parents from which this one comes, as schema.table.column."""
    parents = [found.rows[parent] for parent in row.parents or () if parent in found.rows]
    return [f"{p.name}.{column.name}" for p in parents if any(c.name == column.name for c in found.columns[p.oid])]


def _tie(found: Relations, row: Any) -> str | None:
    """The key of what ties a table to its parent: while that is still to be made, nothing comes down from there."""
    word = "partition" if row.is_partition else "inheritance"
    return next((f"{word} {row.name} of {found.rows[p].name}" for p in row.parents or () if p in found.rows), None)


def _add_not_null(draft: Draft, found: Relations, row: Any, column: Any, whole: str, above: list[str]) -> None:
    alter = f"ALTER TABLE {row.name} ALTER COLUMN {column.name}"
    constraint = found.not_null.get((row.oid, column.number))
    words = _not_null(column, found, row)
    create = f"{alter} SET NOT NULL" if words == "NOT NULL" else f"ALTER TABLE {row.name} ADD {words} {column.name}"
    inherited = [f"not null column {key}" for key in above] if constraint is not None and constraint.inherited else []
    draft.property_of(
        *(whole, "not null", create, f"{alter} DROP NOT NULL"), made_with=[found.keys[row.oid], *inherited],
        goes_with=inherited, unless=_tie(found, row) if inherited else None,
    )  # fmt: skip


def _add_column_options(draft: Draft, column: Any, only: str, whole: str) -> None:
    if column.target is not None:
        draft.property_of(
            whole, "statistics target", f"{only} SET STATISTICS {column.target}", f"{only} SET STATISTICS -1"
        )
    texts: list[tuple[str, str, str]] = []
    if column.storage:
        back = f"{only} SET STORAGE {_STORAGE[column.usual_storage]}"
        texts.append(("storage", f"{only} SET STORAGE {_STORAGE[column.storage]}", back))
    if column.compression:
        back = f"{only} SET COMPRESSION DEFAULT"
        texts.append(("compression", f"{only} SET COMPRESSION {_COMPRESSION[column.compression]}", back))
    if options := option_list(column.options):
        texts.append(("options", f"{only} SET ({settings(options)})", f"{only} RESET ({', '.join(options)})"))
    for what, create, drop in texts:
        draft.property_of(whole, "column options", create, drop, identity=f"{what} of {whole}")


def add_column_rights(draft: Draft, roles: Roles, row: Any, column: Any, whole: str) -> None:
    """The rights on one column, where it has any of its own."""
    if column.acl is not None:
        table = f"{_KINDS[row.kind][0]} {row.name}"
        on, name = f"TABLE {row.name}", column.name
        add_rights(draft, roles, whole, on, "r", column.acl, (), column=name, owner=row.owner, of_table=table)


def _sequence_options(row: Any, *, with_type: bool) -> str:
    words = [f"AS {row.type}"] if with_type else []
    words += [f"INCREMENT BY {row.increment}", f"MINVALUE {row.minimum}", f"MAXVALUE {row.maximum}"]
    words += [f"START WITH {row.start}", f"CACHE {row.cache}", "CYCLE" if row.cycle else "NO CYCLE"]
    return " ".join(words)


def _make_identity(draft: Draft, key: str, row: Any, name: str) -> None:
    options = _sequence_options(row, with_type=False)
    identity, column = draft.fact(key, "identity"), draft.fact(key, "column")
    create = f"{column} ADD GENERATED {identity} AS IDENTITY (SEQUENCE NAME {name} {options})"
    facts = {"identity": identity, "column": column, "sequence": name, "options": options}
    draft.revise(key, create=(create,), facts=facts)


def _add_sequence(draft: Draft, roles: Roles, found: Relations, row: Any, major: int) -> None:
    """Whose sequence it is, its owner, rights and position. That of an identity column is made by the column."""
    relation = found.rows[row.relation]
    whole, alter = found.keys[row.relation], f"ALTER SEQUENCE {relation.name}"
    column = (
        next(iter(found.column_keys(row.of_relation, [row.of_column])), None) if row.of_relation in found.rows else None
    )
    if row.bond == "i":
        if column is None or not draft.has(f"identity {column}"):
            return
        whole = f"identity {column}"
        _make_identity(draft, whole, row, relation.name)
        draft.places[CLASS, row.relation, 0] = whole
        draft.named_within[CLASS, row.relation, 0] = f"SEQUENCE {relation.name}"
    else:
        table = found.keys[row.of_relation] if column else None
        create = f"{alter} OWNER TO {relation.owner}"
        facts = {"owner": relation.owner, "follows": f"owner {table}" if table else None}
        draft.property_of(whole, "owner", create, None, facts=facts)
        if column is not None and table is not None:
            owners = [f"owner {whole}", f"owner {table}"]
            draft.goes_with(whole, column)
            create = f"{alter} OWNED BY {column.removeprefix('column ')}"
            draft.property_of(
                *(whole, "owned by", create, f"{alter} OWNED BY NONE"),
                needs=[column], comes_after=owners, goes_with=[column]
            )  # fmt: skip
    on = f"SEQUENCE {relation.name}"
    add_rights(draft, roles, whole, on, "S", relation.acl, relation.plain, owner=relation.owner)
    if row.last is not None:
        text = f"SELECT pg_catalog.setval({_quoted(relation.name)}, {row.last}, true)"
        draft.property_of(whole, "sequence position", text, None, facts={"step": row.increment})
