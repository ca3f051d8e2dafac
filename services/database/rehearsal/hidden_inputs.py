"""Knows which scripts depend on what a shadow cannot have: chance, the clock, the server, the world outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.database.parser import enum_name, nodes, parse, parse_plpgsql
from services.database.rehearsal.harmless import words
from services.database.script import Statement

Bodies = Callable[[str], Sequence[str]]
"""From a function's bare name to the CREATE FUNCTION statements of all functions so called."""

_OUTSIDE = words(
    "pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file pg_ls_logdir pg_ls_waldir pg_file_write lo_import"
    " lo_export pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_switch_wal pg_promote lo_get"
    " lo_put lo_open lo_unlink lo_truncate loread lowrite http"
    " http_get http_post http_put http_delete http_request http_head http_patch net_http_get net_http_post"
)
_OUTSIDE_PREFIXES = ("dblink", "pg_create_logical", "pg_create_physical", "pg_replication_", "pg_logical_")
_CHANCE = words("random random_normal gen_random_uuid gen_random_bytes uuid_generate_v4 uuid_generate_v1 uuidv4 uuidv7")
_CLOCK = words("now clock_timestamp statement_timestamp transaction_timestamp timeofday localtimestamp")
_SERVER = words(
    "inet_client_addr inet_client_port inet_server_addr inet_server_port pg_backend_pid pg_postmaster_start_time"
    " pg_conf_load_time pg_is_in_recovery txid_current pg_current_xact_id txid_current_snapshot pg_current_wal_lsn"
    " pg_total_relation_size pg_relation_size pg_table_size pg_indexes_size pg_database_size pg_tablespace_size"
    " pg_relation_filenode pg_relation_filepath pg_blocking_pids pg_safe_snapshot_blocking_pids pg_column_compression"
)
_SERVER_RELATIONS = words(
    "pg_locks pg_database pg_authid pg_shadow pg_user pg_settings pg_file_settings pg_hba_file_rules pg_tablespace"
    " pg_replication_slots pg_subscription pg_prepared_xacts pg_prepared_statements pg_cursors pg_config pg_statistic"
    " pg_stats pg_largeobject pg_available_extensions pg_available_extension_versions pg_backend_memory_contexts"
)
_SERVER_COLUMNS = words("reltuples relpages relallvisible relfilenode rolpassword usesysid passwd")
_SERVER_SETTINGS = words(
    "data_directory config_file hba_file port listen_addresses max_connections shared_buffers wal_level archive_mode"
    " cluster_name fsync synchronous_commit full_page_writes unix_socket_directories ssl shared_preload_libraries"
    " max_prepared_transactions application_name hot_standby primary_conninfo work_mem maintenance_work_mem"
)
_VERSION = words("version server_version server_version_num")
_TEXT_ORDER = re.compile(
    r"\b(?:order\s+by|lower|upper|initcap|min|max|between|citext|collate)\b|[<>]=?|~\*?", re.IGNORECASE
)
_MOST_DEEP = 5


@dataclass(frozen=True, slots=True)
class Circumstance:
    """How the shadow's server is unlike the target's. lacking_locale: the target's, where it is not to be had here."""

    same_version: bool = True
    lacking_locale: str | None = None
    foreign_tables: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Reading:
    """What is read of one statement: the functions looked into already, and what was found."""

    bodies: Bodies
    around: Circumstance
    seen: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)


def hidden_inputs(
    statements: Sequence[Statement], bodies: Bodies, around: Circumstance | None = None
) -> dict[int, str]:
    """By index of the statement, a sentence on what decides its outcome and is not known on a shadow."""
    known = around or Circumstance()
    reasons = {}
    for index, statement in enumerate(statements):
        reading = _Reading(bodies, known)
        _read(statement.sql, reading, 0)
        if known.lacking_locale and _TEXT_ORDER.search(statement.sql):
            reading.found.append(f"the locale {known.lacking_locale}, which this machine lacks")
        if reading.found:
            what = ", ".join(dict.fromkeys(reading.found))
            reasons[index] = f"{statement.file}:{statement.line}: its outcome depends on {what}"
    return reasons


