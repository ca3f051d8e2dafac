"""Knows how rows come back into a table of another owner, whose triggers we cannot switch off: as a replica.

Foreign keys are not checked then either: those from and to such a table are checked by us when all rows are in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from services.database.snapshots.effects import Place
from services.database.snapshots.park import oid_of
from services.database.snapshots.snapshot import Part
from services.errors import Refused

_TABLES = """
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, o.rolname::text AS owner,
  ARRAY(SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
        AND t.tgenabled = 'O' ORDER BY 1) AS acting,
  ARRAY(SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
        AND t.tgenabled = 'A'
        UNION ALL SELECT 'rule ' || r.rulename FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid
        AND r.rulename <> '_RETURN' AND r.ev_enabled = 'A') AS always,
  ARRAY(SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
        AND t.tgenabled = 'R'
        UNION ALL SELECT 'rule ' || r.rulename FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid
        AND r.rulename <> '_RETURN' AND r.ev_enabled = 'R') AS as_replica,
  ARRAY(SELECT 'rule ' || r.rulename FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid
        AND r.rulename <> '_RETURN' AND r.ev_enabled = 'O' ORDER BY 1) AS rules,
  ARRAY(SELECT k.relname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND NOT i.indimmediate) AS deferred
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
WHERE c.oid = ANY(%s::oid[]) AND c.relkind IN ('r', 'p') AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
ORDER BY c.oid
"""

_KEYS = """
WITH RECURSIVE up AS (
  SELECT k.oid, k.conparentid FROM pg_catalog.pg_constraint k
  WHERE k.contype = 'f' AND (k.conrelid = ANY(%(tables)s::oid[]) OR k.confrelid = ANY(%(tables)s::oid[]))
  UNION SELECT k.oid, k.conparentid FROM pg_catalog.pg_constraint k JOIN up ON k.oid = up.conparentid)
SELECT k.oid::bigint AS oid, k.conname::text AS name,
  k.conrelid::bigint AS child_oid, k.confrelid::bigint AS parent_oid,
  n.nspname::text AS child_schema, c.relname::text AS child,
  rn.nspname::text AS parent_schema, rc.relname::text AS parent,
  c.relkind = 'r' AS child_only, rc.relkind = 'r' AS parent_only, k.convalidated AS validated,
  k.confmatchtype = 'f' AS full, COALESCE(pg_catalog.to_jsonb(k) ->> 'conperiod', 'false') = 'false'
    AND (SELECT pg_catalog.bool_and(pg_catalog.has_schema_privilege(t.relnamespace, 'USAGE')
           AND pg_catalog.has_table_privilege(t.oid, 'SELECT') AND NOT pg_catalog.row_security_active(t.oid)
           AND pg_catalog.has_table_privilege(t.oid, 'UPDATE, DELETE, TRUNCATE'))
         FROM pg_catalog.pg_class t WHERE t.oid IN (k.conrelid, k.confrelid)) AS checkable,
  ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(n, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.at) AS columns,
  ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(n, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.at) AS of_columns,
  ARRAY(SELECT pg_catalog.format('OPERATOR(%%I.%%s)', o_n.nspname, o.oprname)
        FROM pg_catalog.unnest(k.conpfeqop) WITH ORDINALITY u(op, at) JOIN pg_catalog.pg_operator o ON o.oid = u.op
        JOIN pg_catalog.pg_namespace o_n ON o_n.oid = o.oprnamespace ORDER BY u.at) AS equal,
  ARRAY(SELECT COALESCE(' COLLATE ' || pg_catalog.quote_ident(l_n.nspname) || '.'
                        || pg_catalog.quote_ident(l.collname), '')
        FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(n, at)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n
        LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_catalog.pg_namespace l_n ON l_n.oid = l.collnamespace ORDER BY u.at) AS collations
FROM up JOIN pg_catalog.pg_constraint k ON k.oid = up.oid JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class rc ON rc.oid = k.confrelid
JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
WHERE k.conparentid = 0 AND COALESCE(pg_catalog.to_jsonb(k) ->> 'conenforced', 'true') = 'true' ORDER BY k.oid
"""

_ORPHANS = """
SELECT pg_catalog.count(*) FROM {child} n WHERE {whole} AND NOT EXISTS (SELECT FROM {parent} p WHERE {same})
"""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of another owner. What acts on its rows: for everybody but a replica, always, for a replica only.

    deferred: indexes that are checked by triggers of the server, which a replica does not run.
    """

    oid: int
    schema: str
    name: str
    owner: str
    acting: list[str]
    always: list[str]
    as_replica: list[str]
    rules: list[str]
    deferred: list[str]

    @property
    def acts(self) -> list[str]:
        return [*self.acting, *self.rules]


