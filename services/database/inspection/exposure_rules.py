"""Knows the advisors about what strangers reach: grants, views, columns, foreign tables, queues, buckets, GraphQL."""

from __future__ import annotations

from services.database.inspection.advice import STRANGERS, Advisor

_GRANTED = "pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee"
_CLASS = "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"


def _read_by(roles: str) -> str:
    """True where a role of those, or everybody, may read the relation."""
    return (
        f"EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname IN {roles}"
        " AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')"
        " AND pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT'))"
    )


_STRANGERS_READ = _read_by(STRANGERS)
_SECRET = (
    "(passw(or)?d|secret|api_?key|(access|refresh|auth|session)_?token|private_?key|ssn|social_security|credit_?card"
    "|card_number|cvv|iban|account_number|date_of_birth|birth_?date|passport|tax_id|phone|medical|diagnosis)"
)
_NO_ROW_RULE = f"""(NOT c.relrowsecurity OR EXISTS (SELECT FROM pg_catalog.pg_policy p
  WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('r', '*')
    AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true' AND (0 = ANY(p.polroles) OR p.polroles && ARRAY(
      SELECT s.oid FROM pg_catalog.pg_roles s WHERE s.rolname IN {STRANGERS}))))"""


def _columns_read(pattern: str, roles: str, condition: str) -> str:
    return f"""
    SELECT c.oid::pg_catalog.regclass::text, pg_catalog.string_agg(DISTINCT a.attname, ', ' ORDER BY a.attname)
    {_CLASS} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_roles r ON r.rolname IN {roles}
    WHERE {{in_api}} AND a.attname ~* '{pattern}' AND {condition}
      AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
      AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT') GROUP BY 1
    """


def _graphql(role: str) -> str:
    readable = _read_by(f"('{role}')")
    return (
        f"SELECT c.oid::pg_catalog.regclass::text, '' {_CLASS}"
        " WHERE EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_graphql')"
        f" AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {{in_api}} AND {readable}"
    )


EXPOSURE_RULES = (
    Advisor(
        "anon-granted", "", "warn", "security",
        "the role anon holds {detail}",
        "REVOKE what visitors without an account need not do.",
        f"""
        SELECT c.oid::pg_catalog.regclass::text,
               pg_catalog.string_agg(DISTINCT pg_catalog.lower(x.privilege_type), ', ')
        {_CLASS}, {_GRANTED}
        WHERE c.relkind IN ('r', 'p', 'v', 'm') AND (x.grantee = 0 OR r.rolname = 'anon') AND {{visible}} GROUP BY 1
        """,
        danger=True,
    ),
    Advisor(
        "view-of-owner", "0010", "error", "security",
        "a view that strangers can read runs with its owner's rights and so passes by row-level security",
        "ALTER VIEW ... SET (security_invoker = true), or revoke SELECT from anon and authenticated.",
        f"""
        SELECT DISTINCT c.oid::pg_catalog.regclass::text, '' {_CLASS}, {_GRANTED}
        WHERE c.relkind = 'v' AND (x.grantee = 0 OR r.rolname IN {STRANGERS}) AND x.privilege_type = 'SELECT'
          AND NOT COALESCE(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on',
              'security_invoker=1', 'security_invoker=yes'], false) AND {{visible}}
        """,
        danger=True,
    ),
    Advisor(
        "auth-users-exposed", "0002", "error", "security",
        "strangers can read what it shows of auth.users",
        "Show a table of profiles instead, or revoke SELECT from anon and authenticated.",
        f"""
        SELECT c.oid::pg_catalog.regclass::text, '' {_CLASS}
        WHERE c.relkind IN ('v', 'm') AND {{in_api}} AND {_STRANGERS_READ} AND EXISTS (
          SELECT FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d ON d.objid = w.oid
            AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          JOIN pg_catalog.pg_class u ON u.oid = d.refobjid AND u.relname = 'users'
          JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace AND un.nspname = 'auth' WHERE w.ev_class = c.oid)
        """,
        needs=("auth.users",), danger=True,
    ),
    Advisor(
        "sensitive-columns-exposed", "0023", "error", "security",
        "strangers can read columns that look sensitive: {detail}",
        "ENABLE ROW LEVEL SECURITY with a policy for each person's own rows, or revoke SELECT on these columns.",
        _columns_read(_SECRET, STRANGERS, "c.relkind IN ('r', 'p') AND NOT c.relrowsecurity"),
        danger=True,
    ),
    Advisor(
        "emails-readable", "", "error", "security",
        "e-mail addresses can be read by all: {detail}",
        "Write a policy for each person's own row, or revoke SELECT on these columns.",
        _columns_read("e_?mail", STRANGERS, f"c.relkind IN ('r', 'p') AND {_NO_ROW_RULE}"),
        danger=True,
    ),
    Advisor(
        "materialized-view-in-api", "0016", "warn", "security",
        "a materialized view has no row-level security, and strangers can read it",
        "REVOKE SELECT from anon and authenticated, or move it to a schema that the REST server does not show.",
        f"SELECT c.oid::pg_catalog.regclass::text, '' {_CLASS}"
        f" WHERE c.relkind = 'm' AND {{in_api}} AND {_STRANGERS_READ}",
        danger=True,
    ),
    Advisor(
        "foreign-table-in-api", "0017", "warn", "security",
        "a foreign table has no row-level security, and strangers can read it",
        "REVOKE SELECT from anon and authenticated, or move it to a schema that the REST server does not show.",
        f"SELECT c.oid::pg_catalog.regclass::text, '' {_CLASS}"
        f" WHERE c.relkind = 'f' AND {{in_api}} AND {_STRANGERS_READ}",
        danger=True,
    ),
    Advisor(
        "queue-exposed", "0019", "error", "security",
        "strangers can reach this queue: row-level security is off",
        "ENABLE ROW LEVEL SECURITY on the queue's table.",
        f"SELECT c.oid::pg_catalog.regclass::text, '' {_CLASS}"
        " WHERE n.nspname = 'pgmq' AND c.relkind IN ('r', 'p') AND c.relname LIKE 'q\\_%' AND NOT c.relrowsecurity"
        f" AND {_STRANGERS_READ}",
        danger=True,
    ),
    Advisor(
        "bucket-can-be-listed", "0025", "warn", "security",
        "everybody can list the files of this public bucket ({detail})",
        "Drop the SELECT policy on storage.objects: a public bucket serves its files without one.",
        """
        SELECT 'storage.buckets.' || b.id, p.polname::text FROM storage.buckets b
        CROSS JOIN pg_catalog.pg_policy p
        JOIN pg_catalog.pg_class c ON c.oid = p.polrelid AND c.relname = 'objects'
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'storage'
        WHERE b.public AND p.polpermissive AND p.polcmd IN ('r', '*')
          AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) IN (
            'true', pg_catalog.format('(bucket_id = %L::text)', b.id))
        """,
        needs=("storage.buckets.public", "storage.objects"),
    ),
    Advisor(
        "graphql-shows-to-anon", "0026", "warn", "security",
        "visitors without an account see it in the GraphQL schema",
        "REVOKE SELECT from anon, or drop the extension pg_graphql.",
        _graphql("anon"),
    ),
    Advisor(
        "graphql-shows-to-authenticated", "0027", "warn", "security",
        "every signed-in person sees it in the GraphQL schema",
        "REVOKE SELECT from authenticated, or drop the extension pg_graphql.",
        _graphql("authenticated"),
    ),
)  # fmt: skip
"""Rules whose object is what strangers can read."""
