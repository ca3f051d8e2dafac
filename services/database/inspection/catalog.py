"""Knows what a catalog holds that can be tried: relations, routines, columns, triggers, types, who uses whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from services.database.fingerprint import bare_search_path

T = TypeVar("T")

PLATFORM = (
    "information_schema", "ops", "auth", "storage", "extensions", "realtime", "vault", "graphql", "graphql_public",
    "pgbouncer", "net", "cron", "pgsodium", "pgsodium_masks", "supabase_functions", "supabase_migrations", "_realtime",
    "pgmq", "_analytics",
)  # fmt: skip
"""Schemas that are the platform's or ours: what stands there is not the app's."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table (r, p), view (v), materialized view (m) or foreign table (f). name: as the catalog's facts name it."""

    oid: int
    schema: str
    table: str
    name: str
    kind: str
    owner: str
    secured: bool
    partition: bool
    invoker: bool

    @property
    def holds_rows(self) -> bool:
        return self.kind in ("r", "p")

    @property
    def of_app(self) -> bool:
        return self.schema not in PLATFORM


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or procedure. name: as the catalog's facts name it; call: schema and name, quoted.

    arguments: oids of the types of what is passed in; defaults: how many of the last may be left out.
    """

    oid: int
    schema: str
    name: str
    call: str
    arguments: tuple[int, ...]
    defaults: int
    variadic: bool
    kind: str
    returns: str
    returns_set: bool
    language: str
    body: str
    standard_body: bool
    definer: bool
    owner: str
    definition: str

    @property
    def is_trigger(self) -> bool:
        return self.returns in ("trigger", "event_trigger")

    @property
    def of_app(self) -> bool:
        return self.schema not in PLATFORM


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that somebody made. relation, function: oids; events: of insert, update, delete; on: it fires."""

    name: str
    relation: int
    function: int
    insert: bool
    update: bool
    delete: bool
    on: bool
    transition_tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """A type. kind: b (base), d (domain), e (enum), r (range), m (multirange), c (row), p (pseudo)."""

    oid: int
    name: str
    kind: str
    base: int
    element: int
    subtype: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. written: as the type is written, with its length; made: the server fills it always;
    of_caller: its default is who asks."""

    name: str
    type: int
    written: str
    required: bool
    filled: bool
    made: bool
    of_caller: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A constraint or unique index. kind: f (foreign key), u (unique, primary), c (check); expression: of a check."""

    name: str
    kind: str
    columns: tuple[str, ...]
    expression: str
    parent: int
    parent_columns: tuple[str, ...]


_NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' AND e.objid = {0}.oid"
    " AND e.classid = 'pg_catalog.{1}'::pg_catalog.regclass)"
)
_SPACE = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')"

_RELATIONS = f"""
SELECT c.oid::int8 AS oid, n.nspname::text AS schema, c.relname::text AS "table",
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, c.relrowsecurity AS secured,
       c.relispartition AS "partition",
       COALESCE(c.reloptions::text ~* 'security_invoker=(true|on|1|yes)', false) AS invoker
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_SPACE} AND {_NOT_OF_EXTENSION.format("c", "pg_class")}
"""
_ROUTINES = f"""
SELECT p.oid::int8 AS oid, n.nspname::text AS schema,
       pg_catalog.format('%I.%I(%s)', n.nspname, p.proname,
         pg_catalog.pg_get_function_identity_arguments(p.oid)) AS name,
       pg_catalog.format('%I.%I', n.nspname, p.proname) AS call,
       p.proargtypes::int8[] AS arguments, p.pronargdefaults::int AS defaults, p.provariadic <> 0 AS variadic,
       p.prokind::text AS kind, p.prorettype::pg_catalog.regtype::text AS returns, p.proretset AS returns_set,
       l.lanname::text AS language, COALESCE(p.prosrc, '') AS body, p.prosqlbody IS NOT NULL AS standard_body,
       p.prosecdef AS definer, pg_catalog.pg_get_userbyid(p.proowner)::text AS owner,
       pg_catalog.pg_get_functiondef(p.oid) AS definition
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p') AND l.lanname NOT IN ('c', 'internal') AND {_SPACE}
  AND {_NOT_OF_EXTENSION.format("p", "pg_proc")}
"""
_TRIGGERS = f"""
SELECT t.tgname::text AS name, t.tgrelid::int8 AS relation, t.tgfoid::int8 AS function,
       t.tgtype & 4 > 0 AS insert, t.tgtype & 16 > 0 AS update, t.tgtype & 8 > 0 AS delete,
       t.tgenabled IN ('O', 'A') AS on,
       pg_catalog.array_remove(ARRAY[t.tgoldtable::text, t.tgnewtable::text], NULL) AS transition_tables
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND {_SPACE}
"""
_TYPES = """
SELECT t.oid::int8 AS oid, pg_catalog.format_type(t.oid, NULL) AS name, t.typtype::text AS kind,
       t.typbasetype::int8 AS base, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::int8 AS element,
       COALESCE(g.rngsubtype, 0)::int8 AS subtype,
       COALESCE((SELECT pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
                 FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), '{}') AS labels
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_range g ON g.rngtypid = t.oid
WHERE t.typtype IN ('b', 'd', 'e', 'r', 'm') AND t.typrelid = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_type i WHERE i.oid = t.typelem AND i.typtype = 'c')
"""
_USES = """
SELECT DISTINCT COALESCE(w.ev_class, d.objid)::int8, d.refobjid::int8
FROM pg_catalog.pg_depend d LEFT JOIN pg_catalog.pg_rewrite w
  ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid
WHERE d.deptype IN ('n', 'a') AND d.refobjid >= 16384
  AND (w.oid IS NOT NULL OR d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
  AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
  AND COALESCE(w.ev_class, d.objid) <> d.refobjid
UNION
SELECT p.polrelid::int8, d.refobjid::int8 FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
WHERE d.refobjid >= 16384 AND d.refobjid <> p.polrelid
"""
_COLUMNS = """
SELECT a.attrelid::int8 AS relation, a.attname::text AS name, a.atttypid::int8 AS type,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS written, a.attnotnull AS required,
       a.atthasdef OR a.attidentity <> '' AS filled, a.attgenerated <> '' OR a.attidentity = 'a' AS made,
       a.attgenerated = '' AND EXISTS (SELECT FROM pg_catalog.pg_attrdef d
         WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND pg_catalog.pg_get_expr(d.adbin, d.adrelid)
         ~ 'auth[.](uid|jwt)|current_setting|current_user|session_user|CURRENT_USER|SESSION_USER') AS of_caller
FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY(%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
_RULES = """
SELECT c.conrelid::int8 AS relation, c.conname::text AS name, c.contype::text AS kind,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY k (n, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.place) AS columns,
       COALESCE(pg_catalog.pg_get_expr(c.conbin, c.conrelid), '') AS expression, c.confrelid::int8 AS parent,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY k (n, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY k.place)
         AS parent_columns