def _read(sql: str, reading: _Reading, deep: int) -> None:
    parsed = parse(sql)
    if parsed is None:
        return
    for item in parsed.stmts:
        kind = str(item.stmt.WhichOneof("node"))
        stmt = getattr(item.stmt, kind)
        if kind == "do_stmt":
            _read_block(sql, reading, deep)
        elif kind not in ("create_function_stmt", "create_policy_stmt", "create_trig_stmt", "rule_stmt", "view_stmt"):
            _read_statement(kind, stmt, reading, deep)


def _read_statement(kind: str, stmt: Any, reading: _Reading, deep: int) -> None:
    if kind == "copy_stmt" and stmt.filename:
        what = "a program" if stmt.is_program else "a file"
        reading.found.append(f"{what} on the server ({stmt.filename})")
    if kind in ("create_subscription_stmt", "create_table_space_stmt", "load_stmt", "alter_system_stmt"):
        reading.found.append("the server it runs on")
    _read_calls(stmt, reading, deep)
    reading.found += [what for condition in _conditions(stmt) for what in _hidden(condition, reading, frozenset())]


def _read_calls(stmt: Any, reading: _Reading, deep: int) -> None:
    """What is called: functions that reach outside count wherever they stand; others are looked into."""
    for call in nodes(stmt, "FuncCall"):
        name = call.funcname[-1].string.sval.lower()
        if _reaches_outside(call):
            reading.found.append(f"what {name}() finds outside")
        elif deep < _MOST_DEEP and name not in reading.seen:
            reading.seen.add(name)
            for body in reading.bodies(name):
                _read_block(body, reading, deep + 1)
    reading.found += [
        f"the rows of the foreign table {one.relname}"
        for one in nodes(stmt, "RangeVar")
        if one.relname in reading.around.foreign_tables
    ]


def _reaches_outside(call: Any) -> bool:
    names = [one.string.sval.lower() for one in call.funcname]
    return names[-1] in _OUTSIDE or names[-1].startswith(_OUTSIDE_PREFIXES) or names[0] in ("net", "http")


def _conditions(stmt: Any) -> Iterator[Any]:
    """The parts of a statement that decide what it does: WHERE, HAVING, ON, CASE WHEN, and the arguments of errors."""
    for one in nodes(stmt, "SelectStmt"):
        yield from (one.where_clause, one.having_clause)
    for name in ("UpdateStmt", "DeleteStmt"):
        yield from (one.where_clause for one in nodes(stmt, name))
    yield from (one.quals for one in nodes(stmt, "JoinExpr"))
    yield from (one.expr for one in nodes(stmt, "CaseWhen"))


def _hidden(expression: Any, reading: _Reading, tainted: frozenset[str], *, branch: bool = False) -> list[str]:
    """What an expression holds that is not known on a shadow. branch: it decides which way a program goes, where also
    the clock counts; elsewhere the clock counts only where it is compared with something fixed."""
    found = []
    for call in nodes(expression, "FuncCall"):
        name = call.funcname[-1].string.sval.lower()
        if name in _CHANCE:
            found.append("chance")
        elif name in _SERVER:
            found.append(f"{name}() of the server")
        elif name in _VERSION and not reading.around.same_version:
            found.append("the server's version")
        elif name == "current_setting":
            found += _setting(call, reading)
    for relation in nodes(expression, "RangeVar"):
        if relation.relname in _SERVER_RELATIONS or relation.relname.startswith("pg_stat"):
            found.append(f"{relation.relname} of the server")
    for column in nodes(expression, "ColumnRef"):
        name = column.fields[-1].string.sval
        if name in tainted or name in _SERVER_COLUMNS:
            found.append(f"{name}, which is other on the target")
    if (branch and _reads_clock(expression)) or any(
        _clock_against_constant(one) for one in nodes(expression, "A_Expr")
    ):
        found.append("the clock")
    return found


