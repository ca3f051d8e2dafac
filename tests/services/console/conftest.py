"""A database with what people wrote, and with functions and views that do more than read; and a console on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from services.access.permissions import Actor, Role
from services.app_definition import AppDefinition, load_app
from services.console.asking import Limits, Reply, ask
from services.database.connect import connect
from services.sandbox.postgres import OWNER, READ_ONLY, Cluster
from services.settings import Level, Target

WORLD = r"""
CREATE TABLE public.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text, name text, tier text, born date);
INSERT INTO public.users (email, name, tier) SELECT 'person' || i || '@example.com', 'Person ' || i, 'free'
  FROM generate_series(1, 20) i;
CREATE TABLE public.journal_entries (id bigserial PRIMARY KEY, user_id text, content text, tags text[], extra jsonb,
  mood_level int, created_at timestamptz DEFAULT '2026-01-01');
INSERT INTO public.journal_entries (user_id, content, tags, mood_level)
  SELECT 'u' || i, CASE WHEN i > 1 THEN 'a private thought ' || i END, ARRAY['private tag'], i
  FROM generate_series(1, 30) i;
CREATE TABLE public.plain (id int PRIMARY KEY, word text);
INSERT INTO public.plain SELECT i, 'word ' || i FROM generate_series(1, 1000) i;
CREATE VIEW public.moods AS SELECT user_id, mood_level, content FROM public.journal_entries;
CREATE VIEW public.moods_of_moods AS SELECT m.user_id, upper(m.content) AS said FROM public.moods m;
CREATE MATERIALIZED VIEW public.kept AS SELECT content FROM public.journal_entries;
CREATE FUNCTION public.writes() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN INSERT INTO public.plain VALUES (-1, 'written'); RETURN 1; END $$;
CREATE FUNCTION public.locks() RETURNS bool LANGUAGE plpgsql STABLE SECURITY DEFINER AS
  $$ BEGIN RETURN pg_try_advisory_lock(4711); END $$;
CREATE FUNCTION public.locks_in_sql() RETURNS bool LANGUAGE sql STABLE AS $$ SELECT pg_try_advisory_lock(4711) $$;
CREATE FUNCTION public.reads(text) RETURNS bigint LANGUAGE sql STABLE AS
  $$ SELECT count(*) FROM public.plain WHERE word = $1 $$;
CREATE FUNCTION public.lies() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_notify('ops_attack', 'x'); RETURN 1; END $$;
CREATE FUNCTION public.same(a int, b int) RETURNS bool LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN PERFORM pg_advisory_lock(4711); RETURN a = b; END $$;
CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = public.same);
CREATE DOMAIN public.odd AS int CHECK (public.writes() = 1);
CREATE VIEW public.locking AS SELECT pg_try_advisory_lock(4711) AS got;
CREATE VIEW public.behind AS SELECT * FROM public.locking;
CREATE SEQUENCE public.counter;
GRANT USAGE, UPDATE ON SEQUENCE public.counter TO PUBLIC;
CREATE FUNCTION public.secret_of(public.plain) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN RETURN (SELECT content FROM public.journal_entries WHERE id = 5); END $$;
CREATE FUNCTION public.tell(text, int DEFAULT 1) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN RETURN (SELECT content FROM public.journal_entries WHERE id = 5); END $$;
CREATE FUNCTION public.word(public.users) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN RETURN (SELECT content FROM public.journal_entries WHERE id = 5); END $$;
CREATE FUNCTION public.tell_all(VARIADIC text[]) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN RETURN (SELECT content FROM public.journal_entries WHERE id = 5); END $$;
CREATE FUNCTION public.latest() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT content FROM public.journal_entries WHERE id = 5 $$;
CREATE FUNCTION public.latest_atomic() RETURNS text LANGUAGE sql STABLE
  RETURN (SELECT content FROM public.journal_entries WHERE id = 5);
CREATE FUNCTION public.list_them() RETURNS SETOF public.journal_entries LANGUAGE sql STABLE AS
  $$ SELECT * FROM public.journal_entries $$;
CREATE TABLE public.entries (id int, note text, at date) PARTITION BY LIST (id);
CREATE TABLE public.checkins PARTITION OF public.entries FOR VALUES IN (1);
INSERT INTO public.entries VALUES (1, 'a private note');
CREATE TABLE public.half (id int, feedback_text text);
CREATE TABLE public.ai_feedback (more int) INHERITS (public.half);
CREATE TABLE public.other_half (feedback_text text);
ALTER TABLE public.ai_feedback INHERIT public.other_half;
INSERT INTO public.ai_feedback VALUES (1, 'a private word', 1);
CREATE TABLE public.ai_analyses (id int, summary text, words tsvector GENERATED ALWAYS AS
  (to_tsvector('simple'::regconfig, summary)) STORED, size int GENERATED ALWAYS AS (id + 1) STORED);
