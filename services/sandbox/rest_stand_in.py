"""Stands in for PostgREST where its program is not installed: the calls of supabase-py's builders, on the real rows.

Each call is one transaction under the role of its token, with the claims where policies look for them, so grants,
row-level security and error codes are the database's own. Embedding and logic trees are refused by name.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import jwt
import psycopg
from psycopg import sql
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox.postgres import AUTHENTICATOR
from services.sandbox.rest_query import NotSupported, RestQuery
from services.sandbox.supabase_gateway import api_key, bearer
from services.sandbox.supabase_state import SupabaseState

_ROLES = ("anon", "authenticated", "service_role")
_STATUS = {
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "57014": 500,
}
_STATUS_OF_CLASS = {"08": 503, "53": 503, "54": 500, "28": 403, "0L": 403, "0P": 403, "40": 500, "XX": 500}
_OBJECT = "application/vnd.pgrst.object+json"
_RANGE = re.compile(r"^(\d+)-(\d*)$")


def rest_stand_in(state: SupabaseState) -> Starlette:
    """The ASGI app below /rest/v1."""

    async def table(request: Request) -> Response:
        return await asyncio.to_thread(_answer, state, _Call.of(request, await request.body()))

    methods = ["GET", "HEAD", "POST", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/", _root, methods=["GET", "HEAD"]),
            Route("/rpc/{function}", table, methods=["GET", "POST"]),
            Route("/{table}", table, methods=methods),
        ]
    )


async def _root(_: Request) -> Response:
    return Response('{"info": {"title": "REST stand-in"}}', media_type="application/openapi+json")


@dataclass(frozen=True)
class _Call:
    method: str
    name: str
    is_function: bool
    parameters: list[tuple[str, str]]
    token: str
    prefer: frozenset[str]
    wants_object: bool
    range: str
    body: bytes

    @classmethod
    def of(cls, request: Request, body: bytes) -> _Call:
        function = request.path_params.get("function")
        prefer = request.headers.get("prefer", "")
        return cls(
            method=request.method,
            name=function or request.path_params["table"],
            is_function=function is not None,
            parameters=[(name, value) for name, value in request.query_params.multi_items() if name != "apikey"],
            token=bearer(request) or api_key(request) or "",
            prefer=frozenset(part.strip() for part in prefer.split(",") if part.strip()),
            wants_object=_OBJECT in request.headers.get("accept", ""),
            range=request.headers.get("range", ""),
            body=body,
        )


@dataclass(frozen=True)
class _Rows:
    """rows: a JSON array as text; count: how many; total: how many there are, where it was asked for."""

    rows: str
    count: int
    total: int | None = None
    offset: int = 0


def _answer(state: SupabaseState, call: _Call) -> Response:
    try:
        claims = jwt.decode(call.token, state.keys.jwt_secret, algorithms=["HS256"], options={"verify_aud": False})
    except jwt.ExpiredSignatureError:
        return _error(401, "PGRST301", "JWT expired")
    except jwt.InvalidTokenError:
        return _error(401, "PGRST301", "JWSError JWSInvalidSignature")
    role = claims.get("role", "anon")
    if role not in _ROLES:
        return _error(403, "42501", f'permission denied to set role "{role}"')
    try:
        with psycopg.connect(state.cluster().dsn(AUTHENTICATOR), connect_timeout=5) as conn:
            conn.execute(_SESSION, [role, json.dumps(claims)])
            return _call_function(conn, call) if call.is_function else _call_table(conn, call, state.max_rows)
    except NotSupported as error:
        return _error(400, "PGRST100", f"failed to parse the query: {error}")
    except psycopg.OperationalError as error:
        if error.sqlstate is not None:
            return _refusal(error, role)
        return _error(503, "PGRST001", "Database client error. Retrying the connection.")
    except psycopg.Error as error:
        return _refusal(error, role)


# The role's own time limit counts too: SET ROLE alone would not bring it along.
_SESSION = """
WITH caller AS (SELECT %s::text AS role, %s::text AS claims),
     limits AS (SELECT split_part(setting, '=', 2) AS value
                FROM caller JOIN pg_roles ON rolname = role, unnest(rolconfig) AS setting
                WHERE setting LIKE 'statement_timeout=%%')
