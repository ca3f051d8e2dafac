"""Knows what the names in a question stand for in a database: tables, views, functions, operators and types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from services.console.question import Name

_RELATIONS = """
WITH RECURSIVE asked AS (
  SELECT name, pg_catalog.to_regclass(name)::oid AS oid FROM pg_catalog.unnest(%s::text[]) AS name
), down AS (
  SELECT oid AS base, oid FROM asked WHERE oid IS NOT NULL
  UNION SELECT down.base, i.inhrelid FROM down JOIN pg_catalog.pg_inherits i ON i.inhparent = down.oid
), up AS (
  SELECT base, oid FROM down
  UNION SELECT up.base, i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid
)
SELECT a.name, c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END,
       ARRAY(SELECT t.attname::text FROM pg_catalog.pg_attribute t
             WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped ORDER BY t.attnum),
       -- A domain is told as what it is made of.
       ARRAY(SELECT (WITH RECURSIVE made AS (
               SELECT t.atttypid AS oid, t.atttypmod AS mod
               UNION ALL SELECT y.typbasetype, y.typtypmod FROM made JOIN pg_catalog.pg_type y USING (oid)
               WHERE y.typtype = 'd'
             ) SELECT pg_catalog.format_type(made.oid, made.mod) FROM made JOIN pg_catalog.pg_type y USING (oid)
             WHERE y.typtype <> 'd')
             FROM pg_catalog.pg_attribute t
             WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped ORDER BY t.attnum),
       ARRAY(SELECT t.attname::text FROM pg_catalog.pg_attribute t
             WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped AND EXISTS (
               WITH RECURSIVE made AS (
                 SELECT t.atttypid AS oid
                 UNION SELECT below.oid FROM made JOIN pg_catalog.pg_type y ON y.oid = made.oid
                 CROSS JOIN LATERAL (VALUES (y.typelem), (y.typbasetype)) AS below(oid) WHERE below.oid <> 0
               ) SELECT FROM made JOIN pg_catalog.pg_type y USING (oid)
               WHERE y.oid IN (114, 3802) OR y.typtype = 'c' OR y.typname = 'hstore')),
       ARRAY(SELECT pn.nspname || '.' || pc.relname FROM up JOIN pg_catalog.pg_class pc ON pc.oid = up.oid
             JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace WHERE up.base = c.oid),
       EXISTS (SELECT FROM down JOIN pg_catalog.pg_class f USING (oid) WHERE down.base = c.oid AND f.relkind = 'f'),
       ARRAY(SELECT ARRAY[made.attname::text, source.attname::text]
             FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_depend k ON k.objid = d.oid
               AND k.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND k.refobjid = d.adrelid
             JOIN pg_catalog.pg_attribute made ON made.attrelid = d.adrelid AND made.attnum = d.adnum
             JOIN pg_catalog.pg_attribute source ON source.attrelid = d.adrelid AND source.attnum = k.refobjsubid
             WHERE d.adrelid IN (SELECT down.oid FROM down WHERE down.base = c.oid) AND made.attgenerated <> ''
               AND source.attnum <> made.attnum)
FROM asked a JOIN pg_catalog.pg_class c ON c.oid = a.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""

_ROUTINES = """
SELECT p.oid::bigint, n.nspname::text, p.proname::text, p.prokind::text, p.provolatile::text, p.prosecdef,
       l.lanname::text, EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'
         AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
       -- An aggregate is as harmless as what it calls.
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_aggregate g JOIN pg_catalog.pg_proc s ON s.oid IN (g.aggtransfn,
         g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn)
         JOIN pg_catalog.pg_language b ON b.oid = s.prolang
         WHERE g.aggfnoid = p.oid AND b.lanname NOT IN ('c', 'internal')),
       CASE WHEN l.lanname = 'sql' THEN COALESCE(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) END,
       p.pronargs > 0 AND (p.pronargs - p.pronargdefaults <= 1 OR p.provariadic <> 0),
       2275 = ANY (p.proargtypes::oid[]), p.proconfig IS NOT NULL, pg_catalog.pg_get_expr(p.proargdefaults, 0)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
"""

_NAMED = (
    " JOIN unnest(%s::text[], %s::text[]) AS w(space, name)"
    " ON p.proname = w.name AND (w.space = '' OR n.nspname = w.space)"
)