INSERT INTO public.ai_analyses (id, summary) VALUES (1, 'a private thought');
CREATE TABLE public.camel (id int, "userEmail" text, "passwordHash" text, "phoneNumber" text, "Token" text,
  "apiToken" text, apikey text, api_key text, "Password" text, tokens_used int, "totalTokens" bigint, token_count int);
INSERT INTO public.camel VALUES (1, 'someone@example.com', 'private', 'private', 'private', 'private', 'private',
  'private', 'private', 7, 8, 9);
CREATE FUNCTION public.key_of() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT current_setting('app.settings.jwt_secret', true) $$;
CREATE FUNCTION public.key_of_any(text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting($1, true) $$;
CREATE FUNCTION public.key_by_dot() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT current_setting('request.jwt', true) || ('app.settings.jwt_secret'::text).current_setting $$;
CREATE FUNCTION public.key_named_like_a_role() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT current_setting('role_keys.openai', true) $$;
CREATE FUNCTION public.who() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT current_setting('request.jwt.claims', true) $$;
CREATE TABLE public.compared (id int);
INSERT INTO public.compared VALUES (1);
CREATE FUNCTION public.less(public.compared, public.compared) RETURNS bool LANGUAGE plpgsql AS
  $$ BEGIN RETURN true; END $$;
CREATE OPERATOR public.= (LEFTARG = public.compared, RIGHTARG = public.compared, FUNCTION = public.less);
CREATE OPERATOR public.<= (LEFTARG = public.compared, RIGHTARG = public.compared, FUNCTION = public.less);
CREATE OPERATOR public.<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = public.same);
CREATE VIEW public.over_activity AS SELECT pid, query FROM pg_catalog.pg_stat_activity;
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE ops.copy_1 AS SELECT * FROM public.journal_entries;
CREATE SCHEMA hidden;
CREATE TABLE hidden.journal AS SELECT content AS word FROM public.journal_entries;
GRANT USAGE ON SCHEMA hidden TO PUBLIC;
CREATE FUNCTION public.by_view() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT said FROM public.moods_of_moods LIMIT 1 $$;
CREATE FUNCTION public.by_latest() RETURNS text LANGUAGE sql STABLE AS $$ SELECT upper(public.latest()) $$;
CREATE FUNCTION public.by_path() RETURNS text LANGUAGE sql STABLE SET search_path = hidden AS
  $$ SELECT word FROM journal $$;
CREATE FUNCTION public.by_default(text DEFAULT public.latest()) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1 $$;
CREATE FUNCTION public.writes_by_default(int DEFAULT public.writes()) RETURNS int LANGUAGE sql IMMUTABLE AS
  $$ SELECT $1 $$;
