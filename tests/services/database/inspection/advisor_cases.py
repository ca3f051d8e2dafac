"""For each advisor a change that breaks its rule and one beside it that does not; none is more than a few objects."""

from __future__ import annotations

TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, word text);"
SECURED = TABLE + "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;"
USERS = "CREATE TABLE public.t (id int PRIMARY KEY, email text, password text); GRANT SELECT ON public.t TO anon;"
FOREIGN = """CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE public.t (id int) SERVER s;"""
DEFINER = "CREATE FUNCTION public.t() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';"
GRAPHQL = (
    """INSERT INTO pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
SELECT 4242424, 'pg_graphql', 10, oid, false, '1' FROM pg_catalog.pg_namespace WHERE nspname = 'public';"""
    + TABLE
)
QUEUE = "CREATE SCHEMA pgmq; GRANT USAGE ON SCHEMA pgmq TO anon; CREATE TABLE pgmq.q_t (id int);" \
        "GRANT SELECT ON pgmq.q_t TO anon;"  # fmt: skip
BUCKET = "INSERT INTO storage.buckets (id, name, public) VALUES ('t', 't', {}); CREATE POLICY p ON storage.objects {};"
REFERS = "CREATE TABLE public.u (id int PRIMARY KEY, t_id int REFERENCES public.t (id));"