FROM pg_catalog.pg_constraint c WHERE c.conrelid = ANY(%s::oid[]) AND c.contype IN ('f', 'c')
UNION ALL
SELECT i.indrelid::int8, c.relname::text, 'u',
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (n, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n
             WHERE k.place <= i.indnkeyatts ORDER BY k.place), '', 0, '{}'
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY(%s::oid[]) AND i.indisunique
"""


@dataclass
class Catalog:
    """One database's catalog as far as it can be tried; columns and rules are read when they are asked for."""

    conn: psycopg.Connection[Any]
    relations: dict[str, Relation]
    routines: dict[str, Routine]
    triggers: tuple[Trigger, ...]
    types: dict[int, TypeFacts]
    roles: frozenset[str]
    all_relations: set[tuple[str, str]] = field(default_factory=set)
    _columns: dict[int, tuple[Column, ...]] = field(default_factory=dict)
    _rules: dict[int, tuple[Rule, ...]] = field(default_factory=dict)

    @cached_property
    def by_oid(self) -> dict[int, Relation]:
        return {one.oid: one for one in self.relations.values()}

    @cached_property
    def routine_by_oid(self) -> dict[int, Routine]:
        return {one.oid: one for one in self.routines.values()}

    @cached_property
    def uses(self) -> dict[int, set[int]]:
        """Who is used by whom: the oid of a relation or routine, and those that its definition or policies name."""
        found: dict[int, set[int]] = {}
        for user, used in self.conn.execute(_USES).fetchall():
            found.setdefault(int(used), set()).add(int(user))
        return found

    def columns(self, relation: Relation) -> tuple[Column, ...]:
        self.prepare([relation])
        return self._columns[relation.oid]

    def rules(self, relation: Relation) -> tuple[Rule, ...]:
        self.prepare([relation])
        return self._rules[relation.oid]

    def triggers_of(self, relation: Relation) -> list[Trigger]:
        return [one for one in self.triggers if one.relation == relation.oid and one.on]

    def prepare(self, relations: Iterable[Relation]) -> None:
        """Read columns and rules of many relations at once."""
        oids = [one.oid for one in relations if one.oid not in self._columns]
        if not oids:
            return
        columns: dict[int, list[Column]] = {oid: [] for oid in oids}
        rules: dict[int, list[Rule]] = {oid: [] for oid in oids}
        with bare_search_path(self.conn):
            for relation, *values in self.conn.execute(_COLUMNS, (oids,)).fetchall():
                columns[relation].append(Column(*values))
            for relation, name, kind, keys, expression, parent, parents in self.conn.execute(_RULES, (oids, oids)):
                rules[relation].append(Rule(name, kind, tuple(keys), expression, parent, tuple(parents)))
        self._columns |= {oid: tuple(found) for oid, found in columns.items()}
        self._rules |= {oid: tuple(found) for oid, found in rules.items()}


def read_catalog(conn: psycopg.Connection[Any]) -> Catalog:
    """Read relations, routines, triggers, types and roles. Takes no lock above AccessShare."""
    with bare_search_path(conn):
        relations = conn.cursor(row_factory=class_row(Relation)).execute(_RELATIONS).fetchall()
        routines = conn.execute(_ROUTINES).fetchall()
        triggers = [_with_tuples(Trigger, row) for row in conn.execute(_TRIGGERS).fetchall()]
        types = [_with_tuples(TypeFacts, row) for row in conn.execute(_TYPES).fetchall()]
        roles = frozenset(str(row[0]) for row in conn.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall())
    made = [_with_tuples(Routine, row) for row in routines]
    return Catalog(
        conn=conn,
        relations={one.name: one for one in relations},
        routines={one.name: one for one in made},
        triggers=tuple(triggers),
        types={one.oid: one for one in types},
        roles=roles,
    )


def _with_tuples(made: type[T], row: Sequence[Any]) -> T:
    """A record from a row of the server, whose arrays are lists."""
    return made(*(tuple(value) if isinstance(value, list) else value for value in row))
