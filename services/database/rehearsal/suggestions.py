"""Knows what would help a failing statement: from the server's message, the statement, and the catalog's names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from services.database.failure_classes import Failure
from services.database.names import as_written, relation_as_written
from services.database.parser import enum_name, expression_sql, nodes, parse
from services.database.psql_cutter import TokenKind, tokens
from services.database.rehearsal.catalog_names import CatalogNames, Column
from services.database.rehearsal.immutable_forms import immutable_form
from services.database.rehearsal.nearest import nearest
from services.database.rehearsal.too_early import missing_unique_index
from services.database.rehearsal.type_drift import cast_both_ways
from services.database.script import Statement

_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "S": "sequence",
    "f": "foreign table",
    "i": "index",
    "I": "index",
}
_MOST_NAMES = 12
_NEWLINE = b"\n"
_UNSEEN = ("Cf", "Zs", "Zl", "Zp")
"""Categories of characters without a form: those that only format, and blanks."""
_KEY = re.compile(r'Key \((?P<columns>.+?)\)=\((?P<values>.*)\) is not present in table "(?P<table>[^"]+)"')
_NO_PART = re.compile(r'relation "(?P<part>[^"]+)" is not a (?P<what>partition|parent) of relation "(?P<whole>[^"]+)"')
_TYPES = re.compile(r"incompatible types: (?P<one>.+) and (?P<other>.+?)\.?$")
_STARTS = tuple(
    re.findall(
        r"\w+",
        "ALTER ANALYZE CALL CLUSTER COMMENT COPY CREATE DELETE DO DROP EXECUTE EXPLAIN GRANT INSERT LOCK MERGE NOTIFY"
        " REFRESH REINDEX RESET REVOKE SELECT SET TRUNCATE UPDATE VACUUM VALUES WITH",
    )
)

Suggest = Callable[[Failure, Statement, CatalogNames], str | None]


def suggestion(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    """One sentence or a piece of SQL that helps with this failure; None where nothing better is known than its class.

    names: the catalog as the failing statement found it.
    """
    suggest = _BY_STATE.get(failure.sqlstate or "") or _BY_CLASS.get(failure.failure_class.id)
    return suggest(failure, statement, names) if suggest else None


def _quoted(message: str) -> list[str]:
    return re.findall(r'"([^"]+)"', message)


def _listed(items: Iterable[str], most: int = _MOST_NAMES) -> str:
    found = list(items)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _missing_relation(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    if match := _NO_PART.search(failure.message):
        return f"{match['part']} is there, and no {match['what']} of {match['whole']} now: nothing is left to take off."
    wanted = _quoted(failure.message)
    if not wanted:
        return None
    bare = wanted[0].rpartition(".")[2]
    elsewhere = [one for one in names.relations if one.name == bare]
    if elsewhere:
        return f"It is {_listed(one.full for one in elsewhere)}: write its schema."
    capitals = next((one for one in names.relations if one.name != bare and one.name.lower() == bare.lower()), None)
    if capitals is not None:
        return f"It is {relation_as_written(capitals.full)}: write it in double quotes."
    found = nearest(bare, (one.name for one in names.relations if one.kind not in "iI"))
    if not found:
        return None
    full = [f"{one.full} ({_KINDS[one.kind]})" for name in found for one in names.named(name)]
    return f"Nearest to {wanted[0]}: {_listed(full)}."


def _missing_column(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    match = re.search(r'column "?([^" ]+)"?|has no field "([^"]+)"', failure.message)
    if match is None:
        return None
    bare = (match[1] or match[2]).rpartition(".")[2]
    of = re.search(r'of relation "([^"]+)"', failure.message)
    relations = [of[1]] if of else _relations_in(statement.sql, names)
    columns = [column for relation in dict.fromkeys(relations) for column in names.columns_of(relation)]
    exact = next((one for one in columns if one.name != bare and one.name.lower() == bare.lower()), None)
    if exact is not None:
        return f'{exact.relation} has "{exact.name}": write it in double quotes.'
    if found := nearest(bare, (one.name for one in columns)):
        return f"Nearest to {bare}: {_listed(_described(found, columns))}."
    elsewhere = sorted({one.relation for one in names.columns if one.name == bare})
    if elsewhere:
        return f"A column {bare} is in {_listed(elsewhere, 4)}."
    if columns:
        return f"{columns[0].relation} has {_listed(f'{one.name} ({one.type})' for one in columns)}."
    return None


def _described(found: list[str], columns: list[Column]) -> list[str]:
    return [f"{one.name} ({one.type}) of {one.relation}" for name in found for one in columns if one.name == name]


def _relations_in(sql: str, names: CatalogNames) -> list[str]:
    """Relations of the catalog whose names stand in the text, also inside the bodies of functions and DO blocks."""
    words = set(re.findall(r"[A-Za-z_][\w$]*", sql.lower()))
    found = [one for one in names.relations if one.name.lower() in words and one.kind not in "iIS"]
    spelled = [one for one in found if one.full.lower() in sql.lower()]
    seen = [one for one in found if one in names.named(one.name)]
    return [one.full for one in spelled or seen or found]


def _missing_function(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    match = re.search(r"(?:function|procedure|aggregate) ([\w.\"]+)\((.*)\) does not exist", failure.message)
    if match is None:
        return None
    bare = match[1].replace('"', "").rpartition(".")[2]
    same = [one.full for one in names.functions if one.name == bare]
    if same:
        return f"There is {_listed(same, 5)}: cast the arguments ({match[2]}) to these types, or write its schema."
    if bare.startswith("uuid_generate_v4"):
        return 'Use gen_random_uuid(), which needs no extension, or CREATE EXTENSION IF NOT EXISTS "uuid-ossp" first.'
    if bare in names.built_in:
        return f"{bare}() is there, but not for ({match[2] or 'no arguments'}): cast the arguments."
    found = nearest(bare, [*(one.name for one in names.functions), *names.built_in])
    return f"Nearest to {bare}: {_listed(f'{name}()' for name in found)}." if found else None


def _missing_object(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    wanted = _quoted(failure.message)
    bare = wanted[0].rpartition(".")[2] if wanted else ""
    if failure.message.startswith("type ") and bare:
        elsewhere = [f"{schema}.{name}" for schema, name in names.types if name == bare]
        if elsewhere:
            return f"It is {_listed(elsewhere)}: write its schema."
        found = nearest(bare, (name for _, name in names.types))
        return f"Nearest to {bare}: {_listed(found)}." if found else f"Create the type {bare} first."
    if failure.message.startswith("role ") and bare:
        found = nearest(bare, names.roles)
        return f"Nearest to {bare}: {_listed(found)}." if found else f"The roles are {_listed(names.roles)}."
    if statement.sql.lstrip()[:4].lower() == "drop" or " drop " in statement.sql.lower():
        return "Write DROP ... IF EXISTS."
    return None


def _missing_schema(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    wanted = _quoted(failure.message)
    if not wanted:
        return None
    found = nearest(wanted[0], names.schemas)
    first = f"Nearest: {_listed(found)}. Or write" if found else "Write"
    return f"{first} CREATE SCHEMA IF NOT EXISTS {wanted[0]}; before it."


def _type_mismatch(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    if match := _TYPES.search(failure.said.detail):
        keys = _quoted(failure.said.detail)
        pair = f"{keys[0]} is {match['one']}, {keys[1]} is {match['other']}" if len(keys) > 1 else match[0]
        return f"{pair}: give both columns the type {match['other']}."
    if match := re.search(r'default for column "([^"]+)" cannot be cast automatically', failure.message):
        column = as_written(match[1])
        return f"Put ALTER {column} DROP DEFAULT before it, and ALTER {column} SET DEFAULT ... after it."
    if match := re.search(r'column "([^"]+)" cannot be cast automatically to type (.+)$', failure.message):
        return f"Add USING {as_written(match[1])}::{match[2]} (every value must be a valid {match[2]})."
    if match := re.search(r'column "([^"]+)" is of type (.+) but expression is of type (.+)$', failure.message):
        return f"{match[1]} is {match[2]}, the value {match[3]}: write (value)::{match[2]}."
    if match := re.search(r"Returned type (.+) does not match expected type (.+) in column (\d+)", failure.said.detail):
        return f"Column {match[3]} is {match[1]}, but {match[2]} is declared: write (expression)::{match[2]}."
    return cast_both_ways(failure, statement.sql)


def _not_immutable(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    return immutable_form(statement.sql, names)


def _view_columns(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    parsed = parse(statement.sql)
    if parsed is None or parsed.stmts[0].stmt.WhichOneof("node") != "view_stmt":
        return None
    view = parsed.stmts[0].stmt.view_stmt.view
    name = ".".join(as_written(part) for part in (view.schemaname, view.relname) if part)
    return f"DROP VIEW IF EXISTS {name};\n{statement.sql};"


def _return_type(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    match = re.search(r"DROP (FUNCTION|PROCEDURE|ROUTINE|AGGREGATE) (.+?) first", failure.said.hint)
    return f"DROP {match[1]} IF EXISTS {match[2]};\n{statement.sql};" if match else None


def _wrong_kind(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    for wanted in _quoted(failure.message):
        for one in names.named(wanted):
            return f"{one.full} is a {_KINDS[one.kind]}."
    return None


def _dependents(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    lines = [
        re.sub(r"^rule \S+ on ", "", line.split(" depends on ")[0])
        for line in failure.said.detail.splitlines()
        if " depends on " in line
    ]
    if not lines:
        return None
    return f"These depend on it: {_listed(lines)}. Drop or change them first, and make them again after it."


def _missing_row(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    match = _KEY.search(failure.said.detail)
    if match is None:
        return None
    # A value is repeated only where the script spells it out: what rows hold stays in them.
    spelled = all(value.strip() in statement.sql for value in match["values"].split(", "))
    what = f"{match['columns']} = {match['values']}" if spelled else f"the {match['columns']} that a row refers to"
    return f"{match['table']} has no row for {what}: insert that row first."


def _null_value(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    column, relation = failure.said.column, failure.said.relation
    if not column or not relation:
        return None
    if "contains null values" in failure.message:
        known = any(one.name == column for one in names.columns_of(relation))
        name = as_written(column)
        fill = f"UPDATE {relation_as_written(relation)} SET {name} = ... WHERE {name} IS NULL;"
        return f"Fill it first: {fill}" if known else f"Give it a default: ADD COLUMN {name} ... NOT NULL DEFAULT ..."
    kind = next((one.type for one in names.columns_of(relation) if one.name == column), "")
    return f"{relation}.{column}{f' ({kind})' if kind else ''} needs a value: name it in the INSERT, or give a default."


def _duplicate(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    match = re.search(r"Key \((.+?)\)=\(.*\) (already exists|is duplicated)", failure.said.detail)
    if match is None:
        return None
    where = failure.said.relation or "the table"
    if match[2] == "already exists":
        # The key is unique already, so that no row of the table can be found to have a double.
        if statement.kind == "insert_stmt":
            return f"Add ON CONFLICT ({match[1]}) DO NOTHING."
        if statement.kind == "do_stmt" and re.search(r"\binsert\b", statement.sql, re.IGNORECASE):
            return f"Add ON CONFLICT ({match[1]}) DO NOTHING to the INSERT into {where}."
        return f"A row of {where} has that {match[1]} already, and it must be unique: leave that row out."
    only = " AND ".join(_counted_rows(match[1], statement))
    table = relation_as_written(failure.said.relation) if failure.said.relation else "the table"
    return (
        f"Find them: SELECT {match[1]}, count(*) FROM {table}{f' WHERE {only}' if only else ''}"
        f" GROUP BY {match[1]} HAVING count(*) > 1;"
    )


def _counted_rows(key: str, statement: Statement) -> list[str]:
    """Which rows a new unique index or constraint holds to be doubles: conditions for WHERE."""
    parsed = parse(statement.sql)
    if parsed is None:
        return []
    made = [*nodes(parsed, "IndexStmt"), *nodes(parsed, "Constraint")]
    found = [] if any(one.nulls_not_distinct for one in made) else [f"({key}) IS NOT NULL"]
    return found + [f"({expression_sql(one.where_clause)})" for one in made if one.HasField("where_clause")]


def _ambiguous(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    match = re.search(r'column reference "([^"]+)" is ambiguous', failure.message)
    if match is None:
        return None
    homes = [one for one in _relations_in(statement.sql, names) if match[1] in {c.name for c in names.columns_of(one)}]
    return f"Write {' or '.join(f'{home}.{match[1]}' for home in homes)}." if homes else None


def _syntax(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    if opened := _unclosed(statement):
        return opened
    at = failure.said.position
    if unseen := _unseen(statement, at):
        return unseen
    if at is None:
        return None
    line = statement.start_line + statement.sql[_start(statement.sql) : at - 1].count("\n")
    word = re.match(r"\w*", statement.sql[at - 1 :])
    if word and at - 1 <= _start(statement.sql) and (found := nearest(word[0], _STARTS, 1)):
        return f"Line {line} begins with {word[0]}: write {found[0]}."
    return f"It is read up to line {line}, before {word[0]}." if word and word[0] else f"It is read up to line {line}."


def _unseen(statement: Statement, at: int | None) -> str | None:
    """The first character that no eye sees and that the server takes for a part of a word, up to where it stopped.

    at: 1-based character; None where the server named none.
    """
    raw = statement.sql.encode()
    until = len(raw) if at is None else len(statement.sql[:at].encode())
    for token in tokens(raw):
        if token.kind not in (TokenKind.WORD, TokenKind.OTHER) or token.start >= until:
            continue
        text = raw[token.start : token.end].decode(errors="replace")
        for place, letter in enumerate(text):
            if not letter.isascii() and unicodedata.category(letter) in _UNSEEN:
                line = statement.start_line + raw[_first(raw) : token.start].count(_NEWLINE)
                near = f" after {text[:place]}" if place else f" before {text[1:]}" if len(text) > 1 else ""
                what = f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".rstrip()
                return f"Line {line} has a character that is not seen{near}, {what}: delete it, or write a blank."
    return None


def _first(raw: bytes) -> int:
    """Where the first word stands, in bytes."""
    found = next((one for one in tokens(raw) if one.kind not in (TokenKind.BLANK, TokenKind.COMMENT)), None)
    return found.start if found else 0


def _start(sql: str) -> int:
    """Where the first word stands, in characters."""
    raw = sql.encode()
    return len(raw[: _first(raw)].decode())


def _unclosed(statement: Statement) -> str | None:
    """What was opened and never closed, with its line."""
    raw = statement.sql.encode()
    opened: list[int] = []
    base = statement.start_line - raw.count(b"\n", 0, len(statement.sql[: _start(statement.sql)].encode()))
    for token in tokens(raw):
        if not token.closed:
            what = "comment" if token.kind is TokenKind.COMMENT else "quote"
            if raw[token.start : token.start + 1] == b"$":
                what = f"dollar quote {raw[token.start : raw.index(b'$', token.start + 1) + 1].decode()}"
            return f"The {what} opened at line {base + raw[: token.start].count(_NEWLINE)} is never closed."
        if token.kind is TokenKind.OPEN:
            opened.append(token.start)
        elif token.kind is TokenKind.CLOSE and opened:
            opened.pop()
    if opened:
        return f"The parenthesis opened at line {base + raw[: opened[-1]].count(_NEWLINE)} is never closed."
    return None


def _check(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    """How to find the rows that break a constraint which the statement adds."""
    parsed = parse(statement.sql)
    if parsed is None or "violated by some row" not in failure.message:
        return None
    for one in nodes(parsed, "Constraint"):
        if enum_name(one, "contype") == "CONSTR_CHECK" and one.conname in ("", failure.said.constraint):
            broken = expression_sql(one.raw_expr)
            table = relation_as_written(failure.said.relation or "")
            return f"Find them: SELECT * FROM {table} WHERE NOT ({broken}); or add it NOT VALID."
    return None


def _bad_value(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    if match := re.search(r"value too long for type (.+)$", failure.message):
        return f"Shorten the value, or use a type longer than {match[1]}."
    return None


def _permission(failure: Failure, statement: Statement, names: CatalogNames) -> str | None:
    match = re.search(r"must be owner of (\w[\w ]*?) (\S+)$", failure.message)
    return f"Run it as the owner of {match[2]}, or leave it out: the role may not change it." if match else None


_BY_STATE: dict[str, Suggest] = {"42P10": missing_unique_index}
_BY_CLASS: dict[str, Suggest] = {
    "syntax": _syntax,
    "missing-relation": _missing_relation,
    "missing-column": _missing_column,
    "missing-function": _missing_function,
    "missing-object": _missing_object,
    "missing-schema": _missing_schema,
    "type-mismatch": _type_mismatch,
    "not-immutable": _not_immutable,
    "view-columns": _view_columns,
    "return-type": _return_type,
    "wrong-kind": _wrong_kind,
    "dependents": _dependents,
    "missing-row": _missing_row,
    "null-value": _null_value,
    "duplicate-row": _duplicate,
    "check-violation": _check,
    "bad-value": _bad_value,
    "ambiguous": _ambiguous,
    "permission": _permission,
}
