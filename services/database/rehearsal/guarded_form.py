"""Knows how to write a statement so that running it again does no harm: IF NOT EXISTS, OR REPLACE, a test before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from psycopg import sql as sql_parts

from services.database.parser import deparse, enum_name, expression_sql, new_tree, parse
from services.database.psql_cutter import TokenKind, tokens

_WORD_AFTER = {
    "create_stmt": r"create\s+(?:(?:global|local)\s+)?(?:(?:temp|temporary|unlogged)\s+)?(?:foreign\s+)?table\s+",
    "create_table_as_stmt": r"create\s+(?:(?:temp|temporary|unlogged)\s+)?(?:table|materialized\s+view)\s+",
    "create_seq_stmt": r"create\s+(?:(?:temp|temporary|unlogged)\s+)?sequence\s+",
    "create_schema_stmt": r"create\s+schema\s+",
    "create_extension_stmt": r"create\s+extension\s+",
    "index_stmt": r"create\s+(?:unique\s+)?index\s+(?:concurrently\s+)?",
    "view_stmt": r"create\s+",
    "create_function_stmt": r"create\s+",
    "create_trig_stmt": r"create\s+",
    "rule_stmt": r"create\s+",
    "drop_stmt": r"drop\s+(?:(?:materialized|foreign|event|access|text\s+search)\s+)?\w+\s+(?:concurrently\s+)?",
}
_IF_NOT_EXISTS = frozenset(kind for kind in _WORD_AFTER if _WORD_AFTER[kind].startswith(r"create\s+(")) | {
    "create_schema_stmt",
    "create_extension_stmt",
}
_OR_REPLACE = {"view_stmt", "create_function_stmt", "create_trig_stmt", "rule_stmt"}
_MOST_ROWS = 50
_CONDITIONS = {
    "42P07": "duplicate_table",
    "42710": "duplicate_object",
    "42701": "duplicate_column",
    "42723": "duplicate_function",
    "42P06": "duplicate_schema",
    "42P01": "undefined_table",
    "42703": "undefined_column",
    "42704": "undefined_object",
    "42883": "undefined_function",
    "3F000": "invalid_schema_name",
    "42P16": "invalid_table_definition",
}


def guarded_forms(sql: str, sqlstate: str | None, made: Sequence[str] = ()) -> list[str]:
    """Forms of a statement that may be run again, the best first; each is a guess until it was run twice.

    sqlstate: how the second run was refused, None where it was not. made: names of the catalog facts that the second
    run added, such as "constraint public.t.t_check1", from which the name that the server had chosen is known.
    """
    parsed = parse(sql)
    if parsed is None or len(parsed.stmts) != 1:
        return []
    kind = str(parsed.stmts[0].stmt.WhichOneof("node"))
    forms = [form for form in _forms(sql, kind, parsed, made) if form]
    if sqlstate in _CONDITIONS and kind not in ("do_stmt", "insert_stmt", "update_stmt", "delete_stmt"):
        forms.append(_block(f"  {sql};\nEXCEPTION WHEN {_CONDITIONS[sqlstate]} THEN NULL;", sql))
    return list(dict.fromkeys(form for form in forms if form != sql))


def _forms(sql: str, kind: str, parsed: Any, made: Sequence[str]) -> list[str | None]:
    stmt = getattr(parsed.stmts[0].stmt, kind)
    if kind == "create_trig_stmt" and stmt.isconstraint:
        return [_dropped_before(sql, "TRIGGER", stmt.trigname, stmt.relation)]
    if kind == "index_stmt" and not stmt.idxname:
        return [_named_index(sql, parsed, made)]
    if kind in _OR_REPLACE:
        return [_flagged(sql, kind, parsed, _replaces, "OR REPLACE ")]
    if kind in _IF_NOT_EXISTS:
        return [_flagged(sql, kind, parsed, _tolerates, "IF NOT EXISTS ")]
    if kind == "drop_stmt":
        return [_flagged(sql, kind, parsed, _misses, "IF EXISTS ")]
    make = _BY_KIND.get(kind)
    return make(sql, parsed, stmt, made) if make else []


def _replaces(stmt: Any) -> None:
    stmt.replace = True


def _tolerates(stmt: Any) -> None:
    stmt.if_not_exists = True


def _misses(stmt: Any) -> None:
    stmt.missing_ok = True


def _flagged(sql: str, kind: str, parsed: Any, set_flag: Callable[[Any], None], words: str) -> str:
    """The statement with a flag set: put into the text as it is written where that can be, else written anew."""
    set_flag(getattr(parsed.stmts[0].stmt, kind))
    anew = deparse(parsed)
    at = _first_word(sql)
    match = re.compile(_WORD_AFTER[kind], re.IGNORECASE).match(sql, at)
    if match is not None:
        spliced = sql[: match.end()] + words + sql[match.end() :]
        again = parse(spliced)
        if again is not None and deparse(again) == anew:
            return spliced
    return anew


def _first_word(sql: str) -> int:
    raw = sql.encode()
    first = next((one for one in tokens(raw) if one.kind not in (TokenKind.BLANK, TokenKind.COMMENT)), None)
    return len(raw[: first.start].decode()) if first else 0


def _name(relation: Any) -> str:
    """A relation's name as SQL, with its schema where it has one."""
    parts = [part for part in (relation.schemaname, relation.relname) if part]
    return sql_parts.Identifier(*parts).as_string(None)


