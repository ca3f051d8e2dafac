"""The truth of security, without the engine: strangers who really try to read, write, call, and become others."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors, sql

from tests.dangers.world import World

SOMEBODY = "00000000-0000-4000-8000-000000000001"
NOBODY = "99999999-0000-4000-8000-000000000009"
STRANGERS = ("anon", "authenticated", "nobody_known", "app_reader")
SCHEMAS = ("public", "private", "reports", "api")
OWNER = ""
DENIED = -1
"""What a count is where the role may not even ask."""

_RELATIONS = """
SELECT c.oid::text, n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname IN ('public', 'private', 'reports', 'api')
  AND NOT c.relispartition
"""
_DEFINERS = """
SELECT p.oid::regprocedure::text, n.nspname, p.proname, p.prokind::text, p.prorettype = 'trigger'::regtype,
       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) t),
       EXISTS (SELECT FROM unnest(p.proconfig) v WHERE v LIKE 'search_path=%')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef
"""

Tried = dict[tuple[str, ...], int]
"""What was tried, by whom: rows reached, 1 for "it works", 0 for "it does nothing", DENIED."""


def attempts(world: World, name: str) -> Tried:
    """Everything that strangers can do in a database. Tables are known by oid: some get another name."""
    with world.superuser(name) as conn:
        tried: Tried = {}
        relations = conn.execute(_RELATIONS).fetchall()
        for role in STRANGERS:
            for place, schema, table, kind in relations:
                tried |= _on_rows(conn, role, place, (schema, table), kind)
            tried |= _on_schemas(conn, role)
            tried |= _on_definers(conn, role)
        for function, *_, has_path in conn.execute(_DEFINERS).fetchall():
            tried["open to what stands in the way", function] = int(not has_path)
        return tried | _on_roles(conn, world)


def gained(before: Tried, after: Tried) -> str:
    """What works now and did not, or "": more rows, a call, a role. Also own rows that have vanished without a word."""
    for what, now in sorted(after.items()):
        was = before.get(what, DENIED)
        if what[0] == OWNER:
            continue
        if what[1] == "reads own":
            if was > now == 0 and after[OWNER, "holds", what[2]] >= before[OWNER, "holds", what[2]]:
                return f"{' '.join(what)}: shut out from {was} rows"
        elif now > max(was, 0):
            return f"{' '.join(what)}: {was} before, {now} after"
    return ""


def _on_rows(conn: psycopg.Connection[Any], role: str, name: str, place: tuple[str, str], kind: str) -> Tried:
    table = sql.Identifier(*place)
    select = sql.SQL("SELECT FROM {}").format(table)
    tried = {(role, "reads", name): _rows(conn, role, select)}
    tried[OWNER, "holds", name] = _rows(conn, conn.info.user, select)
    if role == "authenticated":
        tried[role, "reads own", name] = _rows(conn, role, select, SOMEBODY)
    if kind not in ("r", "p"):
        return tried
    columns = [one.name for one in conn.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()]
    first = sql.Identifier(columns[0])
    if tried[role, "reads", name] >= 0 and _row_security_off(conn, role, place):
        tried[role, "may read whatever will be in", name] = 1
    tried[role, "reads a column of", name] = max(
        _rows(conn, role, sql.SQL("SELECT {} FROM {}").format(sql.Identifier(one), table)) for one in columns
    )
    changed = sql.SQL("UPDATE {} SET {} = {}").format(table, first, first)
    tried[role, "updates", name] = _rows(conn, role, changed)
    tried[role, "deletes", name] = _rows(conn, role, sql.SQL("DELETE FROM {}").format(table))
    nothing = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        table, sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join([sql.NULL] * len(columns))
    )
    tried[role, "inserts into", name] = _works(conn, role, nothing)
    tried[role, "empties", name] = _works(conn, role, sql.SQL("TRUNCATE {}").format(table))
    return tried


def _row_security_off(conn: psycopg.Connection[Any], role: str, place: tuple[str, str]) -> bool:
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        row = conn.execute("SELECT row_security_active(format('%%I.%%I', %s::text, %s::text))", place).fetchone()
    return row is not None and not row[0]


def _as(conn: psycopg.Connection[Any], role: str, who: str = NOBODY) -> None:
    claims = f'{{"sub": "{who}", "role": "{role}"}}' if role == "authenticated" else ""
    conn.execute("SELECT set_config('request.jwt.claims', %s, true)", (claims,))
    conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))


def _rows(conn: psycopg.Connection[Any], role: str, statement: sql.Composable, who: str = NOBODY) -> int:
    try:
        with conn.transaction(force_rollback=True):
            _as(conn, role, who)
            return conn.execute(statement).rowcount
    except errors.InsufficientPrivilege:
        return DENIED
    except psycopg.Error:
        return 0


def _works(conn: psycopg.Connection[Any], role: str, statement: sql.Composable) -> int:
    """Whether nothing but the data stands against it: rights are asked before any value is looked at."""
    try:
        with conn.transaction(force_rollback=True):
            _as(conn, role)
            conn.execute(statement)
    except errors.InsufficientPrivilege:
        return DENIED
    except (errors.IntegrityError, errors.FeatureNotSupported):
        return 1  # a value, or a table that refers to it, stands in the way, not a right
    except psycopg.Error:
        return 0
    return 1


def _on_schemas(conn: psycopg.Connection[Any], role: str) -> Tried:
    tried: Tried = {}
    for schema in SCHEMAS:
        table = sql.Identifier(schema, "probe_table")
        if conn.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
            continue
        tried[role, "creates in", schema] = _works(conn, role, sql.SQL("CREATE TABLE {} (a int)").format(table))
        try:
            with conn.transaction(force_rollback=True):
                conn.execute("SET LOCAL ROLE postgres")
                conn.execute(sql.SQL("CREATE TABLE {} (a int)").format(table))
                conn.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(table))
                _as(conn, role)
                conn.execute(sql.SQL("SELECT FROM {}").format(table))
                tried[role, "reads what is made in", schema] = 1
        except psycopg.Error:
            tried[role, "reads what is made in", schema] = DENIED
    return tried


def _on_definers(conn: psycopg.Connection[Any], role: str) -> Tried:
    tried: Tried = {}
    for name, schema, plain, kind, is_trigger, types, _ in conn.execute(_DEFINERS).fetchall():
        if is_trigger:
            continue
        nothing = sql.SQL(", ").join(sql.SQL("NULL::{}").format(sql.SQL(one)) for one in types)
        call = sql.SQL("CALL {}({})" if kind == "p" else "SELECT {}({})").format(sql.Identifier(schema, plain), nothing)
        tried[role, "calls with its owner's rights", name] = _works(conn, role, call)
    return tried


def _on_roles(conn: psycopg.Connection[Any], world: World) -> Tried:
    """Powers: passwords, new roles, becoming another, coming in; two can only be looked up."""
    tried: Tried = {}
    roles = conn.execute(
        "SELECT rolname, rolbypassrls, rolreplication, rolsuper FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
    ).fetchall()
    every = [row[0] for row in conn.execute("SELECT rolname FROM pg_roles").fetchall()]
    for role, bypasses, replicates, is_superuser in roles:
        if is_superuser and role == conn.info.user:
            continue
        tried[role, "passes by row-level security"] = int(bypasses)
        tried[role, "replicates"] = int(replicates)
        tried[role, "reads passwords"] = _works(conn, role, sql.SQL("SELECT FROM pg_authid"))
        tried[role, "creates roles"] = _works(conn, role, sql.SQL("CREATE ROLE probe_role"))
        for other in every:
            if other != role:
                tried[role, "becomes", other] = _becomes(conn, role, other)
        tried[role, "comes in"] = _comes_in(world, role)
    return tried


def _becomes(conn: psycopg.Connection[Any], role: str, other: str) -> int:
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(sql.SQL("SET LOCAL SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
            conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(other)))
    except psycopg.Error:
        return DENIED
    return 1


def _comes_in(world: World, role: str) -> int:
    try:
        psycopg.connect(world.server.dsn("postgres", role, "open"), connect_timeout=2).close()
    except psycopg.Error as error:
        return DENIED if "not permitted to log in" in str(error) else 0
    return 1