@dataclass(frozen=True, slots=True)
class _Key:
    """A foreign key that stands; checkable: we may lock both tables and see all of their rows."""

    oid: int
    name: str
    child_oid: int
    parent_oid: int
    child_schema: str
    child: str
    parent_schema: str
    parent: str
    child_only: bool
    parent_only: bool
    validated: bool
    full: bool
    checkable: bool
    columns: list[str]
    of_columns: list[str]
    equal: list[str]
    collations: list[str]


@dataclass(frozen=True, slots=True)
class NotOwned:
    """The tables into which we go as replica, and the foreign keys of them with the orphans that they had before."""

    places: frozenset[Place] = frozenset()
    keys: tuple[tuple[_Key, int], ...] = ()

    def require_parents(self, conn: psycopg.Connection[Any]) -> None:
        """Raise Refused where rows now refer to rows that are not there, and the server was not asked."""
        for key, before in self.keys:
            there = conn.execute("SELECT FROM pg_catalog.pg_constraint WHERE oid = %s", (key.oid,)).fetchone()
            count = _orphans(conn, key) - before if there is not None else 0
            if count > 0:
                rows = "1 row" if count == 1 else f"{count} rows"
                raise Refused(
                    f"{rows} of {key.child_schema}.{key.child} would refer to rows of"
                    f" {key.parent_schema}.{key.parent} that are not there (constraint {key.name}).",
                    "Nothing was changed; what was kept lies in schema ops as before.",
                    f"Put the missing rows into {key.parent_schema}.{key.parent},"
                    f" or take those of {key.child_schema}.{key.child} out, and start it again.",
                )


def know_not_owned(conn: psycopg.Connection[Any], parts: Sequence[Part]) -> NotOwned:
    """Which tables of these parts, being another's, can be entered only as replica; writers of their relatives wait.

    Inside a transaction, after the foreign keys that are ours were taken off. Raises Refused where triggers or rules
    of such a table would act on rows that come back, and we may not keep them from it.
    """
    tables = _tables(conn, parts)
    if not tables:
        return NotOwned()
    here = {oid_of(conn, (part.schema, part.table)) for part in parts}
    keys = _keys(conn, [one.oid for one in tables])
    allowed = _may_be_replica(conn)
    entered: list[_Table] = []
    for one in tables:
        refused = _refusal(conn, one, keys, allowed=allowed)
        if refused is not None:
            raise refused
        mine = [key for key in keys if one.oid in (key.child_oid, key.parent_oid)]
        # Without triggers, it is only for rows of tables that hang together: in any order, and nothing cascades.
        joined = any(key.parent_oid == one.oid or key.parent_oid in here for key in mine)
        free = allowed and not one.as_replica and not one.deferred and all(key.checkable for key in mine)
        if one.acts or (joined and free and not one.always):
            entered.append(one)
    oids = {one.oid for one in entered}
    return NotOwned(
        frozenset((one.schema, one.name) for one in entered),
        tuple((key, _orphans_before(conn, key)) for key in keys if oids & {key.child_oid, key.parent_oid}),
    )


def stays_away(conn: psycopg.Connection[Any], parts: Sequence[Part]) -> list[str]:
    """Sentences on those of these parts whose rows would not come back, as their table is another's; mostly none."""
    tables = _tables(conn, parts)
    if not any(one.acts or one.always for one in tables):
        return []
    keys, allowed = _keys(conn, [one.oid for one in tables]), _may_be_replica(conn)
    refusals = [refused for one in tables if (refused := _refusal(conn, one, keys, allowed=allowed)) is not None]
    return [
        f"{one.what} What the change does to rows there will not come back by our rollback. {one.do}"
        for one in refusals
    ]


