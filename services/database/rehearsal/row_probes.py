"""Knows which question to a table's rows decides whether a statement succeeds on them, derived from the statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql as sql_parts

from services.database.parser import enum_name, expression_sql, nodes, parse
from services.database.rehearsal.harmless import is_harmless, is_plain_select, words
from services.database.rehearsal.type_probes import type_questions
from services.database.script import Statement


@dataclass(frozen=True, slots=True)
class Refusal:
    """How the server would refuse the statement."""

    sqlstate: str
    message: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A read-only question to the target. The first value of its one row says how many rows stand in the way.

    refusal: what the server would say to them; None where they make it only doubtful. an error of the question itself
    is what the statement would meet as well, where `error_decides`. columns: which it rests on, by relation.
    """

    object: str
    question: str
    sql: str
    refusal: Refusal | None
    columns: Mapping[str, frozenset[str]]
    error_decides: bool = False


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is known of one table of the target: its columns with types, which of them a constraint or unique index
    names, whether triggers or other tables' foreign keys watch it, and its constraints' definitions by name."""

    schema: str
    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    constrained: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()
    triggers: bool = False
    referenced: bool = False
    constraints: Mapping[str, str] = field(default_factory=dict)

    @property
    def full(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        return sql_parts.Identifier(self.schema, self.name).as_string(None)


Tables = Mapping[str, TableFacts]
"""By name as the script may write it: with and, where the search path finds it, without its schema."""

_LEAVE_ROWS_VALID = frozenset(
    f"AT_{name}"
    for name in words(
        "DropColumn ColumnDefault DropNotNull SetStatistics SetOptions ResetOptions SetStorage SetCompression"
        " DropConstraint EnableRowSecurity DisableRowSecurity ForceRowSecurity NoForceRowSecurity ChangeOwner ClusterOn"
        " DropCluster SetLogged SetUnLogged SetRelOptions ResetRelOptions EnableTrig DisableTrig EnableTrigAll"
        " DisableTrigAll EnableTrigUser DisableTrigUser ReplicaIdentity SetTableSpace AddIdentity DropIdentity"
        " DropExpression SetAccessMethod AddInherit DropInherit"
    )
)
_CANNOT_MEET_BAD_ROWS = words(
    "vacuum_stmt cluster_stmt reindex_stmt truncate_stmt drop_stmt comment_stmt lock_stmt create_policy_stmt"
    " create_trig_stmt grant_stmt rename_stmt create_stats_stmt view_stmt create_function_stmt"
)


def probes_of(statement: Statement, tables: Tables) -> list[Probe] | None:
    """The questions that together decide the statement; none where no row can make it fail; None: not decidable."""
    parsed = parse(statement.sql)
    if parsed is None or not parsed.stmts:
        return None
    node = parsed.stmts[0].stmt
    kind = str(node.WhichOneof("node"))
    stmt = getattr(node, kind)
    if kind in _CANNOT_MEET_BAD_ROWS:
        return []
    if kind == "alter_table_stmt":
        return _all([_command(one.alter_table_cmd, _table(stmt.relation, tables), tables) for one in stmt.cmds])
    if kind == "index_stmt":
        return _index(stmt, _table(stmt.relation, tables))
    if kind == "select_stmt":
        return [] if is_plain_select(stmt) else None
    if kind == "update_stmt":
        return _update(stmt, _table(stmt.relation, tables))
    if kind == "delete_stmt":
        table = _table(stmt.relation, tables)
        free = table is not None and not table.triggers and not table.referenced
        return [] if free and not stmt.using_clause and is_harmless(stmt.where_clause) else None
    return None


def _all(parts: Sequence[list[Probe] | None]) -> list[Probe] | None:
    """All questions of all parts; None where one part has no answer."""
    found: list[Probe] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return found


def _table(relation: Any, tables: Tables) -> TableFacts | None:
    return tables.get(f"{relation.schemaname}.{relation.relname}" if relation.schemaname else relation.relname)


def _quoted(*names: str) -> list[str]:
    return [sql_parts.Identifier(name).as_string(None) for name in names]


def _command(command: Any, table: TableFacts | None, tables: Tables) -> list[Probe] | None:
    subtype = enum_name(command, "subtype")
    definition = getattr(command, "def")
    if subtype in _LEAVE_ROWS_VALID:
        return []
    if table is None:
        return None
    if subtype == "AT_SetNotNull":
        return _nulls(table, [command.name])
    if subtype == "AT_AddColumn":
        return _new_column(table, definition.column_def)
    if subtype == "AT_AddConstraint":
        return _constraint(table, definition.constraint, tables)
    if subtype == "AT_ValidateConstraint":
        return _validate(table, command.name, tables)
    if subtype == "AT_AlterColumnType":
        return _type_change(table, command.name, definition.column_def)
    return None


def _nulls(table: TableFacts, columns: Sequence[str]) -> list[Probe] | None:
    if not set(columns) <= set(table.columns):
        return None
    return [
        Probe(
            f"{table.full}.{column}",
            f"Has {table.full} rows without {column}?",
            f"SELECT pg_catalog.count(*) FROM {table.quoted} WHERE {_quoted(column)[0]} IS NULL",
            Refusal("23502", f'column "{column}" of relation "{table.name}" contains null values'),
            {table.full: frozenset((column,))},
        )
        for column in columns
    ]


def _new_column(table: TableFacts, column: Any) -> list[Probe] | None:
    kinds = {enum_name(one.constraint, "contype") for one in column.constraints}
    filled = kinds & {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"}
    serial = column.type_name.names[-1].string.sval in ("serial", "bigserial", "smallserial", "serial4", "serial8")
    if kinds & {"CONSTR_CHECK", "CONSTR_GENERATED", "CONSTR_EXCLUSION"}:
        return None
    if filled and kinds & {"CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_FOREIGN"} and "CONSTR_IDENTITY" not in kinds:
        return None
    if kinds & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} and not filled and not serial:
        message = f'column "{column.colname}" of relation "{table.name}" contains null values'
        query = f"SELECT pg_catalog.count(*) FROM {table.quoted}"
        question = f"Has {table.full} rows, which would have no {column.colname}?"
        return [Probe(table.full, question, query, Refusal("23502", message), {table.full: frozenset()})]
    return []


def _constraint(table: TableFacts, constraint: Any, tables: Tables) -> list[Probe] | None:
    kind = enum_name(constraint, "contype")
    if constraint.skip_validation:
        return []
    keys = [one.string.sval for one in constraint.keys]
    if kind == "CONSTR_CHECK":
        return _check(table, constraint.conname, constraint.raw_expr)
    if kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY"):
        if constraint.indexname:
            return [] if kind == "CONSTR_UNIQUE" else None
        suffix = "pkey" if kind == "CONSTR_PRIMARY" else f"{'_'.join(keys)}_key"
        name = constraint.conname or f"{table.name}_{suffix}"
        nulls = _nulls(table, keys) if kind == "CONSTR_PRIMARY" else []
        same = _duplicates(table, name, _quoted(*keys), frozenset(keys), "", constraint.nulls_not_distinct)
        return _all([nulls, same])
    if kind == "CONSTR_FOREIGN":
        return _orphans(table, constraint, tables)
    if kind == "CONSTR_NOTNULL":
        return _nulls(table, keys)
    return None


def _check(table: TableFacts, name: str, expression: Any) -> list[Probe] | None:
    columns = frozenset(one.fields[-1].string.sval for one in nodes(expression, "ColumnRef"))
    if not is_harmless(expression, functions=True) or not columns <= set(table.columns):
        return None
    shown = name or f"{table.name}_{next(iter(columns)) + '_' if len(columns) == 1 else ''}check"
    return [
        Probe(
            table.full,
            f"Does a row of {table.full} break the condition?",
            f"SELECT pg_catalog.count(*) FROM {table.quoted} WHERE ({expression_sql(expression)}) IS FALSE",
            Refusal("23514", f'check constraint "{shown}" of relation "{table.name}" is violated by some row'),
            {table.full: columns},
            error_decides=True,
        )
    ]


def _duplicates(
    table: TableFacts, name: str, keys: Sequence[str], columns: frozenset[str], where: str, nulls_equal: bool
) -> list[Probe] | None:
    if not columns <= set(table.columns):
        return None
    conditions = [where] if where else []
    conditions += [] if nulls_equal else [f"{key} IS NOT NULL" for key in keys]
    query = (
        f"SELECT pg_catalog.count(*) FROM (SELECT 1 FROM {table.quoted}"
        f"{' WHERE ' + ' AND '.join(conditions) if conditions else ''}"
        f" GROUP BY {', '.join(keys)} HAVING pg_catalog.count(*) > 1) AS doubled"
    )
    question = f"Are there rows of {table.full} with the same {', '.join(keys)}?"
    refusal = Refusal("23505", f'could not create unique index "{name}"')
    return [Probe(table.full, question, query, refusal, {table.full: columns}, error_decides=True)]


def _orphans(table: TableFacts, constraint: Any, tables: Tables) -> list[Probe] | None:
    parent = _table(constraint.pktable, tables)
    keys = [one.string.sval for one in constraint.fk_attrs]
    theirs = [one.string.sval for one in constraint.pk_attrs]
    if parent is None or not set(keys) <= set(table.columns) or constraint.fk_matchtype == "f":
        return None
    if not theirs:
        theirs = [one for one in parent.columns if one in _primary_key(parent)]
    if len(theirs) != len(keys) or not set(theirs) <= set(parent.columns):
        return None
    pairs = zip(_quoted(*keys), _quoted(*theirs), strict=True)
    same = " AND ".join(f"parent.{pk} = child.{fk}" for fk, pk in pairs)
    given = " AND ".join(f"child.{key} IS NOT NULL" for key in _quoted(*keys))
    name = constraint.conname or f"{table.name}_{'_'.join(keys)}_fkey"
    return [
        Probe(
            table.full,
            f"Are there rows of {table.full} whose {', '.join(keys)} is not in {parent.full}?",
            f"SELECT pg_catalog.count(*) FROM {table.quoted} AS child WHERE {given}"
            f" AND NOT EXISTS (SELECT FROM {parent.quoted} AS parent WHERE {same})",
            Refusal("23503", f'insert or update on table "{table.name}" violates foreign key constraint "{name}"'),
            {table.full: frozenset(keys), parent.full: frozenset(theirs)},
        )
    ]


def _primary_key(table: TableFacts) -> list[str]:
    """The columns of its primary key, from its definition."""
    for definition in table.constraints.values():
        if definition.startswith("PRIMARY KEY") and (parsed := parse(f"ALTER TABLE t ADD {definition}")) is not None:
            return [key.string.sval for one in nodes(parsed, "Constraint") for key in one.keys]
    return []


def _validate(table: TableFacts, name: str, tables: Tables) -> list[Probe] | None:
    definition = table.constraints.get(name, "")
    parsed = parse(f"ALTER TABLE t ADD CONSTRAINT {_quoted(name)[0]} {definition.removesuffix('NOT VALID')}")
    if not definition or parsed is None:
        return None
    return _all([_constraint(table, one, tables) for one in nodes(parsed, "Constraint")])


def _type_change(table: TableFacts, column: str, definition: Any) -> list[Probe] | None:
    old = table.columns.get(column)
    using = definition.raw_default if definition.HasField("raw_default") else None
    used = frozenset(one.fields[-1].string.sval for one in nodes(using, "ColumnRef")) if using else frozenset()
    if old is None or column in table.unique or not used <= set(table.columns):
        return None
    if using is not None and not is_harmless(using, functions=True):
        return None
    questions = type_questions(_quoted(column)[0], old, definition.type_name, using)
    if questions is None:
        return None
    return [
        Probe(
            f"{table.full}.{column}",
            one.question,
            f"SELECT {one.count} FROM {table.quoted}{f' WHERE {one.where}' if one.where else ''}",
            Refusal(one.sqlstate, one.message) if one.sqlstate else None,
            {table.full: used | {column}},
            error_decides=True,
        )
        for one in questions
    ]


def _index(stmt: Any, table: TableFacts | None) -> list[Probe] | None:
    if table is None:
        return None
    elements = [one.index_elem for one in stmt.index_params]
    expressions = [one.expr for one in elements if one.HasField("expr")]
    columns = frozenset(one.name for one in elements if one.name) | frozenset(
        one.fields[-1].string.sval for one in nodes(stmt, "ColumnRef")
    )
    where = expression_sql(stmt.where_clause) if stmt.HasField("where_clause") else ""
    asked = [*expressions, *([stmt.where_clause] if where else [])]
    if not columns <= set(table.columns) or not all(is_harmless(one, functions=True) for one in asked):
        return None
    keys = [_quoted(one.name)[0] if one.name else f"({expression_sql(one.expr)})" for one in elements]
    found = _too_long(table, elements, columns) if stmt.access_method in ("", "btree") else []
    if stmt.unique:
        name = stmt.idxname or f"{table.name}_{'_'.join(_part(one) for one in elements)}_idx"
        same = _duplicates(table, name, keys, columns, f"({where})" if where else "", stmt.nulls_not_distinct)
        return _all([same, found])
    if expressions:
        values = ", ".join(f"pg_catalog.count({key})" for key in keys)
        query = f"SELECT 0, {values} FROM {table.quoted}{f' WHERE {where}' if where else ''}"
        question = f"Can {', '.join(keys)} be computed for every row of {table.full}?"
        found = [*found, Probe(table.full, question, query, None, {table.full: columns}, error_decides=True)]
    return found


def _too_long(table: TableFacts, elements: Sequence[Any], columns: frozenset[str]) -> list[Probe]:
    """A B-tree cannot hold a value of more than about 2,700 bytes, as it is stored."""
    wide = [one.name for one in elements if one.name and table.columns.get(one.name, "") in _UNBOUNDED]
    return [
        Probe(
            f"{table.full}.{column}",
            f"Has {table.full} values of {column} that are too long for an index?",
            f"SELECT pg_catalog.count(*) FROM {table.quoted}"
            f" WHERE pg_catalog.octet_length({_quoted(column)[0]}::text) > 2600",
            None,
            {table.full: columns},
        )
        for column in wide
    ]


_UNBOUNDED = frozenset(("text", "character varying", "jsonb", "bytea"))


def _update(stmt: Any, table: TableFacts | None) -> list[Probe] | None:
    """No row can make it fail where plain values go into columns that nothing watches."""
    if table is None or table.triggers or stmt.from_clause or not is_harmless(stmt.where_clause):
        return None
    for one in stmt.target_list:
        target = one.res_target
        plain = target.val.HasField("a_const") and not target.val.a_const.isnull
        if target.name in table.constrained or not plain:
            return None
    return []


def _part(element: Any) -> str:
    """What the server calls a part of an index, in the name that it makes for it."""
    called = [one.funcname[-1].string.sval for one in nodes(element, "FuncCall")]
    return str(element.name or (called[0] if called else "expr"))
