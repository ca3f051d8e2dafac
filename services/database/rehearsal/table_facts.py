"""Knows how to read what decides whether rows fit: columns, constraints, unique indexes and triggers of all tables."""

from __future__ import annotations

from typing import Any

import psycopg

from services.database.rehearsal.row_probes import TableFacts, Tables

_TABLES = """
SELECT n.nspname::text, c.relname::text,
  (SELECT pg_catalog.jsonb_object_agg(a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
   FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  ARRAY(SELECT DISTINCT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND (
     EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE a.attnum = ANY (k.conkey) AND k.conrelid = c.oid
             AND k.contype <> 'n')
     OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE a.attnum = ANY (k.confkey) AND k.confrelid = c.oid)
     OR EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refobjid = c.oid AND d.refobjsubid = a.attnum
                AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = d.objid))
     OR EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = c.oid AND g.attgenerated <> ''))),
  ARRAY(SELECT DISTINCT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_index i
        ON i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion OR i.indexprs IS NOT NULL)
        WHERE a.attrelid = c.oid AND (a.attnum = ANY (i.indkey) OR i.indexprs IS NOT NULL) AND a.attnum > 0),
  EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
    OR EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid),
  EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.confrelid = c.oid AND k.contype = 'f'),
  (SELECT pg_catalog.jsonb_object_agg(k.conname, pg_catalog.pg_get_constraintdef(k.oid))
   FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'p', 'u')),
  COALESCE(pg_catalog.array_position(pg_catalog.current_schemas(false), n.nspname), 0)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
"""


def read_tables(conn: psycopg.Connection[Any]) -> Tables:
    """All tables as the connection's role sees them: by full name, and by bare name where its search path finds one."""
    found: dict[str, TableFacts] = {}
    seen: dict[str, int] = {}
    for schema, name, columns, constrained, unique, triggers, referenced, constraints, place in conn.execute(
        _TABLES
    ).fetchall():
        facts = TableFacts(
            schema,
            name,
            columns or {},
            frozenset(constrained),
            frozenset(unique),
            triggers,
            referenced,
            constraints or {},
        )
        found[f"{schema}.{name}"] = facts
        if place and place < seen.get(name, 1_000_000):
            seen[name] = place
            found[name] = facts
    return found