_REACHED = """
WITH RECURSIVE reached(oid) AS (
  SELECT t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  JOIN unnest(%(spaces)s::text[], %(names)s::text[]) AS w(space, name)
    ON t.typname = w.name AND (w.space = '' OR n.nspname = w.space)
  UNION SELECT arg FROM pg_catalog.pg_proc p, pg_catalog.unnest(p.prorettype || p.proargtypes::oid[]) AS arg
  WHERE p.oid = ANY (%(routines)s::bigint[]) AND p.oid >= 16384
  UNION SELECT c.reltype FROM pg_catalog.pg_class c
  WHERE c.oid = ANY (%(relations)s::bigint[]) AND c.reltype <> 0
  UNION SELECT below.oid FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.oid CROSS JOIN LATERAL (
    SELECT t.typelem UNION ALL SELECT t.typbasetype
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE t.oid IN (g.rngtypid, g.rngmultitypid)
  ) AS below(oid) WHERE below.oid <> 0
), own AS (SELECT t.* FROM reached JOIN pg_catalog.pg_type t USING (oid) WHERE t.oid >= 16384)
"""
"""The types that are named or read, and those that they are made of. Below 16384 is what the server itself made."""

_BEHIND_TYPES = (
    " WHERE p.oid >= 16384 AND p.oid IN ("
    " SELECT c.castfunc FROM pg_catalog.pg_cast c WHERE c.castsource IN (SELECT oid FROM own)"
    "   OR c.casttarget IN (SELECT oid FROM own) OR (c.castsource < 16384 AND c.casttarget < 16384)"
    " UNION SELECT a.amproc FROM pg_catalog.pg_amproc a WHERE a.amproclefttype IN (SELECT oid FROM own)"
    "   OR a.amprocfamily IN (SELECT opcfamily FROM pg_catalog.pg_opclass WHERE opcdefault AND opcintype < 16384)"
    " UNION SELECT o.oprcode FROM pg_catalog.pg_amop a JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr"
    "   WHERE a.amoplefttype IN (SELECT oid FROM own)"
    "   OR a.amopfamily IN (SELECT opcfamily FROM pg_catalog.pg_opclass WHERE opcdefault AND opcintype < 16384)"
    " UNION SELECT f.oid FROM own LEFT JOIN pg_catalog.pg_range g ON own.oid IN (g.rngtypid, g.rngmultitypid)"
    " CROSS JOIN LATERAL (VALUES (own.typinput), (own.typoutput), (own.typmodin), (own.typmodout),"
    "   (own.typsubscript), (g.rngcanonical)) AS f(oid))"
)
"""What runs when a value becomes one of the types, is compared, or is written: casts, operator classes, in and out."""

_OF_OPERATORS = (
    " WHERE p.oid IN (SELECT o.oprcode::oid FROM pg_catalog.pg_operator o"
    " JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace"
    " JOIN unnest(%(operator_spaces)s::text[], %(operators)s::text[]) AS w(space, name)"
    " ON o.oprname = w.name AND (w.space = '' OR s.nspname = w.space) WHERE s.nspname <> 'pg_catalog'"
    " AND (greatest(o.oprleft, o.oprright) < 16384"
    "   OR o.oprleft IN (SELECT oid FROM own) OR o.oprright IN (SELECT oid FROM own)))"
)
"""Operators that can be meant: of the server's own types, or of types that are read."""

_CHECKS = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, own.typname), pg_catalog.pg_get_expr(k.conbin, 0)
FROM own JOIN pg_catalog.pg_namespace n ON n.oid = own.typnamespace
JOIN pg_catalog.pg_constraint k ON k.contypid = own.oid WHERE k.contype = 'c'
"""

_POWERS = """
SELECT 'is a superuser' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper
UNION ALL SELECT 'may make roles or databases' FROM pg_catalog.pg_roles
  WHERE rolname = current_user AND (rolcreaterole OR rolcreatedb OR rolreplication)
UNION ALL SELECT 'belongs to ' || r.rolname FROM pg_catalog.pg_roles r
  WHERE r.rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_read_server_files', 'pg_signal_backend',
                      'pg_execute_server_program', 'pg_maintain', 'pg_checkpoint', 'pg_create_subscription')
    AND pg_catalog.pg_has_role(r.oid, 'MEMBER')
