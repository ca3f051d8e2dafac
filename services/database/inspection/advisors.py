"""Knows which rights in a catalog are dangerous: tables, views and functions that strangers can reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from services.database.fingerprint import bare_search_path

_STRANGERS = "('anon', 'authenticated')"

_ADVISORS: dict[str, tuple[str, str]] = {
    "rls-off": (
        "anyone with the public key can {detail} all rows: row-level security is off",
        f"""
        SELECT c.oid::pg_catalog.regclass::text,
               pg_catalog.string_agg(DISTINCT pg_catalog.lower(x.privilege_type), ', ')
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
             pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
        WHERE c.relkind IN ('r', 'p') AND NOT c.relrowsecurity AND (x.grantee = 0 OR r.rolname IN {_STRANGERS})
          AND x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') AND {{visible}} GROUP BY 1
        """,
    ),
    "rls-missing": (
        "a table in schema public has row-level security off",
        """
        SELECT c.oid::pg_catalog.regclass::text, '' FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relrowsecurity AND n.nspname = 'public' AND {visible}
        """,
    ),
    "policies-without-rls": (
        "its policies do nothing: row-level security is off",
        """
        SELECT c.oid::pg_catalog.regclass::text, '' FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT c.relrowsecurity AND {visible}
          AND EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)
        """,
    ),
    "anon-granted": (
        "the role anon holds {detail}",
        """
        SELECT c.oid::pg_catalog.regclass::text,
               pg_catalog.string_agg(DISTINCT pg_catalog.lower(x.privilege_type), ', ')
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
             pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
        WHERE c.relkind IN ('r', 'p', 'v', 'm') AND (x.grantee = 0 OR r.rolname = 'anon') AND {visible} GROUP BY 1
        """,
    ),
    "definer-search-path": (
        "a SECURITY DEFINER function without a search_path of its own runs what a caller puts in its way",
        """
        SELECT p.oid::pg_catalog.regprocedure::text, '' FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND NOT EXISTS (
          SELECT FROM pg_catalog.unnest(p.proconfig) s WHERE s LIKE 'search_path=%%') AND {visible}
        """,
    ),
    "view-of-owner": (
        "a view that strangers can read runs with its owner's rights and so passes by row-level security",
        f"""
        SELECT DISTINCT c.oid::pg_catalog.regclass::text, '' FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
             pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
        WHERE c.relkind = 'v' AND (x.grantee = 0 OR r.rolname IN {_STRANGERS}) AND x.privilege_type = 'SELECT'
          AND NOT COALESCE(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on',
              'security_invoker=1', 'security_invoker=yes'], false) AND {{visible}}
        """,
    ),
    "policy-lets-all-write": (
        "a policy lets everyone it names write any row ({detail})",
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
    ),
}

_VISIBLE = (
    "n.nspname !~ '^pg_' AND n.nspname NOT IN"
    " ('information_schema', 'ops', 'auth', 'storage', 'extensions', 'realtime', 'vault', 'graphql', 'graphql_public')"
)


@dataclass(frozen=True, slots=True, order=True)
class SecurityFinding:
    """One dangerous right: the rule's id, the object, and a sentence."""

    rule: str
    object: str
    message: str

    def to_json(self) -> dict[str, Any]:
        return {"rule": self.rule, "object": self.object, "message": self.message}


def security_findings(conn: psycopg.Connection[Any]) -> list[SecurityFinding]:
    """All findings over the catalog, sorted. The platform's own schemas are left out. Reads the catalog only."""
    found = []
    with bare_search_path(conn):
        for rule, (message, query) in _ADVISORS.items():
            rows = conn.execute(query.replace("%%", "%").replace("{visible}", _VISIBLE)).fetchall()
            found += [SecurityFinding(rule, name, message.format(detail=detail)) for name, detail in rows]
    return sorted(found)


def new_findings(before: list[SecurityFinding], after: list[SecurityFinding]) -> list[SecurityFinding]:
    """Findings that a change brought: only these are its fault."""
    return sorted(set(after) - set(before))