SELECT set_config('request.jwt.claims', claims, true),
       set_config('search_path', 'public, extensions', true),
       set_config('statement_timeout', coalesce((SELECT value FROM limits), '0'), true),
       set_config('role', role, true)
FROM caller
"""


def _call_table(conn: psycopg.Connection, call: _Call, max_rows: int) -> Response:
    query = RestQuery.parse(call.parameters)
    table = sql.Identifier("public", call.name)
    if call.method in ("GET", "HEAD"):
        return _selected(call, _select(conn, call, query, table, max_rows))
    statement = {"POST": _insert, "PATCH": _update, "DELETE": _delete}[call.method](call, query, table)
    rows = _run(conn, statement)
    if "return=representation" not in call.prefer:
        conn.commit()
        return Response(status_code=201 if call.method == "POST" else 204)
    # A refusal of the answer's shape undoes the change, as it does there.
    answer = _written(call, rows)
    if answer.status_code < 400:
        conn.commit()
    else:
        conn.rollback()
    return answer


def _select(conn: psycopg.Connection, call: _Call, query: RestQuery, table: sql.Identifier, max_rows: int) -> _Rows:
    offset, limit = query.offset, query.limit
    if found := _RANGE.match(call.range):
        offset = int(found[1])
        limit = int(found[2]) - offset + 1 if found[2] else None
    page = min(max_rows if limit is None else limit, max_rows)
    rows = _run(
        conn,
        sql.SQL("SELECT {} FROM {}{}{} LIMIT {} OFFSET {}").format(
            query.columns, table, query.where, query.order, sql.Literal(page), sql.Literal(offset)
        ),
    )
    total = None
    if "count=exact" in call.prefer:
        counted = conn.execute(sql.SQL("SELECT count(*) FROM {}{}").format(table, query.where)).fetchone()
        total = int(counted[0]) if counted else 0
    return _Rows(rows.rows, rows.count, total, offset)


def _insert(call: _Call, query: RestQuery, table: sql.Identifier) -> sql.Composable:
    rows = _objects(call.body)
    names = list(rows[0]) if rows else []
    if any(set(row) != set(names) for row in rows):
        raise NotSupported("All object keys must match")
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    if not names:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES RETURNING {}").format(table, query.columns)
    return sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, {rows})"
        "{conflict} RETURNING {returned}"
    ).format(
        table=table,
        columns=columns,
        rows=sql.Literal(json.dumps(rows)),
        conflict=_conflict(call, names),
        returned=query.columns,
    )


def _conflict(call: _Call, names: list[str]) -> sql.Composable:
    key = dict(call.parameters).get("on_conflict")
    target = sql.SQL(", ").join(sql.Identifier(part.strip()) for part in (key or "id").split(","))
    if "resolution=ignore-duplicates" in call.prefer:
        return sql.SQL(" ON CONFLICT DO NOTHING")
    if "resolution=merge-duplicates" not in call.prefer:
        return sql.SQL("")
    changes = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in names)
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(target, changes)


def _update(call: _Call, query: RestQuery, table: sql.Identifier) -> sql.Composable:
    rows = _objects(call.body)
    if len(rows) != 1 or not rows[0]:
        raise NotSupported("an update takes one object with at least one key")
    names = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    return sql.SQL(
        "UPDATE {table} SET ({names}) = (SELECT {names} FROM json_populate_record(NULL::{table}, {row}))"
        "{where} RETURNING {returned}"
    ).format(
        table=table,
        names=names,
        row=sql.Literal(json.dumps(rows[0])),
        where=query.where,
        returned=query.columns,
    )


def _delete(_: _Call, query: RestQuery, table: sql.Identifier) -> sql.Composable:
    return sql.SQL("DELETE FROM {}{} RETURNING {}").format(table, query.where, query.columns)


def _call_function(conn: psycopg.Connection, call: _Call) -> Response:
    if call.method == "GET":
        arguments: dict[str, Any] = dict(call.parameters)
    else:
        arguments = (_objects(call.body) or [{}])[0] if call.body.strip() else {}
    found = conn.execute(_FUNCTION, [call.name, list(arguments)]).fetchone()
    if found is None:
        named = ", ".join(sorted(arguments))
        return _error(404, "PGRST202", f"Could not find the function public.{call.name}({named}) in the schema cache")
    many, kind, nothing = found
    passed = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), _argument(value)) for name, value in arguments.items()
    )
    rows = _run(
        conn, sql.SQL("SELECT * FROM {}({})").format(sql.Identifier("public", call.name), passed), scalar=kind != "c"
    )
    conn.commit()
    if nothing:
        return Response(status_code=204)
    if many:
        return _selected(call, rows)
    only = json.loads(rows.rows)
    return Response(json.dumps(only[0] if only else None), media_type="application/json")


# Returns a set? Is it rows ("c") or plain values? Nothing at all?
_FUNCTION = """
SELECT proretset,
       CASE WHEN proargmodes && '{t,o,b}' THEN 'c' WHEN typtype = 'c' THEN 'c' ELSE 'b' END,
       prorettype = 'void'::regtype
