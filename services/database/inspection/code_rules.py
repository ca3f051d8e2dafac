"""Knows the advisors about functions and extensions, and about shapes that an upgrade or the platform breaks."""

from __future__ import annotations

from services.database.inspection.advice import Advisor

_ROUTINE = """
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.objid = p.oid AND e.deptype = 'e'
                  AND e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)"""
_NO_PATH = "NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) s WHERE s LIKE 'search_path=%')"


def _definer_called_by(role: str) -> str:
    return (
        f"SELECT p.oid::pg_catalog.regprocedure::text, '' {_ROUTINE} AND p.prosecdef AND {{in_api}}"
        " AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype,"
        " 'pg_catalog.event_trigger'::pg_catalog.regtype)"
        f" AND EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = '{role}'"
        " AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')"
        " AND pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE'))"
    )


CODE_RULES = (
    Advisor(
        "definer-search-path", "", "error", "security",
        "a SECURITY DEFINER function without a search_path of its own runs what a caller puts in its way",
        "ALTER FUNCTION ... SET search_path = '', and write every name in it in full.",
        f"SELECT p.oid::pg_catalog.regprocedure::text, '' {_ROUTINE} AND p.prosecdef AND {_NO_PATH} AND {{visible}}",
        danger=True,
    ),
    Advisor(
        "function-search-path", "0011", "warn", "security",
        "a function without a search_path of its own means other objects for other callers",
        "ALTER FUNCTION ... SET search_path = '', and write every name in it in full.",
        f"SELECT p.oid::pg_catalog.regprocedure::text, '' {_ROUTINE} AND p.prokind IN ('f', 'p') AND {_NO_PATH}"
        " AND {visible}",
    ),
    Advisor(
        "anon-runs-definer", "0028", "warn", "security",
        "visitors without an account can call it, and it runs with its owner's rights",
        "REVOKE EXECUTE ... FROM PUBLIC, anon; or make it SECURITY INVOKER.",
        _definer_called_by("anon"),
    ),
    Advisor(
        "authenticated-runs-definer", "0029", "warn", "security",
        "every signed-in person can call it, and it runs with its owner's rights",
        "REVOKE EXECUTE ... FROM PUBLIC, authenticated; or make it SECURITY INVOKER.",
        _definer_called_by("authenticated"),
    ),
    Advisor(
        "extension-in-public", "0014", "warn", "security",
        "the extension's objects stand among the app's in schema public",
        "ALTER EXTENSION ... SET SCHEMA extensions.",
        "SELECT e.extname::text, '' FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n"
        " ON n.oid = e.extnamespace WHERE n.nspname = 'public'",
    ),
    Advisor(
        "extension-outdated", "0022", "warn", "security",
        "the extension is not at its newest version ({detail})",
        "ALTER EXTENSION ... UPDATE.",
        "SELECT e.extname::text, e.extversion || ', and ' || a.default_version || ' is there'"
        " FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname"
        " WHERE a.default_version <> e.extversion",
        live=True,
    ),
    Advisor(
        "unsupported-reg-type", "0018", "warn", "security",
        "columns of a type that refers to the catalog keep the server from being upgraded: {detail}",
        "Keep the name as text, or use regclass, regrole or regtype.",
        """
        SELECT c.oid::pg_catalog.regclass::text,
               pg_catalog.string_agg(a.attname || ' ' || t.typname, ', ' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND {visible}
          AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typname IN ('regcollation', 'regconfig',
            'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure') GROUP BY c.oid
        """,
    ),
    Advisor(
        "foreign-key-to-auth-unique", "0021", "error", "security",
        "a foreign key leads to a unique column of the auth schema that is not its primary key ({detail})",
        "Refer to the primary key: the platform may drop its other unique constraints.",
        """
        SELECT f.conrelid::pg_catalog.regclass::text, f.conname::text
        FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class a ON a.oid = f.confrelid
        JOIN pg_catalog.pg_namespace an ON an.oid = a.relnamespace AND an.nspname = 'auth'
        JOIN pg_catalog.pg_class c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_index i ON i.indexrelid = f.conindid
        WHERE f.contype = 'f' AND NOT i.indisprimary AND {visible}
        """,
    ),
)  # fmt: skip
"""Rules whose object is a function, an extension, or a shape that will not last."""