def _regclass(relation: Any) -> str:
    return f"pg_catalog.to_regclass({sql_parts.Literal(_name(relation)).as_string(None)})"


def _text(value: str) -> str:
    return sql_parts.Literal(value).as_string(None)


def _block(body: str, sql: str) -> str:
    """A DO block around `body`, in a dollar quote that the statement does not use."""
    tag = next(f"$guard{number or ''}$" for number in range(100) if f"$guard{number or ''}$" not in sql)
    return f"DO {tag} BEGIN\n{body}\nEND {tag}"


def _only_if(test: str, sql: str) -> str:
    return _block(f"  IF {test} THEN\n    {sql};\n  END IF;", sql)


def _dropped_before(sql: str, what: str, name: str, relation: Any) -> str:
    return f"DROP {what} IF EXISTS {sql_parts.Identifier(name).as_string(None)} ON {_name(relation)};\n{sql}"


def _named_index(sql: str, parsed: Any, made: Sequence[str]) -> str | None:
    names = [one.rpartition(".")[2].strip('"') for one in made if one.startswith("index ")]
    if len(names) != 1:
        return None
    # The server numbers the second of a name: the first bears it without the number.
    parsed.stmts[0].stmt.index_stmt.idxname = re.sub(r"\d+$", "", names[0])
    parsed.stmts[0].stmt.index_stmt.if_not_exists = True
    return deparse(parsed)