FROM pg_proc JOIN pg_type ON pg_type.oid = prorettype
WHERE proname = %s AND pronamespace = 'public'::regnamespace AND %s::text[] <@ coalesce(proargnames, '{}')
ORDER BY pronargs LIMIT 1
"""


def _argument(value: Any) -> sql.Composable:
    if isinstance(value, dict):
        return sql.Literal(json.dumps(value))
    return sql.Literal(str(value) if isinstance(value, float | int) and not isinstance(value, bool) else value)


def _run(conn: psycopg.Connection, statement: sql.Composable, *, scalar: bool = False) -> _Rows:
    """Run it and let the database write the rows as JSON, as PostgREST does."""
    whole = sql.SQL("WITH answer AS ({}) SELECT coalesce(json_agg({}), '[]')::text, count(*) FROM answer").format(
        statement,
        sql.SQL("to_json(answer) -> (SELECT json_object_keys(to_json(answer)) LIMIT 1)")
        if scalar
        else sql.SQL("answer"),
    )
    row = conn.execute(whole).fetchone()
    return _Rows(row[0], row[1]) if row else _Rows("[]", 0)


def _objects(body: bytes) -> list[dict[str, Any]]:
    try:
        values = json.loads(body)
    except ValueError:
        raise NotSupported("Empty or invalid json") from None
    rows = values if isinstance(values, list) else [values]
    if not all(isinstance(row, dict) for row in rows):
        raise NotSupported("the body must be an object, or a list of objects")
    return rows


def _selected(call: _Call, rows: _Rows) -> Response:
    if call.wants_object:
        return _single(rows, 200)
    last = rows.offset + rows.count - 1
    span = f"{rows.offset}-{last}" if rows.count else "*"
    partial = rows.total is not None and rows.count < rows.total
    return Response(
        b"" if call.method == "HEAD" else rows.rows,
        status_code=206 if partial and rows.count else 200,
        headers={"content-range": f"{span}/{'*' if rows.total is None else rows.total}"},
        media_type="application/json",
    )


def _written(call: _Call, rows: _Rows) -> Response:
    status = 201 if call.method == "POST" else 200
    if call.wants_object:
        return _single(rows, status)
    return Response(rows.rows, status_code=status, media_type="application/json")


def _single(rows: _Rows, status: int) -> Response:
    if rows.count != 1:
        return _error(
            406,
            "PGRST116",
            "JSON object requested, multiple (or no) rows returned",
            details=f"The result contains {rows.count} rows",
        )
    return Response(json.dumps(json.loads(rows.rows)[0]), status_code=status, media_type=_OBJECT)


def _refusal(error: psycopg.Error, role: str) -> Response:
    code = error.sqlstate or "XX000"
    status = _STATUS.get(code) or _STATUS_OF_CLASS.get(code[:2]) or 400
    if code == "42501":
        status = 401 if role == "anon" else 403
    told = error.diag
    return _error(status, code, told.message_primary or str(error), details=told.message_detail, hint=told.message_hint)


def _error(status: int, code: str, message: str, *, details: str | None = None, hint: str | None = None) -> Response:
    body = {"code": code, "details": details, "hint": hint, "message": message}
    return Response(json.dumps(body), status_code=status, media_type="application/json")
