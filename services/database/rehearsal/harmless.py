"""Knows which expressions cannot fail, and have no effect, whatever the rows hold."""

from __future__ import annotations

from typing import Any

from services.database.parser import enum_name, walk


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_PLAIN_NODES = words(
    "Node ColumnRef A_Const String Integer Float Boolean A_Star A_Expr BoolExpr NullTest BooleanTest List ParseResult"
    " CoalesceExpr CollateClause SQLValueFunction"
)
_WITH_FUNCTIONS = _PLAIN_NODES | words(
    "FuncCall TypeCast TypeName CaseExpr CaseWhen MinMaxExpr A_ArrayExpr A_Indirection A_Indices BitString"
)
_SELECT_NODES = _PLAIN_NODES | words("SelectStmt ResTarget RangeVar Alias JoinExpr SortBy FuncCall")
_COMPARE = frozenset(("=", "<>", "<", ">", "<=", ">="))
_COUNTS = frozenset(("count", "min", "max", "lower", "upper", "now"))
_ACT = words(
    "nextval setval currval lastval set_config pg_sleep pg_sleep_for pg_sleep_until random gen_random_uuid"
    " clock_timestamp timeofday txid_current pg_notify query_to_xml query_to_xmlschema cursor_to_xml"
    " pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_switch_wal"
)


def is_harmless(expression: Any, *, functions: bool = False) -> bool:
    """True for comparisons of columns with values. functions: true also where built-in functions and casts are used,
    which may fail on a row but change nothing; whether they do must then be asked of the rows.
    """
    allowed = _WITH_FUNCTIONS if functions else _PLAIN_NODES
    return all(
        one.DESCRIPTOR.name in allowed and (functions or _compares(one)) and _does_nothing(one)
        for _, one in walk(expression)
    )


def is_plain_select(stmt: Any) -> bool:
    """True for a SELECT that no row can make fail: columns, counts, joins and comparisons."""
    if stmt.HasField("into_clause") or stmt.locking_clause:
        return False
    return all(
        one.DESCRIPTOR.name in _SELECT_NODES
        and _compares(one)
        and (one.DESCRIPTOR.name != "FuncCall" or one.funcname[-1].string.sval in _COUNTS)
        for _, one in walk(stmt)
    )


def _compares(node: Any) -> bool:
    if node.DESCRIPTOR.name != "A_Expr":
        return True
    kind = enum_name(node, "kind")
    return kind in ("AEXPR_OP", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_IN", "AEXPR_BETWEEN") and all(
        one.string.sval in _COMPARE or one.string.sval == "BETWEEN" for one in node.name
    )


def _does_nothing(node: Any) -> bool:
    """Built-in functions by their bare or full name only, and none that acts."""
    if node.DESCRIPTOR.name != "FuncCall":
        return True
    names = [one.string.sval for one in node.funcname]
    return names[-1] in BUILT_IN and names[-1] not in _ACT and (len(names) == 1 or names[0] == "pg_catalog")


BUILT_IN = words(
    "lower upper length char_length character_length octet_length btrim ltrim rtrim trim replace substr substring"
    " left right concat concat_ws split_part strpos position starts_with regexp_replace regexp_match regexp_count"
    " md5 sha256 abs ceil ceiling floor round trunc sign mod power sqrt greatest least coalesce nullif date_trunc"
    " date_part extract age timezone to_char to_date to_timestamp to_number make_date date justify_days now"
    " to_tsvector cardinality array_length array_ndims array_position jsonb_typeof jsonb_array_length"
    " json_typeof jsonb_extract_path_text json_extract_path_text to_jsonb encode decode num_nonnulls num_nulls"
    " isfinite like_escape initcap reverse lpad rpad repeat array_to_string string_to_array text"
)
"""Functions of the server that read their arguments and nothing else."""