def _policy(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    return [_dropped_before(sql, "POLICY", stmt.policy_name, stmt.table)]


def _insert(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    """First by the keys of the table; where none tells the rows apart, by comparing them with what is there."""
    if stmt.HasField("on_conflict_clause"):
        return []
    forms: list[str | None] = []
    if not stmt.HasField("returning_clause"):
        forms.append(f"{sql}\nON CONFLICT DO NOTHING")
    names = [sql_parts.Identifier(one.res_target.name).as_string(None) for one in stmt.cols]
    plain = stmt.HasField("select_stmt") and not stmt.HasField("with_clause")
    if not names or not plain or stmt.HasField("returning_clause"):
        return forms
    rows = stmt.select_stmt.select_stmt.values_lists
    if not rows:
        forms.append(_all_but_there(stmt, ", ".join(names)))
    elif len(rows) <= _MOST_ROWS:
        forms.append(";\n".join(_unless_there(_name(stmt.relation), names, row.list.items) for row in rows))
    return forms


def _all_but_there(stmt: Any, columns: str) -> str:
    whole = new_tree()
    whole.stmts.add().stmt.CopyFrom(stmt.select_stmt)
    name = _name(stmt.relation)
    return f"INSERT INTO {name} ({columns})\n({deparse(whole)})\nEXCEPT SELECT {columns} FROM {name}"


def _unless_there(table: str, names: Sequence[str], row: Any) -> str:
    values = [expression_sql(value) for value in row]
    same = " AND ".join(f"{name} IS NOT DISTINCT FROM {value}" for name, value in zip(names, values, strict=False))
    return (
        f"INSERT INTO {table} ({', '.join(names)})\nSELECT {', '.join(values)}"
        f" WHERE NOT EXISTS (SELECT FROM {table} WHERE {same})"
    )


def _alter_table(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    tests = []
    for command in stmt.cmds:
        one = command.alter_table_cmd
        subtype = enum_name(one, "subtype")
        if subtype in ("AT_AddColumn", "AT_DropColumn", "AT_DropConstraint"):
            one.missing_ok = True
        elif subtype == "AT_AddConstraint":
            tests.append(_no_such_constraint(stmt.relation, getattr(one, "def").constraint, made))
        elif subtype == "AT_AttachPartition":
            part = getattr(one, "def").partition_cmd.name
            tests.append(
                f"NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = {_regclass(part)}"
                f" AND inhparent = {_regclass(stmt.relation)})"
            )
        elif subtype == "AT_AddIdentity":
            tests.append(
                f"NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = {_regclass(stmt.relation)}"
                f" AND attname = {_text(one.name)} AND attidentity <> '')"
            )
    if not tests:
        return [_added_in_place(sql, parsed)]
    if None in tests:
        return []
    inner = deparse(parsed) if len(tests) < len(stmt.cmds) else sql
    return [_only_if(" AND ".join(str(test) for test in tests), inner)]


def _added_in_place(sql: str, parsed: Any) -> str:
    """Each ADD COLUMN and DROP COLUMN with its IF [NOT] EXISTS, in the text as it is written where that can be."""
    anew = deparse(parsed)
    words = r"\b(add)(\s+column)?\s+(?!constraint\b|check\b|unique\b|primary\b|foreign\b|exclude\b|if\b)"
    spliced = re.sub(words, r"\1\2 IF NOT EXISTS ", sql, flags=re.IGNORECASE)
    spliced = re.sub(r"(?i)\badd IF NOT EXISTS", "ADD COLUMN IF NOT EXISTS", spliced)
    spliced = re.sub(r"(?i)\b(drop\s+(?:column|constraint))\s+(?!if\b)", r"\1 IF EXISTS ", spliced)
    again = parse(spliced)
    return spliced if again is not None and deparse(again) == anew else anew


def _no_such_constraint(relation: Any, constraint: Any, made: Sequence[str]) -> str | None:
    name = constraint.conname
    if not name:
        names = [one.rpartition(".")[2].strip('"') for one in made if one.startswith("constraint ")]
        if len(names) != 1:
            return _no_primary_key(relation) if enum_name(constraint, "contype") == "CONSTR_PRIMARY" else None
        name = re.sub(r"\d+$", "", names[0])
    return (
        f"NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = {_regclass(relation)}"
        f" AND conname = {_text(name)})"
    )


def _no_primary_key(relation: Any) -> str:
    return f"NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = {_regclass(relation)} AND contype = 'p')"


def _type(names: Any, sql: str) -> str:
    name = sql_parts.Identifier(*(one.string.sval for one in names)).as_string(None)
    return _only_if(f"pg_catalog.to_regtype({_text(name)}) IS NULL", sql)


def _enum(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    return [_type(stmt.type_name, sql)]


def _composite(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    return [_only_if(f"pg_catalog.to_regtype({_text(_name(stmt.typevar))}) IS NULL", sql)]


def _domain(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    return [_type(stmt.domainname, sql)]


def _enum_value(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    if stmt.old_val:
        name = sql_parts.Identifier(*(one.string.sval for one in stmt.type_name)).as_string(None)
        test = (
            f"EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype({_text(name)})"
            f" AND enumlabel = {_text(stmt.old_val)})"
        )
        return [_only_if(test, sql)]
    stmt.skip_if_new_val_exists = True
    return [deparse(parsed)]


def _role(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    return [_only_if(f"NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {_text(stmt.role)})", sql)]


def _rename(sql: str, parsed: Any, stmt: Any, made: Sequence[str]) -> list[str | None]:
    what = enum_name(stmt, "rename_type")
    if what == "OBJECT_COLUMN" and stmt.HasField("relation"):
        test = (
            f"EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = {_regclass(stmt.relation)}"
            f" AND attname = {_text(stmt.subname)} AND NOT attisdropped)"
        )
        return [_only_if(test, sql)]
    if what == "OBJECT_TABCONSTRAINT":
        test = (
            f"EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = {_regclass(stmt.relation)}"
            f" AND conname = {_text(stmt.subname)})"
        )
        return [_only_if(test, sql)]
    if stmt.HasField("relation") and stmt.relation.relname:
        stmt.missing_ok = True
        return [deparse(parsed)]
    return []


_BY_KIND: dict[str, Callable[[str, Any, Any, Sequence[str]], list[str | None]]] = {
    "create_policy_stmt": _policy,
    "insert_stmt": _insert,
    "alter_table_stmt": _alter_table,
    "create_enum_stmt": _enum,
    "composite_type_stmt": _composite,
    "create_domain_stmt": _domain,
    "alter_enum_stmt": _enum_value,
    "create_role_stmt": _role,
    "rename_stmt": _rename,
}