@contextmanager
def as_replica(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Within: no trigger, rule or foreign key acts, whosoever the table is. The setting is what it was afterwards."""
    row = conn.execute("SELECT pg_catalog.current_setting('session_replication_role')").fetchone()
    setting = sql.SQL("SET LOCAL session_replication_role = {}")
    conn.execute(setting.format(sql.Literal("replica")))
    yield
    conn.execute(setting.format(sql.Literal(row[0] if row else "origin")))


def _tables(conn: psycopg.Connection[Any], parts: Sequence[Part]) -> list[_Table]:
    """The tables of other owners to whose rows the change did anything."""
    oids = {oid for part in parts if (oid := oid_of(conn, (part.schema, part.table)))}
    with conn.cursor(row_factory=class_row(_Table)) as cursor:
        found = cursor.execute(_TABLES, (sorted(oids),)).fetchall()
    altered = {(part.schema, part.table) for part in parts if found and _altered(conn, part)}
    return [one for one in found if (one.schema, one.name) in altered]


def _altered(conn: psycopg.Connection[Any], part: Part) -> bool:
    """Whether the change altered rows of the part; else none is written on the way back."""
    if part.after_name is None or {*part.columns} - {*part.after_columns}:
        return True
    row = conn.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier("ops", part.after_name))
    ).fetchone()
    return row is not None and bool(row[0])


def _keys(conn: psycopg.Connection[Any], tables: Sequence[int]) -> list[_Key]:
    with conn.cursor(row_factory=class_row(_Key)) as cursor:
        return cursor.execute(_KEYS, {"tables": list(tables)}).fetchall()


def _may_be_replica(conn: psycopg.Connection[Any]) -> bool:
    """Tried, as some servers allow it to roles to which no right is granted."""
    conn.execute("SAVEPOINT ops_replica")
    try:
        conn.execute("SET LOCAL session_replication_role = 'replica'")
    except errors.InsufficientPrivilege:
        return False
    else:
        return True
    finally:
        conn.execute("ROLLBACK TO SAVEPOINT ops_replica; RELEASE SAVEPOINT ops_replica")


def _refusal(conn: psycopg.Connection[Any], table: _Table, keys: Sequence[_Key], *, allowed: bool) -> Refused | None:
    """Why rows cannot come back into a table of another owner without its triggers or rules; None where they can."""
    place = f"{table.schema}.{table.name}"
    whose = f"{place} belongs to {table.owner}, and"
    as_owner = f"Start it as {table.owner}"
    row = conn.execute("SELECT CURRENT_USER::text").fetchone()
    us = row[0] if row else conn.info.user
    nothing = "Nothing was changed; what was kept lies in schema ops as before."
    if not table.acts and not table.always:
        return None
    stubborn = [*table.always, *(table.as_replica if table.acts else [])]
    if stubborn:
        return Refused(
            f"{whose} its {stubborn[0]} acts on rows that come back even in a session of a replica"
            f" (ENABLE {'ALWAYS' if table.always else 'REPLICA'}); {us} may not switch it off.",
            nothing,
            f"{as_owner}, or let {table.owner} disable it meanwhile.",
        )
    if not allowed:
        return Refused(
            f"{whose} its {table.acts[0]} would act on rows that come back; {us} may neither switch it off"
            " nor set session_replication_role.",
            nothing,
            f"{as_owner}, or let a superuser allow it, from Postgres 15 on:"
            f" GRANT SET ON PARAMETER session_replication_role TO {us}.",
        )
    if table.deferred:
        return Refused(
            f"{whose} its {table.acts[0]} would act on rows that come back; without it {table.deferred[0]},"
            " which is deferrable, would not be checked either.",
            nothing,
            f"{as_owner}.",
        )
    hidden = next((key for key in keys if table.oid in (key.child_oid, key.parent_oid) and not key.checkable), None)
    if hidden is not None:
        return Refused(
            f"{whose} its {table.acts[0]} would act on rows that come back; without it {hidden.name} of"
            f" {hidden.child_schema}.{hidden.child} would not be checked either, and {us} cannot check it.",
            nothing,
            f"{as_owner}, or give {us} SELECT and UPDATE on {hidden.child_schema}.{hidden.child} and"
            f" {hidden.parent_schema}.{hidden.parent}, and BYPASSRLS where they have row-level security.",
        )
    return None


def _orphans_before(conn: psycopg.Connection[Any], key: _Key) -> int:
    """How many orphans the key has already, as one may that was never validated; nobody else makes any from here on."""
    for side in _sides(key):
        conn.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(side))
    return 0 if key.validated else _orphans(conn, key)


def _sides(key: _Key) -> tuple[sql.Composed, sql.Composed]:
    return (
        sql.SQL("ONLY {}" if key.child_only else "{}").format(sql.Identifier(key.child_schema, key.child)),
        sql.SQL("ONLY {}" if key.parent_only else "{}").format(sql.Identifier(key.parent_schema, key.parent)),
    )


def _orphans(conn: psycopg.Connection[Any], key: _Key) -> int:
    child, parent = _sides(key)
    columns = sql.SQL(", ").join(sql.SQL("n.{}").format(sql.Identifier(name)) for name in key.columns)
    # MATCH FULL takes no row with a value in only some of its columns.
    whole = sql.SQL("pg_catalog.num_nonnulls({}) >= {}").format(columns, 1 if key.full else len(key.columns))
    same = sql.SQL(" AND ").join(
        sql.SQL("p.{} {} n.{}{}").format(
            sql.Identifier(of_column), sql.SQL(equal), sql.Identifier(column), sql.SQL(collation)
        )
        for column, of_column, equal, collation in zip(
            key.columns, key.of_columns, key.equal, key.collations, strict=True
        )
    )
    query = sql.SQL(_ORPHANS).format(child=child, whole=whole, parent=parent, same=same)
    row = conn.execute(query).fetchone()
    return int(row[0]) if row else 0