CASES: dict[str, tuple[str, str]] = {
    "rls-off": (TABLE + "GRANT SELECT ON public.t TO anon", SECURED + "GRANT SELECT ON public.t TO anon"),
    "rls-missing": (TABLE, SECURED),
    "policies-without-rls": (TABLE + "CREATE POLICY p ON public.t USING (true)",
                             SECURED + "CREATE POLICY p ON public.t USING (true)"),
    "rls-without-policy": (SECURED, SECURED + "CREATE POLICY p ON public.t USING (id > 0)"),
    "rls-stops-anon-writes": (SECURED + "GRANT INSERT ON public.t TO anon",
                              SECURED + "GRANT INSERT ON public.t TO anon;"
                              "CREATE POLICY p ON public.t FOR INSERT TO anon WITH CHECK (id > 0)"),
    "policy-lets-all-write": (SECURED + "CREATE POLICY p ON public.t FOR INSERT WITH CHECK (true)",
                              SECURED + "CREATE POLICY p ON public.t FOR SELECT USING (true)"),
    "policy-trusts-user-metadata": (
        SECURED + "CREATE POLICY p ON public.t USING (auth.jwt() -> 'user_metadata' ->> 'role' = 'admin')",
        SECURED + "CREATE POLICY p ON public.t USING (auth.jwt() -> 'app_metadata' ->> 'role' = 'admin')"),
    "policy-asks-per-row": (SECURED + "CREATE POLICY p ON public.t USING (word = auth.uid()::text)",
                            SECURED + "CREATE POLICY p ON public.t USING (word = (SELECT auth.uid())::text AND"
                            " (SELECT auth.jwt() ->> 'role') = 'x')"),
    "several-permissive-policies": (
        SECURED + "CREATE POLICY p ON public.t FOR SELECT USING (id > 0); CREATE POLICY q ON public.t USING (id < 0)",
        SECURED + "CREATE POLICY p ON public.t FOR SELECT USING (id > 0);"
        "CREATE POLICY q ON public.t FOR INSERT WITH CHECK (id < 0);"
        "CREATE POLICY r ON public.t FOR SELECT TO service_role USING (true);"
        "CREATE POLICY s ON public.t AS RESTRICTIVE USING (id < 9)"),
    "anon-granted": (TABLE + "GRANT SELECT ON public.t TO anon", TABLE + "GRANT SELECT ON public.t TO authenticated"),
    "view-of-owner": ("CREATE VIEW public.t AS SELECT 1 AS a; GRANT SELECT ON public.t TO anon",
                      "CREATE VIEW public.t WITH (security_invoker = on) AS SELECT 1 AS a;"
                      "GRANT SELECT ON public.t TO anon"),
    "auth-users-exposed": ("CREATE VIEW public.t AS SELECT id FROM auth.users; GRANT SELECT ON public.t TO anon",
                           "CREATE VIEW public.t AS SELECT id FROM auth.users"),
    "sensitive-columns-exposed": (USERS, USERS + "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY"),
    "emails-readable": (USERS + "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;"
                        "CREATE POLICY p ON public.t FOR SELECT USING (true)",
                        USERS + "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;"
                        "CREATE POLICY p ON public.t FOR SELECT USING (email = (SELECT auth.email()))"),
    "materialized-view-in-api": ("CREATE MATERIALIZED VIEW public.t AS SELECT 1 AS a; GRANT SELECT ON public.t TO anon",
                                 "CREATE MATERIALIZED VIEW public.t AS SELECT 1 AS a"),
    "foreign-table-in-api": (FOREIGN + "GRANT SELECT ON public.t TO authenticated", FOREIGN),
    "queue-exposed": (QUEUE, QUEUE + "ALTER TABLE pgmq.q_t ENABLE ROW LEVEL SECURITY"),
    "bucket-can-be-listed": (BUCKET.format("true", "FOR SELECT USING (bucket_id = 't')"),
                             BUCKET.format("false", "FOR SELECT USING (bucket_id = 't')")),
    "graphql-shows-to-anon": (GRAPHQL + "GRANT SELECT ON public.t TO anon",
                              GRAPHQL + "GRANT SELECT ON public.t TO authenticated"),
    "graphql-shows-to-authenticated": (GRAPHQL + "GRANT SELECT ON public.t TO authenticated",
                                       TABLE + "GRANT SELECT ON public.t TO authenticated"),
    "definer-search-path": (DEFINER.replace("SET search_path = ''", ""), DEFINER),
    "function-search-path": ("CREATE FUNCTION public.t() RETURNS int LANGUAGE sql AS 'SELECT 1'", DEFINER),
    "anon-runs-definer": (DEFINER, DEFINER + "REVOKE EXECUTE ON FUNCTION public.t() FROM PUBLIC;"
                          "GRANT EXECUTE ON FUNCTION public.t() TO authenticated"),
    "authenticated-runs-definer": (DEFINER, DEFINER + "REVOKE EXECUTE ON FUNCTION public.t() FROM PUBLIC;"
                                   "GRANT EXECUTE ON FUNCTION public.t() TO anon, service_role"),
    "extension-in-public": ("UPDATE pg_catalog.pg_extension SET extnamespace = 'public'::regnamespace", "SELECT 1"),
    "extension-outdated": ("UPDATE pg_catalog.pg_extension SET extversion = '0.1' WHERE extname = 'plpgsql'",
                           "SELECT 1"),
    "unsupported-reg-type": ("CREATE TABLE public.t (a regproc)", "CREATE TABLE public.t (a regclass, b regtype)"),
    "foreign-key-to-auth-unique": (
        "CREATE UNIQUE INDEX u ON auth.users (phone); CREATE TABLE public.t (p text REFERENCES auth.users (phone))",
        "CREATE TABLE public.t (id uuid REFERENCES auth.users (id))"),
    "foreign-key-without-index": (TABLE + REFERS + "CREATE INDEX i ON public.u (id, t_id)",
                                  TABLE + REFERS + "CREATE INDEX i ON public.u (t_id, id)"),
    "no-primary-key": ("CREATE TABLE public.t (id int UNIQUE)", TABLE),
    "duplicate-index": (TABLE + "CREATE INDEX a ON public.t (word); CREATE INDEX b ON public.t (word)",
                        TABLE + "CREATE INDEX a ON public.t (word); CREATE INDEX b ON public.t (word DESC);"
                        "CREATE INDEX c ON public.t (word) WHERE id > 0"),
}  # fmt: skip
"""By rule; those that judge traffic are tried apart."""
