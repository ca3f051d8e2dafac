"""Two ways to PulseCheck's rows for a probe: the database itself, or Supabase REST with the service key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from apps.pulsecheck.client import NO_ENTRY
from apps.pulsecheck.probe_turns import run_turn
from services.checks.context import CheckContext, NotTried
from services.clients.http import Answer, HttpClient, Kind, UpstreamError, failure

SCHEMA = "public"
Row = dict[str, Any]
Operator = Literal["eq", "in", "like", "unlike", "gte", "lt"]
_SQL: Mapping[Operator, str] = {"eq": "=", "like": "like", "unlike": "not like", "gte": ">=", "lt": "<"}
_REST: Mapping[Operator, str] = {"eq": "eq", "like": "like", "unlike": "not.like", "gte": "gte", "lt": "lt"}


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on a column; `%` stands for anything in a `like`, and `in` takes several values."""

    column: str
    operator: Operator
    value: str | Sequence[str]


def equal(column: str, value: object) -> Where:
    return Where(column, "eq", str(value))


class ProbeRows(Protocol):
    """Rows of the app's tables, with the right to remove them again."""

    way: str

    def has(self, table: str, column: str = "*") -> bool:
        """Whether the table, or the column in it, is there."""

    def select(self, table: str, *where: Where, limit: int = 1000) -> list[Row]: ...

    def count(self, table: str, *where: Where) -> int: ...

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None: ...

    def update(self, table: str, values: Mapping[str, Any], *where: Where) -> None: ...

    def delete(self, table: str, *where: Where) -> None: ...

    def together(self) -> AbstractContextManager[Any]:
        """What is changed inside is changed as a whole or not at all, where this way can do that."""


class SqlRows:
    """Rows through a connection whose role may delete."""

    way = "the database"

    def __init__(self, conn: psycopg.Connection[Row]) -> None:
        self.conn = conn

    def has(self, table: str, column: str = "*") -> bool:
        return relation_exists(self.conn, table) if column == "*" else column_exists(self.conn, table, column)

    def select(self, table: str, *where: Where, limit: int = 1000) -> list[Row]:
        text = sql.SQL("select * from {}{} limit {}").format(_table(table), _where(where), limit)
        return self.conn.execute(text).fetchall()

    def count(self, table: str, *where: Where) -> int:
        text = sql.SQL("select count(*) as n from {}{}").format(_table(table), _where(where))
        found = self.conn.execute(text).fetchone()
        return int(found["n"]) if found else 0

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            columns = sql.SQL(", ").join(map(sql.Identifier, row))
            values = sql.SQL(", ").join(map(sql.Literal, row.values()))
            self.conn.execute(sql.SQL("insert into {} ({}) values ({})").format(_table(table), columns, values))

    def update(self, table: str, values: Mapping[str, Any], *where: Where) -> None:
        pairs = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()]
        self.conn.execute(sql.SQL("update {} set {}{}").format(_table(table), sql.SQL(", ").join(pairs), _where(where)))

    def delete(self, table: str, *where: Where) -> None:
        self.conn.execute(sql.SQL("delete from {}{}").format(_table(table), _where(where)))

    def together(self) -> AbstractContextManager[Any]:
        return self.conn.transaction()


