"""Knows the immutable form of expressions that an index or a generated column cannot use as they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.database.parser import expression_sql, nodes, parse
from services.database.rehearsal.catalog_names import CatalogNames

_ZONED = "timestamp with time zone"
_TEXTS = ("text", "varchar", "character", "citext", "name")
_STEADY = ("smallint", "integer", "bigint", "numeric", "boolean", "uuid")
"""Types whose values are written as text in one way, whatever is set."""


def immutable_form(sql: str, names: CatalogNames) -> str | None:
    """What to write instead, for each expression of the statement that has an immutable form; None where none has."""
    parsed = parse(sql)
    if parsed is None:
        return None
    relations = {one.relname for one in nodes(parsed, "RangeVar")}
    here = [one for one in names.columns if one.relation.rpartition(".")[2] in relations]
    types = {one.name: one.type for one in here or names.columns}
    written = [_form(one, types) for one in [*nodes(parsed, "FuncCall"), *nodes(parsed, "TypeCast")]]
    forms = list(dict.fromkeys(one for one in written if one))
    return f"Write {'; '.join(forms)}." if forms else None


def _form(node: Any, types: Mapping[str, str]) -> str | None:
    if node.DESCRIPTOR.name == "TypeCast":
        return _cast(node, types)
    name = node.funcname[-1].string.sval
    arguments = [expression_sql(one) for one in node.args]
    as_written = expression_sql(_wrapped(node, "func_call"))
    if name == "date" and len(arguments) == 1:
        return f"({_at_utc(arguments[0])})::date instead of {as_written}"
    if name in ("date_trunc", "date_part", "extract", "to_char") and len(arguments) == 2:
        at = 0 if name == "to_char" else 1
        if _is_zoned(node.args[at], types):
            arguments[at] = _at_utc(arguments[at])
            if name == "to_char":
                return (
                    f"date_trunc or date_part over {arguments[0]} instead of {as_written}: to_char is never immutable"
                )
            between = " FROM " if name == "extract" else ", "
            first = arguments[0].strip("'") if name == "extract" else arguments[0]
            return f"{name}({first}{between}{arguments[1]}) instead of {as_written}"
        return f"date_trunc or date_part instead of {as_written}" if name == "to_char" else None
    if name == "to_tsvector" and len(arguments) == 1:
        return f"to_tsvector('english', {arguments[0]}) instead of {as_written}"
    if name in ("concat", "concat_ws", "format"):
        joined = _joined(name, node.args, types)
        return f"{joined} instead of {as_written}" if joined else None
    if name == "age" and len(arguments) == 1:
        return f"the plain {arguments[0]} instead of {as_written}: an age changes every day"
    if name == "array_to_string":
        return f"a function of your own around {as_written}, marked IMMUTABLE, which is true of arrays of text"
    if name in ("now", "clock_timestamp", "current_date", "random", "gen_random_uuid"):
        return f"a column filled by DEFAULT {as_written} instead of {as_written} in the expression"
    return None


def _cast(node: Any, types: Mapping[str, str]) -> str | None:
    target = node.type_name.names[-1].string.sval
    if target == "timestamptz" and _type_of(node.arg, types).startswith("timestamp without"):
        return f"({_at_utc(expression_sql(node.arg))}) instead of {expression_sql(_wrapped(node, 'type_cast'))}"
    if target in _TEXTS and _type_of(node.arg, types).startswith(("timestamp", "date", "time ", "interval")):
        return f"the plain {expression_sql(node.arg)} instead of {expression_sql(_wrapped(node, 'type_cast'))}"
    if target not in ("date", "timestamp", "time") or not _is_zoned(node.arg, types):
        return None
    return f"({_at_utc(expression_sql(node.arg))})::{target} instead of {expression_sql(_wrapped(node, 'type_cast'))}"


def _at_utc(expression: str) -> str:
    return f"{expression} AT TIME ZONE 'UTC'"


def _is_zoned(node: Any, types: Mapping[str, str]) -> bool:
    return any(types.get(one.fields[-1].string.sval, "").startswith(_ZONED) for one in nodes(node, "ColumnRef"))


def _type_of(node: Any, types: Mapping[str, str]) -> str:
    """The type of a plain column."""
    return types.get(node.column_ref.fields[-1].string.sval, "") if node.HasField("column_ref") else ""


def _joined(name: str, args: Sequence[Any], types: Mapping[str, str]) -> str | None:
    """What such a function puts together, with || and by nothing that depends on a setting."""
    texts = [_as_text(one, types) for one in args]
    if None in texts or not texts:
        return None
    first, *rest = [str(one) for one in texts]
    if name == "concat":
        return " || ".join([first, *rest])
    if name == "concat_ws":
        return f" || {first} || ".join(rest) + " (which keeps the separator of a part that is NULL)" if rest else None
    pieces = first[1:-1].split("%s")
    if not args[0].HasField("a_const") or len(pieces) != len(rest) + 1 or "%" in "".join(pieces):
        return None
    quoted = [f"'{piece}'" if piece else "" for piece in pieces]
    return " || ".join(one for pair in zip(quoted, [*rest, ""], strict=True) for one in pair if one)


def _as_text(node: Any, types: Mapping[str, str]) -> str | None:
    written = expression_sql(node)
    if node.HasField("a_const"):
        return written if node.a_const.HasField("sval") else f"'{written}'"
    known = _type_of(node, types)
    if known.startswith(_STEADY):
        return f"COALESCE({written}::text, '')"
    return f"COALESCE({written}, '')" if not known or known.startswith(_TEXTS) else None


def _wrapped(node: Any, field: str) -> Any:
    """An expression node around one of its kinds."""
    outer = parse("SELECT 1").stmts[0].stmt  # type: ignore[union-attr]
    getattr(outer, field).CopyFrom(node)
    return outer