def _setting(call: Any, reading: _Reading) -> list[str]:
    values = [one.a_const.sval.sval.lower() for one in call.args[:1] if one.HasField("a_const")]
    if values and values[0] in _VERSION:
        return [] if reading.around.same_version else ["the server's version"]
    return [f"the server's setting {values[0]}"] if values and values[0] in _SERVER_SETTINGS else []


def _reads_clock(expression: Any) -> bool:
    called = any(one.funcname[-1].string.sval.lower() in _CLOCK for one in nodes(expression, "FuncCall"))
    return called or any(
        ("CURRENT_" in (op := enum_name(one, "op")) and ("DATE" in op or "TIME" in op)) or "LOCALTIME" in op
        for one in nodes(expression, "SQLValueFunction")
    )


def _clock_against_constant(expression: Any) -> bool:
    """True for such as now() > '2027-01-01': no column decides, only the day on which it runs."""
    operator = expression.name[-1].string.sval if expression.name else ""
    if operator not in ("<", ">", "<=", ">=", "=", "<>"):
        return False
    sides = (expression.lexpr, expression.rexpr)
    return _reads_clock(expression) and not any(True for side in sides for _ in nodes(side, "ColumnRef"))


def _read_block(sql: str, reading: _Reading, deep: int) -> None:
    """Read a DO block or a function in PL/pgSQL: what decides its branches, and what its statements do."""
    tree = parse_plpgsql(sql)
    if tree is None:
        return
    tainted = _tainted(tree, reading)
    for key, node in _pairs(tree):
        if key == "cond" or (key == "PLpgSQL_case_when" and "expr" in node):
            condition = node if key == "cond" else node["expr"]
            reading.found += _in_expression(condition["PLpgSQL_expr"]["query"], reading, tainted)
        elif key == "PLpgSQL_stmt_dynexecute":
            query = node["query"]["PLpgSQL_expr"]["query"]
            reading.found += _in_expression(query, reading, tainted)
        elif key == "query" and isinstance(node, str):
            _read_query(node, reading, deep)


def _read_query(query: str, reading: _Reading, deep: int) -> None:
    parsed = parse(query) or parse(f"SELECT {query}")
    if parsed is not None:
        for item in parsed.stmts:
            kind = str(item.stmt.WhichOneof("node"))
            _read_statement(kind, getattr(item.stmt, kind), reading, deep)


def _in_expression(query: str, reading: _Reading, tainted: frozenset[str]) -> list[str]:
    parsed = parse(f"SELECT {query}")
    return _hidden(parsed, reading, tainted, branch=True) if parsed is not None else []


def _tainted(tree: Any, reading: _Reading) -> frozenset[str]:
    """Variables whose values come from what is not known on a shadow, directly or through other variables."""
    flows: list[tuple[set[str], str]] = []
    for key, node in _pairs(tree):
        if key == "PLpgSQL_stmt_assign":
            name, _, value = node["expr"]["PLpgSQL_expr"]["query"].partition(":=")
            flows.append(({name.strip().split(".")[0]}, value or name.partition("=")[2]))
        elif key == "PLpgSQL_var" and "default_val" in node:
            flows.append(({node["refname"]}, node["default_val"]["PLpgSQL_expr"]["query"]))
        elif key == "PLpgSQL_stmt_execsql" and node.get("into"):
            target = {one for kind, one in _pairs(node.get("target")) if kind in ("name", "refname")}
            flows.append((target, node["sqlstmt"]["PLpgSQL_expr"]["query"]))
    tainted: set[str] = set()
    for _ in flows:
        for names, query in flows:
            parsed = parse(query) or parse(f"SELECT {query}")
            if parsed is not None and _hidden(parsed, reading, frozenset(tainted), branch=True):
                tainted |= {one for one in names if not one.startswith("(")}
    return frozenset(tainted)


def _pairs(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value in nested lists and dictionaries, outermost first."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key, value
            yield from _pairs(value)
    elif isinstance(tree, list):
        for one in tree:
            yield from _pairs(one)
