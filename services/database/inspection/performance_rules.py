"""Knows the advisors about speed: missing, unused and double indexes, tables without a key, dead rows."""

from __future__ import annotations

from services.database.inspection.advice import Advisor

PERFORMANCE_RULES = (
    Advisor(
        "foreign-key-without-index", "0001", "info", "performance",
        "no index begins with the foreign key's columns: {detail}",
        "CREATE INDEX on these columns: deletes and joins from the other table read all of this one without it.",
        """
        SELECT c.oid::pg_catalog.regclass::text || '.' || f.conname, (
          SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = f.conrelid AND a.attnum = ANY(f.conkey))
        FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE f.contype = 'f' AND f.conparentid = 0 AND {visible} AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = f.conrelid AND i.indpred IS NULL
            AND (i.indkey::int2[])[0:pg_catalog.cardinality(f.conkey) - 1] @> f.conkey)
        """,
    ),
    Advisor(
        "no-primary-key", "0004", "info", "performance",
        "the table has no primary key",
        "Add one: without it single rows can be neither addressed nor replicated.",
        """
        SELECT c.oid::pg_catalog.regclass::text, '' FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {visible}
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
        """,
    ),
    Advisor(
        "unused-index", "0005", "info", "performance",
        "the index was never used, though its table is ({detail})",
        "DROP INDEX, if a month of all work has gone by: every write keeps it up.",
        """
        SELECT s.indexrelid::pg_catalog.regclass::text, pg_catalog.pg_size_pretty(
          pg_catalog.pg_relation_size(s.indexrelid))
        FROM pg_catalog.pg_stat_user_indexes s JOIN pg_catalog.pg_index i ON i.indexrelid = s.indexrelid
        JOIN pg_catalog.pg_stat_user_tables t ON t.relid = s.relid
        JOIN pg_catalog.pg_class c ON c.oid = s.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE s.idx_scan = 0 AND NOT i.indisunique AND NOT i.indisexclusion AND {visible}
          AND COALESCE(t.seq_scan, 0) + COALESCE(t.idx_scan, 0) > 0
        """,
        live=True,
    ),
    Advisor(
        "duplicate-index", "0009", "warn", "performance",
        "several indexes are the same: {detail}",
        "DROP INDEX all of them but one.",
        """
        SELECT c.oid::pg_catalog.regclass::text, pg_catalog.string_agg(x.relname, ', ' ORDER BY x.relname)
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE {visible}
        GROUP BY c.oid, x.relam, i.indkey::text, i.indclass::text, i.indoption::text, i.indcollation::text,
          pg_catalog.pg_get_expr(i.indpred, i.indrelid), pg_catalog.pg_get_expr(i.indexprs, i.indrelid)
        HAVING pg_catalog.count(*) > 1
        """,
    ),
    Advisor(
        "table-bloat", "0020", "info", "performance",
        "more than half of the table is dead rows ({detail})",
        "VACUUM the table; if it comes back, let autovacuum run sooner there.",
        """
        SELECT s.relid::pg_catalog.regclass::text, s.n_dead_tup || ' dead, ' || s.n_live_tup || ' alive'
        FROM pg_catalog.pg_stat_user_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE s.n_dead_tup > 10000 AND s.n_dead_tup > s.n_live_tup AND {visible}
        """,
        live=True,
    ),
)  # fmt: skip
"""Rules about speed: never a danger."""