class RestRows:
    """Rows through Supabase REST as service_role; each change stands by itself."""

    way = "Supabase REST"

    def __init__(self, url: str, service_key: str) -> None:
        headers = {"apikey": service_key, "authorization": f"Bearer {service_key}"}
        self._http = HttpClient("Supabase", f"{url}/rest/v1", headers=headers)

    def close(self) -> None:
        self._http.close()

    def has(self, table: str, column: str = "*") -> bool:
        answer = self._ask("GET", table, (), {"select": column, "limit": "0"})
        if answer.status in (400, 404) and not answer.ok:
            return False
        answer.expect()
        return True

    def select(self, table: str, *where: Where, limit: int = 1000) -> list[Row]:
        body = self._ask("GET", table, where, {"select": "*", "limit": str(limit)}).expect().json()
        if not isinstance(body, list):
            raise UpstreamError("Supabase", Kind.NOT_UNDERSTOOD, "Supabase answered no list of rows.")
        return body

    def count(self, table: str, *where: Where) -> int:
        answer = self._ask("GET", table, where, {"select": "*", "limit": "0"}, prefer="count=exact").expect()
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        if not total.isdigit():
            raise UpstreamError("Supabase", Kind.NOT_UNDERSTOOD, "Supabase answered without a count.")
        return int(total)

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._ask("POST", table, (), {}, json=[dict(row) for row in rows]).expect()

    def update(self, table: str, values: Mapping[str, Any], *where: Where) -> None:
        told = {name: str(value) if _is_rich(value) else value for name, value in values.items()}
        self._ask("PATCH", table, where, {}, json=told).expect()

    def delete(self, table: str, *where: Where) -> None:
        self._ask("DELETE", table, where, {}).expect()

    def together(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def require_delete(self) -> None:
        """Raises NotTried where the key may not delete entries: shown by deleting one that there is not."""
        answer = self._ask("DELETE", "journal_entries", (equal("id", NO_ENTRY),), {})
        if answer.status in (401, 403):
            raise _no_rights("the service key of this target")
        if not answer.ok:
            raise failure(answer)

    def _ask(
        self,
        method: str,
        table: str,
        where: Sequence[Where],
        params: Mapping[str, str],
        *,
        json: object = None,
        prefer: str = "return=minimal",
    ) -> Answer:
        pairs = [*params.items(), *((one.column, _rest(one)) for one in where)]
        path = f"/{table}?{urlencode(pairs)}" if pairs else f"/{table}"
        return self._http.request(method, path, json=json, headers={"prefer": prefer})


@contextmanager
def opened_rows(context: CheckContext) -> Iterator[ProbeRows]:
    """The way to the rows that may remove them: the database where its role may, else REST with the service key.

    Raises NotTried, before anything is written, where there is neither, or while another run writes test data.
    """
    target = context.target
    if target.deploy_url is not None or target.database_url is not None:
        with context.database(as_owner=True, read_only=False, deadline_s=8.0) as plain:
            conn: psycopg.Connection[Row] = plain
            conn.row_factory = dict_row
            if _may_delete(conn):
                with run_turn(context).held():
                    yield SqlRows(conn)
                return
    if target.supabase_url is None or target.supabase_service_key is None:
        whose = "no database address and no service key" if target.database_url is None else "the database role"
        raise _no_rights(f"{whose} of this target")
    rest = RestRows(target.supabase_url, target.supabase_service_key.get_secret_value())
    try:
        rest.require_delete()
        yield rest
    finally:
        rest.close()


def _no_rights(whose: str) -> NotTried:
    return NotTried(
        f"Nothing was written: {whose} may not delete journal entries."
        if not whose.startswith("no ")
        else f"Nothing was written: the settings have {whose.removesuffix(' of this target')}.",
        "Test data could not be removed again.",
        "Give the target a database address whose role may delete, or the service key, or leave this check out.",
    )


def relation_exists(conn: psycopg.Connection[Any], name: str) -> bool:
    row = conn.cursor(row_factory=dict_row).execute(
        "select to_regclass(%s) is not null as there", (f"{SCHEMA}.{name}",)
    )
    found = row.fetchone()
    return bool(found and found["there"])


def column_exists(conn: psycopg.Connection[Any], table: str, column: str) -> bool:
    found = (
        conn.cursor(row_factory=dict_row)
        .execute(
            "select 1 as one from information_schema.columns"
            " where table_schema = %s and table_name = %s and column_name = %s",
            (SCHEMA, table, column),
        )
        .fetchone()
    )
    return found is not None


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, name)


def _where(conditions: Sequence[Where]) -> sql.Composable:
    """Values go in as untyped literals, so that each takes the type of its column: user_id is text here, uuid there."""
    if not conditions:
        return sql.SQL("")
    parts: list[sql.Composable] = []
    for one in conditions:
        column = sql.Identifier(one.column)
        if one.operator == "in":
            parts.append(sql.SQL("{} = any({})").format(column, sql.Literal("{" + ",".join(one.value) + "}")))
        else:
            parts.append(sql.SQL("{} {} {}").format(column, sql.SQL(_SQL[one.operator]), sql.Literal(one.value)))
    return sql.SQL(" where ") + sql.SQL(" and ").join(parts)


def _rest(condition: Where) -> str:
    if condition.operator == "in":
        return f"in.({','.join(condition.value)})"
    value = str(condition.value)
    if condition.operator in ("like", "unlike"):
        value = value.replace("%", "*")
    return f"{_REST[condition.operator]}.{value}"


def _is_rich(value: object) -> bool:
    return value is not None and not isinstance(value, str | int | float | bool | list | dict)


def _may_delete(conn: psycopg.Connection[Row]) -> bool:
    row = conn.execute(
        "select to_regclass('public.journal_entries') is not null"
        " and has_table_privilege(current_user, 'public.journal_entries', 'DELETE') as may"
    ).fetchone()
    return row is not None and bool(row["may"])