CREATE FUNCTION public.doubled(int DEFAULT 1 + 1) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $1 * 2 $$;
CREATE VIEW public.over_latest AS SELECT public.latest() AS said, * FROM public.moods;
CREATE VIEW public.over_list AS SELECT * FROM public.list_them();
CREATE MATERIALIZED VIEW public.kept_list AS SELECT * FROM public.list_them();
CREATE MATERIALIZED VIEW public.kept_plain AS SELECT upper(word) AS word FROM public.plain;
CREATE FUNCTION public.by_kept() RETURNS text LANGUAGE sql STABLE AS $$ SELECT content FROM public.kept_list LIMIT 1 $$;
CREATE FUNCTION public.of_entry(public.plain) RETURNS text LANGUAGE sql STABLE AS $$ SELECT public.latest() $$;
CREATE FUNCTION public.add_up(text, int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 'x'; END $$;
CREATE AGGREGATE public.sum_up(int) (SFUNC = public.add_up, STYPE = text);
CREATE FUNCTION public.checks(int) RETURNS bool LANGUAGE plpgsql AS
  $$ BEGIN RETURN true; END $$;
CREATE DOMAIN public.checked AS int CHECK (public.checks(VALUE));
CREATE DOMAIN public.of_checked AS public.checked;
CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
CREATE TYPE public.pair AS (a public.checked, b int);
CREATE TYPE public.coin AS ENUM ('heads', 'tails');
CREATE TYPE public.point_of AS (x int, y public.coin);
CREATE TYPE public.span AS RANGE (SUBTYPE = public.checked);
CREATE TABLE public.has_checked (id int, a public.checked, several public.checked[]);
CREATE TABLE public.has_positive (id int, a public.positive, p public.point_of);
INSERT INTO public.has_positive VALUES (1, 1, '(1,tails)');
CREATE TYPE public.made AS (b int);
CREATE FUNCTION public.make(int) RETURNS public.made LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE CAST (int AS public.made) WITH FUNCTION public.make(int);
CREATE TYPE public.told AS (b int);
CREATE FUNCTION public.told_text(public.told) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN ''; END $$;
CREATE CAST (public.told AS text) WITH FUNCTION public.told_text(public.told) AS IMPLICIT;
CREATE TABLE public.has_told (id int, t public.told);
INSERT INTO public.has_told VALUES (1, '(1)');
CREATE DOMAIN public.address_of AS varchar(90) CHECK (VALUE ~ '@');
CREATE TABLE public.members (id int PRIMARY KEY, mail public.address_of, secret bytea, tokens uuid, codes text,
  phones text[]);
INSERT INTO public.members VALUES (1, 'someone@example.com', 'x', gen_random_uuid(), 'a', '{1}'),
  (2, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.journal_entries (user_id, content)
  SELECT 'long', 'a private thought ' || string_agg(md5(i::text), ' ') FROM generate_series(1, 400) i;
CREATE DOMAIN public.document AS jsonb;
CREATE DOMAIN public.old_document AS public.document NOT NULL;
CREATE TYPE public.person AS (name_of text, passcode text);
CREATE TABLE public.audit (id int PRIMARY KEY, old jsonb, payload json, several jsonb[], texts json[],
  kept public.old_document DEFAULT '{}', person public.person,
  made text GENERATED ALWAYS AS (old #>> '{deep,0,phone}') STORED);
CREATE TABLE public.audit_part () INHERITS (public.audit);
CREATE VIEW public.audited AS SELECT id, old AS before, payload ->> 'phone' AS told FROM public.audit;
CREATE MATERIALIZED VIEW public.kept_audit AS SELECT old ->> 'phone' AS told FROM public.audit;
CREATE FUNCTION public.of_audit() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT payload ->> 'phone' FROM public.audit WHERE id = 1 $$;
INSERT INTO public.audit VALUES (1, '{"id": 7, "deep": [{"phone": "+49 private"}]}', '{"phone" : "+49 private"}',
  ARRAY['{"passwordHash": "private"}'::jsonb], ARRAY['{"APIKey":"private"}'::json], '{"api_key": "private"}',
  ('a', 'private'));
INSERT INTO public.audit_part VALUES (2, '["{\"password\": \"private\"}"]', '{"\u0070hone": "private"}', NULL, NULL,
  '{"a\"phone": "private"}', NULL);
INSERT INTO public.audit_part (id, old, several) VALUES (3, '{"tokens_used": 5, "photograph": "seen",
  "hashtag": "say \"phone\", please", "token": null, "has_password": true, "word": ["phone", "x:y"]}',
  '{"{\"plan\": \"free\"}"}');
CREATE TABLE public.hooks AS SELECT 1 AS id, '{"userEmail": "here"}'::jsonb AS was
  UNION ALL SELECT 2, '{"Gratitude_Items": ["never"], "email": ""}' UNION ALL SELECT 3, '{"errorMessage": "never"}';
CREATE TABLE public.odd_json AS SELECT '{"bad": "\u0000", "lone": "\ud800", "huge": 1e999999}'::json AS payload;
DO $$ BEGIN EXECUTE (SELECT format('CREATE VIEW public.toasted AS SELECT * FROM %s', reltoastrelid::regclass)
  FROM pg_class WHERE oid = 'public.journal_entries'::regclass); END $$;
"""


class Console:
    """Asks questions as a person would, and knows the database from behind."""

    def __init__(self, target: Target, app: AppDefinition, owner: str) -> None:
        self.target, self.app = target, app
        self.behind: psycopg.Connection[Any] = connect(owner)

    def ask(self, text: str, role: Role = Role.OPERATOR, limits: Limits | None = None) -> Reply:
        actor = Actor("staging:1", "Ann", role, "staging", way="auth")
        return ask(self.target, self.app, actor, text, limits)


@pytest.fixture(scope="module")
def console(supabase_cluster: Cluster, supabase_template: str) -> Iterator[Console]:
    name = "test_console"
    with psycopg.connect(supabase_cluster.server.dsn(), autocommit=True) as admin:
        make = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        admin.execute(make.format(sql.Identifier(name), sql.Identifier(supabase_template), sql.Identifier(OWNER)))
        target = Target(
            name="staging",
            production=False,
            levels=frozenset({Level.LOOK, Level.OBSERVE}),
            read_only_url=SecretStr(supabase_cluster.dsn(READ_ONLY, name)),
        )
        # What a function did inside a transaction that is rolled back is seen by its count alone.
        counting = sql.SQL("ALTER DATABASE {} SET track_functions = 'all'").format(sql.Identifier(name))
        admin.execute(counting)
        one = Console(target, load_app("pulsecheck"), supabase_cluster.dsn(OWNER, name))
        one.behind.execute(WORLD.encode())
        yield one
        one.behind.close()
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
