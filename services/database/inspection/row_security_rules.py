"""Knows the advisors about row-level security: off, without policies, or with policies that keep nobody out."""

from __future__ import annotations

from services.database.inspection.advice import STRANGERS, Advisor

_GRANTED = """pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee"""
_TABLE = """
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')"""
_POLICY = """
FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT pg_catalog.concat_ws(' / ', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
  pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) AS written) e"""

ROW_SECURITY_RULES = (
    Advisor(
        "rls-off", "", "error", "security",
        "anyone with the public key can {detail} all rows: row-level security is off",
        "ALTER TABLE ... ENABLE ROW LEVEL SECURITY, with policies for those who need rows; or revoke the grants.",
        f"""
        SELECT c.oid::pg_catalog.regclass::text,
               pg_catalog.string_agg(DISTINCT pg_catalog.lower(x.privilege_type), ', ')
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, {_GRANTED}
        WHERE c.relkind IN ('r', 'p') AND NOT c.relrowsecurity AND (x.grantee = 0 OR r.rolname IN {STRANGERS})
          AND x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') AND {{visible}} GROUP BY 1
        """,
        danger=True,
    ),
    Advisor(
        "rls-missing", "0013", "error", "security",
        "a table in schema public has row-level security off",
        "ALTER TABLE ... ENABLE ROW LEVEL SECURITY: what schema public holds, the REST server shows.",
        f"SELECT c.oid::pg_catalog.regclass::text, '' {_TABLE} AND NOT c.relrowsecurity AND n.nspname = 'public'"
        " AND {visible}",
        danger=True,
    ),
    Advisor(
        "policies-without-rls", "0007", "error", "security",
        "its policies do nothing: row-level security is off",
        "ALTER TABLE ... ENABLE ROW LEVEL SECURITY, or drop the policies.",
        """
        SELECT c.oid::pg_catalog.regclass::text, '' FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT c.relrowsecurity AND {visible}
          AND EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)
        """,
        danger=True,
    ),
    Advisor(
        "rls-without-policy", "0008", "info", "security",
        "row-level security is on and there is no policy: only its owner and roles that bypass it see rows",
        "Write a policy, or leave it if only the backend's service role uses the table.",
        f"SELECT c.oid::pg_catalog.regclass::text, '' {_TABLE} AND c.relrowsecurity AND {{visible}}"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)",
    ),
    Advisor(
        "rls-stops-anon-writes", "", "warn", "security",
        "anon holds INSERT and no policy lets it: where the backend comes as anon, its inserts fail",
        "Give the backend its service role; or write an INSERT policy for anon; or revoke INSERT from it.",
        f"""
        SELECT c.oid::pg_catalog.regclass::text, '' {_TABLE} AND c.relrowsecurity AND {{visible}} AND EXISTS (
          SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = 'anon' AND NOT r.rolbypassrls
            AND pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive
              AND p.polcmd IN ('a', '*') AND (0 = ANY(p.polroles) OR r.oid = ANY(p.polroles))))
        """,
    ),
    Advisor(
        "policy-lets-all-write", "0024", "warn", "security",
        "a policy lets everyone it names write any row ({detail})",
        "Name whose rows they are in USING and WITH CHECK, or grant the command to the backend's role only.",
        """
        SELECT c.oid::pg_catalog.regclass::text || '.' || p.polname,
               CASE p.polcmd WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete'
               ELSE 'all commands' END
        FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE p.polpermissive AND p.polcmd <> 'r' AND 'true' IN (
            pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
          AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) o LEFT JOIN pg_catalog.pg_roles r ON r.oid = o
                      WHERE o = 0 OR NOT r.rolbypassrls) AND {visible}
        """,
        danger=True,
    ),
    Advisor(
        "policy-trusts-user-metadata", "0015", "error", "security",
        "a policy decides by user_metadata, which every user can edit",
        "Decide by app_metadata, or by a table that only the backend writes.",
        f"SELECT c.oid::pg_catalog.regclass::text || '.' || p.polname, '' {_POLICY}"
        " WHERE {visible} AND e.written ~ '(raw_user_meta_data|user_metadata)'",
        danger=True,
    ),
    Advisor(
        "policy-asks-per-row", "0003", "warn", "performance",
        "a policy asks who the caller is once for every row",
        "Write (SELECT auth.uid()) instead of auth.uid(): it is then asked once for each statement.",
        # What stands behind a SELECT of its own is asked once; what is left is asked again for each row.
        f"""
        SELECT c.oid::pg_catalog.regclass::text || '.' || p.polname, '' {_POLICY}
        WHERE {{visible}} AND pg_catalog.regexp_replace(e.written,
            'SELECT\\s+\\(*(auth\\.\\w+\\(\\)|current_setting\\()', '', 'gi')
          ~ '(auth\\.(uid|jwt|role|email)\\(\\)|current_setting\\()'
        """,
    ),
    Advisor(
        "several-permissive-policies", "0006", "warn", "performance",
        "several permissive policies are asked for each row: {detail}",
        "Join them into one policy for the role and command.",
        """
        SELECT t.name, pg_catalog.string_agg(DISTINCT t.detail, '; ' ORDER BY t.detail) FROM (
          SELECT c.oid::pg_catalog.regclass::text AS name, COALESCE(r.rolname, 'public') || ' ' || w.word AS detail
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN (VALUES ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) w (command, word)
          CROSS JOIN LATERAL (SELECT DISTINCT pg_catalog.unnest(p.polroles) AS role FROM pg_catalog.pg_policy p
                              WHERE p.polrelid = c.oid) g
          LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.role
          WHERE c.relrowsecurity AND {visible} AND COALESCE(NOT r.rolbypassrls, true)
            AND 1 < (SELECT pg_catalog.count(*) FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid
                     AND p.polpermissive AND p.polcmd::text IN (w.command, '*')
                     AND (0 = ANY(p.polroles) OR g.role = ANY(p.polroles)))
        ) t GROUP BY 1
        """,
    ),
)  # fmt: skip
"""Rules whose object is a table or a policy."""