UNION ALL (SELECT 'may change ' || c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (pg_catalog.pg_has_role(c.relowner, 'MEMBER')
      OR pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
      OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE')) LIMIT 1)
UNION ALL (SELECT 'may make objects in schema ' || nspname FROM pg_catalog.pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND pg_catalog.has_schema_privilege(oid, 'CREATE') LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """What a name in FROM stands for.

    keyed: columns whose values have keys: JSON, rows and hstore, also in arrays and domains
    family: itself, the tables that are a part of it, and those that one of these is a part of, as "schema.table"
    is_foreign: reading it reads a foreign table; generated: (column, column that it is reckoned from)
    """

    oid: int
    schema: str
    name: str
    kind: str
    definition: str | None
    columns: tuple[str, ...]
    types: tuple[str, ...]
    keyed: frozenset[str]
    family: frozenset[str]
    is_foreign: bool
    generated: frozenset[tuple[str, str]]

    @property
    def is_system(self) -> bool:
        return self.schema in ("pg_catalog", "information_schema")


@dataclass(frozen=True, slots=True)
class Routine:
    """A function that a name may mean. volatility: i, s or v; body: of one in SQL; of_one: takes one argument;
    of_cstring: takes a value as it is typed, as what makes a type of it does; has_settings: it runs with others than
    its caller; defaults: of its arguments, as SQL."""

    oid: int
    schema: str
    name: str
    kind: str
    volatility: str
    definer: bool
    language: str
    of_extension: bool
    body: str | None
    of_one: bool
    of_cstring: bool
    has_settings: bool
    defaults: str | None


class Catalog:
    """A database's catalog, asked by name through one connection."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def relations(self, names: Iterable[Name]) -> dict[Name, Relation]:
        """Names that are tables, views or the like; those of common table expressions are not among them."""
        wanted = {_written(name): name for name in names}
        rows = self._conn.execute(_RELATIONS, (list(wanted),)).fetchall()
        return {
            wanted[row[0]]: Relation(
                row[1],
                row[2],
                row[3],
                row[4],
                row[5],
                tuple(row[6]),
                tuple(row[7]),
                frozenset(row[8]),
                frozenset(row[9]),
                row[10],
                frozenset((made, source) for made, source in row[11]),
            )
            for row in rows
        }

    def routines(self, names: Iterable[Name]) -> list[Routine]:
        """Every function that one of the names may mean, in any schema where none is written."""
        return self._routines(_ROUTINES + _NAMED, names)

    def operators(
        self, names: Iterable[Name], types: Iterable[Name], relations: Iterable[Relation], called: Iterable[Routine]
    ) -> list[Routine]:
        """The functions behind operators that are not the server's own and that the types may be operands of."""
        spaces, operators = _spaces_and_names(names)
        seeds = _seeds(types, relations, called) | {"operator_spaces": spaces, "operators": operators}
        return [Routine(*row) for row in self._conn.execute(_REACHED + _ROUTINES + _OF_OPERATORS, seeds).fetchall()]

    def behind_types(
        self, types: Iterable[Name], relations: Iterable[Relation], called: Iterable[Routine]
    ) -> list[Routine]:
        """Functions of the database's own that run by themselves where a value of such a type is made or compared:
        those of casts, operator classes, ranges, and of reading and writing it; of all that the types are made of."""
        query = _REACHED + _ROUTINES + _BEHIND_TYPES
        return [Routine(*row) for row in self._conn.execute(query, _seeds(types, relations, called)).fetchall()]

    def checks(
        self, types: Iterable[Name], relations: Iterable[Relation], called: Iterable[Routine]
    ) -> list[tuple[str, str]]:
        """(domain, condition) of each check that the types bring with them, as SQL over VALUE."""
        rows = self._conn.execute(_REACHED + _CHECKS, _seeds(types, relations, called)).fetchall()
        return [(str(domain), str(condition)) for domain, condition in rows]

    def powers(self) -> list[str]:
        """What the connecting role may do beyond reading, in words that follow "it"."""
        return [str(row[0]) for row in self._conn.execute(_POWERS).fetchall()]

    def _routines(self, query: str, names: Iterable[Name]) -> list[Routine]:
        return [Routine(*row) for row in self._conn.execute(query, _spaces_and_names(names)).fetchall()]


def _written(name: Name) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)


def _seeds(
    types: Iterable[Name], relations: Iterable[Relation], called: Iterable[Routine]
) -> dict[str, list[str] | list[int]]:
    spaces, names = _spaces_and_names(types)
    return {
        "spaces": spaces,
        "names": names,
        "relations": [one.oid for one in relations],
        "routines": [one.oid for one in called],
    }


def _spaces_and_names(names: Iterable[Name]) -> tuple[list[str], list[str]]:
    known = sorted(names)
    return [name[-2] if len(name) > 1 else "" for name in known], [name[-1] for name in known]
