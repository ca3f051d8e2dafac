"""Knows which settings of a script are in force where one of its files begins, and which no editor's file can carry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.database.deployment.parts import Part, node_of
from services.database.names import identifier
from services.database.parser import enum_name, nodes, parse
from services.database.script import Statement
from services.errors import Refused

_SETTING = "variable_set_stmt"
_BY_CALL = re.compile(r"\bset_config\s*\(\s*'([^']+)'\s*,\s*('(?:[^']|'')*'|[^,]*),\s*(true|false|\w+)\s*\)", re.I)
_ONLY_A_CALL = re.compile(rf"\s*select\s+(?:pg_catalog\s*\.\s*)?{_BY_CALL.pattern}\s*;?\s*$", re.IGNORECASE)
_ROLES = ("role", "session_authorization")
_CHARACTERISTICS = (
    "default_transaction_isolation",
    "default_transaction_read_only",
    "default_transaction_deferrable",
)

_OF_NO_MEANING = re.compile(
    r"_timeout$|^client_min_messages$|_mem$|^max_parallel_|^vacuum_|^log_|^client_encoding$"
    r"|^standard_conforming_strings$|^application_name$"
)
"""Settings that change how long something takes or what is told of it, and not what it does."""

_READ_OTHERWISE = {
    "standard_conforming_strings": {"on", "true", "1", "yes"},
    "backslash_quote": {"safe_encoding"},
    "client_encoding": {"utf8", "utf-8", "unicode"},
}
"""Settings by which the server reads the text that follows, with the values that leave it as it stands: an editor sends
a file as one message, which is read before any of it is run."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as a statement makes it. name: None of all; value: None where it is taken back or not known."""

    statement: Statement
    name: str | None
    value: str | None
    local: bool
    back: bool


def settings_made(statement: Statement) -> Iterator[Setting]:
    """The settings that a statement makes or takes back, by SET, RESET, or a call that is all of it."""
    if called := _ONLY_A_CALL.match(statement.sql):
        value = called[2].strip("'").replace("''", "'")
        yield Setting(statement, called[1].lower(), value, called[3].lower() == "true", back=False)
        return
    node = node_of(statement) if statement.kind == _SETTING else None
    if node is None:
        return
    kind = enum_name(node, "kind")
    if kind == "VAR_RESET_ALL":
        yield Setting(statement, None, None, local=False, back=True)
    elif kind == "VAR_SET_MULTI":
        for name in _CHARACTERISTICS if node.name == "SESSION CHARACTERISTICS" else ():
            yield Setting(statement, name, None, local=False, back=False)
    else:
        back = kind in ("VAR_RESET", "VAR_SET_DEFAULT")
        yield Setting(statement, node.name.lower(), _value(node), bool(node.is_local), back)


def in_force(statements: Sequence[Statement]) -> tuple[Setting, ...]:
    """The settings in force after these statements, in the order in which they were made."""
    found: dict[tuple[str, bool], Setting] = {}
    for statement in statements:
        for one in settings_made(statement):
            if one.name is None:
                found = {key: kept for key, kept in found.items() if key[0] in _ROLES}
                continue
            found.pop((one.name, True), None)
            if one.back or not one.local:
                found.pop((one.name, False), None)
            if not one.back:
                found[one.name, one.local] = one
    return tuple(found.values())


def replayed(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements that bring these settings about again, in a transaction that comes after."""
    return tuple({id(one.statement): one.statement for one in in_force(statements)}.values())


def taken_back(statements: Sequence[Statement]) -> tuple[str, ...]:
    """RESET of whatever these statements set for a whole session, so that none of it stays with the editor's."""
    names: dict[str, None] = {}
    for statement in statements:
        for one in settings_made(statement):
            if one.name is not None and not one.local and not one.back and one.name not in _ROLES:
                names[one.name] = None
        for call in _BY_CALL.finditer(statement.sql):
            if call[3].lower() != "true":
                names[call[1].lower()] = None
    return tuple(f"RESET {identifier(*name.split('.'))};" for name in names)


def refuse_settings(parts: Sequence[Part]) -> None:
    """Raises Refused, with the place, where a setting or a temporary table would not be there for what needs it, or
    would have the server read the script otherwise."""
    statements = [one for part in parts for one in part.statements]
    for one in (setting for statement in statements for setting in settings_made(statement)):
        allowed = _READ_OTHERWISE.get(one.name or "")
        if allowed is not None and not one.back and (one.value or "").lower() not in allowed:
            raise _refused(
                one.statement,
                f"After it the server reads the script otherwise ({one.name}).",
                "An editor sends a file as one message, which is read before this is set.",
                "Write the script so that it does without this setting.",
            )
    if len(parts) > 1:
        _refuse_lost(parts)


def _refuse_lost(parts: Sequence[Part]) -> None:
    before: list[Statement] = []
    temporary: dict[str, Statement] = {}
    for part in parts:
        for statement in part.statements:
            for name, made in temporary.items():
                if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", statement.sql):
                    raise _refused(
                        made,
                        f"The temporary {name} is used in a later file, at {statement.file}:{statement.line}.",
                        "Each file is run in a session of its own, in which it is not there.",
                        "Make it a table and drop it at the end, or deploy from here.",
                    )
        if part.apart:
            _refuse_set_before(part.statements[0], before)
        for statement in part.statements:
            for name in _temporary(statement):
                temporary[name] = statement
            if _BY_CALL.search(statement.sql) and not _ONLY_A_CALL.match(statement.sql) and part is not parts[-1]:
                raise _refused(
                    statement,
                    "It may set something for the session in a way that cannot be said again.",
                    "The later files are run in sessions of their own.",
                    "Write it as SET, or deploy from here.",
                )
        before += part.statements


def _refuse_set_before(alone: Statement, before: Sequence[Statement]) -> None:
    for one in in_force(before):
        if one.local or _OF_NO_MEANING.search(one.name or ""):
            continue
        raise _refused(
            alone,
            f"{one.name} is set before it, at {one.statement.file}:{one.statement.line}.",
            "It stands in a file of its own, outside any transaction, where nothing can be set first.",
            f"Write RESET {one.name} before it, and names with their schema; or deploy from here.",
        )


def _temporary(statement: Statement) -> set[str]:
    tree = parse(statement.sql)
    return set() if tree is None else {one.relname for one in nodes(tree, "RangeVar") if _is_temporary(one)}


def _is_temporary(relation: Any) -> bool:
    return bool(relation.relpersistence == "t" or relation.schemaname == "pg_temp")


def _value(node: Any) -> str | None:
    if len(node.args) != 1:
        return None
    constant = node.args[0].a_const
    number = constant.HasField("ival")
    return str(constant.ival.ival) if number else str(constant.sval.sval)


def _refused(statement: Statement, what: str, means: str, do: str) -> Refused:
    return Refused(
        what, f"No script was written: {means[0].lower()}{means[1:]}", do, f"{statement.file}:{statement.line}"
    )
