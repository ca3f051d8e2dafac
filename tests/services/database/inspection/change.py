"""Two databases that differ by one script, and the app that stands in both."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import psycopg

from services.database.inspection.inspect import Inspection
from services.sandbox.postgres import Cluster
from services.verdict import Verdict

BASE = """
SET ROLE postgres;
CREATE TYPE public.mood AS ENUM ('fine', 'tired');
CREATE TABLE public.profiles (
  id uuid PRIMARY KEY, email text NOT NULL, display_name text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE public.notes (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES public.profiles (id),
  body text NOT NULL CHECK (length(body) BETWEEN 3 AND 50), level integer NOT NULL CHECK (level BETWEEN 1 AND 10),
  mood public.mood NOT NULL, words integer, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE public.tags (id bigserial PRIMARY KEY, note_id uuid REFERENCES public.notes (id), name text NOT NULL);
CREATE TABLE public.note_log (id bigserial PRIMARY KEY, note_id uuid, what text NOT NULL);
ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.note_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.profiles FOR SELECT TO authenticated USING (id = (SELECT auth.uid()));
CREATE POLICY own ON public.notes FOR ALL TO authenticated USING (user_id = (SELECT auth.uid()));
GRANT SELECT ON public.profiles TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.notes TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO service_role;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO service_role;
CREATE FUNCTION public.count_words() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
  BEGIN NEW.words := array_length(string_to_array(NEW.body, ' '), 1); RETURN NEW; END $$;
CREATE TRIGGER words BEFORE INSERT OR UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION public.count_words();
CREATE FUNCTION public.notes_of(p_user uuid) RETURNS SETOF public.notes LANGUAGE sql STABLE SET search_path = ''
  AS $$ SELECT * FROM public.notes WHERE user_id = p_user $$;
CREATE VIEW public.note_counts WITH (security_invoker = true) AS
  SELECT user_id, count(*) AS notes FROM public.notes GROUP BY user_id;
RESET ROLE;
INSERT INTO auth.users (id, aud, role, email) VALUES
  ('a0000000-0000-4000-8000-00000000000a', 'authenticated', 'authenticated', 'ada@example.com'),
  ('b0000000-0000-4000-8000-00000000000b', 'authenticated', 'authenticated', 'bob@example.com');
INSERT INTO public.profiles (id, email) SELECT id, email FROM auth.users;
INSERT INTO public.notes (user_id, body, level, mood) SELECT id, 'a long day', 3, 'fine' FROM auth.users;
CREATE FUNCTION public.on_sign_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
  BEGIN INSERT INTO public.profiles (id, email) VALUES (NEW.id, NEW.email); RETURN NEW; END $$;
ALTER FUNCTION public.on_sign_up() OWNER TO postgres;
CREATE TRIGGER on_sign_up AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.on_sign_up();
"""


class Change:
    """Makes pairs of databases from one base, and drops them at the end."""

    def __init__(self, cluster: Cluster, base: str) -> None:
        self._cluster, self._base = cluster, base
        self._made: list[str] = []
        self.last = ""

    def __enter__(self) -> Self:
        self._admin = psycopg.connect(self._cluster.server.dsn(), autocommit=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._made:
            self._admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._admin.close()

    def databases(self, first: str, sql: str) -> tuple[str, str]:
        """Superuser's addresses of a database where the owner ran `first`, and of one where `sql` followed."""
        untouched = self._clone(self._base, first) if first else self._cluster.server.dsn(self._base)
        return untouched, self._clone(untouched.rpartition("/")[2], sql)

    def _clone(self, of: str, sql: str) -> str:
        name = f"{self._base}_{len(self._made) + 1}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {of} OWNER postgres")
        self._made.append(name)
        url = self._cluster.server.dsn(name)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("SET SESSION AUTHORIZATION postgres")
            conn.execute(sql.encode())
        self.last = url
        return url


def failures(inspection: Inspection, kind: str | None = None) -> set[tuple[str, str]]:
    """(object, rule) of what is newly broken, of one kind or of all."""
    return {(one.object, one.rule) for one in inspection.failed if kind in (None, one.kind)}


def verdict_of(inspection: Inspection, kind: str, name: str) -> Verdict | None:
    """What was said of one object, the worst first; None where nothing was."""
    said = [one.verdict for one in inspection.findings if (one.kind, one.object) == (kind, name)]
    order = [Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS]
    return min(said, key=order.index) if said else None
