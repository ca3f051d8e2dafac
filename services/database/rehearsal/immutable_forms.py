"""Knows the immutable form of expressions that an index or a generated column cannot use as they are written."""

from __future__ import annotations

from typing import Any

from services.database.parser import expression_sql, nodes, parse
from services.database.rehearsal.catalog_names import CatalogNames

_ZONED = "timestamp with time zone"


def immutable_form(sql: str, names: CatalogNames) -> str | None:
    """What to write instead, for each expression of the statement that has an immutable form; None where none has."""
    parsed = parse(sql)
    if parsed is None:
        return None
    zoned = {one.name for one in names.columns if one.type.startswith(_ZONED)}
    written = [_form(one, zoned) for one in [*nodes(parsed, "FuncCall"), *nodes(parsed, "TypeCast")]]
    forms = list(dict.fromkeys(one for one in written if one))
    return f"Write {'; '.join(forms)}." if forms else None


def _form(node: Any, zoned: set[str]) -> str | None:
    if node.DESCRIPTOR.name == "TypeCast":
        return _cast(node, zoned)
    name = node.funcname[-1].string.sval
    arguments = [expression_sql(one) for one in node.args]
    as_written = expression_sql(_wrapped(node, "func_call"))
    if name == "date" and len(arguments) == 1:
        return f"({_at_utc(arguments[0])})::date instead of {as_written}"
    if name in ("date_trunc", "date_part", "extract", "to_char") and len(arguments) == 2:
        at = 0 if name == "to_char" else 1
        if _is_zoned(node.args[at], zoned):
            arguments[at] = _at_utc(arguments[at])
            if name == "to_char":
                return (
                    f"date_trunc or date_part over {arguments[0]} instead of {as_written}: to_char is never immutable"
                )
            return f"{name}({', '.join(arguments)}) instead of {as_written}"
        return f"date_trunc or date_part instead of {as_written}" if name == "to_char" else None
    if name == "to_tsvector" and len(arguments) == 1:
        return f"to_tsvector('english', {arguments[0]}) instead of {as_written}"
    if name in ("concat", "concat_ws"):
        parts = arguments if name == "concat" else arguments[1:]
        between = " || " if name == "concat" else f" || {arguments[0]} || "
        return f"{between.join(f'COALESCE({part}, {chr(39) * 2})' for part in parts)} instead of {as_written}"
    if name in ("now", "clock_timestamp", "current_date", "random", "gen_random_uuid"):
        return f"a column filled by DEFAULT {as_written} instead of {as_written} in the expression"
    return None


def _cast(node: Any, zoned: set[str]) -> str | None:
    target = node.type_name.names[-1].string.sval
    if target not in ("date", "timestamp", "time") or not _is_zoned(node.arg, zoned):
        return None
    return f"({_at_utc(expression_sql(node.arg))})::{target} instead of {expression_sql(_wrapped(node, 'type_cast'))}"


def _at_utc(expression: str) -> str:
    return f"{expression} AT TIME ZONE 'UTC'"


def _is_zoned(node: Any, zoned: set[str]) -> bool:
    return any(one.fields[-1].string.sval in zoned for one in nodes(node, "ColumnRef"))


def _wrapped(node: Any, field: str) -> Any:
    """An expression node around one of its kinds."""
    outer = parse("SELECT 1").stmts[0].stmt  # type: ignore[union-attr]
    getattr(outer, field).CopyFrom(node)
    return outer
