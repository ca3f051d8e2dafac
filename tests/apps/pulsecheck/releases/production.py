"""Production as it may be found before the beta release: both shapes of journal_entries, empty, full, half deployed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from services.database.fingerprint import Fingerprint, RowHash, catalog_fingerprint, row_hashes
from services.database.script import Script
from services.database.server import Server
from services.releases.bundle import Release

FOLDER = Path(__file__).parents[4] / "apps" / "pulsecheck" / "releases"


@dataclass(frozen=True)
class Shape:
    """One way production may look. rights: production's tables were granted to the roles when they were made."""

    user_id: str = "varchar(255)"
    levels: str = "level"
    rows: bool = True
    rights: bool = True

    def __str__(self) -> str:
        rows = "rows" if self.rows else "empty"
        return f"{self.user_id}-mood_{self.levels}-{rows}-{'auto' if self.rights else 'no'}-grants"

    def sql(self) -> str:
        """The statements that make it, for the database's owner."""
        level = f"integer NOT NULL CHECK (mood_{self.levels} BETWEEN 1 AND 10)"
        owner_text = "(SELECT id::text FROM users ORDER BY email LIMIT 1)"
        user_ids = (
            [f"{owner_text}", "'user_123'", "'ada@example.test'"]
            if self.user_id.startswith("varchar")
            else [f"{owner_text}::uuid", "'11111111-1111-4111-8111-111111111111'"]
        )
        parts = [
            f"""
            CREATE TABLE users (
                id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE, name text NOT NULL,
                created_at timestamptz NOT NULL DEFAULT now());
            CREATE TABLE checkins (
                id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES users (id),
                created_at timestamptz NOT NULL DEFAULT now());
            CREATE TABLE ai_analyses (
                id uuid PRIMARY KEY DEFAULT gen_random_uuid(), checkin_id uuid REFERENCES checkins (id), summary text);
            CREATE TABLE journal_entries (
                id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id {self.user_id} NOT NULL, content text NOT NULL,
                mood_{self.levels} {level}, energy_{self.levels} integer, stress_{self.levels} integer,
                created_at timestamptz NOT NULL DEFAULT now());
            COMMENT ON COLUMN users.id IS 'Who it is.';
            """
        ]
        if self.rights:
            granted = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {} TO anon, authenticated, service_role;"
            parts = [granted.format("TABLES"), granted.format("FUNCTIONS"), *parts]
        if self.rows:
            parts.append("""
            INSERT INTO users (email, name, created_at) VALUES
                ('ada@example.test', 'Ada', now() - interval '90 days'),
                ('bob@example.test', 'Bob', now() - interval '2 days');
            """)
            parts += [
                f"INSERT INTO journal_entries (user_id, content, mood_{self.levels}) SELECT {one}, 'A day', 1 + n"
                " FROM generate_series(1, 4) AS n;"
                for one in user_ids
            ]
        return "\n".join(parts)


@dataclass(frozen=True)
class Database:
    """One database. owner, admin: addresses for its owner and for the superuser."""

    owner: str
    admin: str
    server: Server

    def run(self, scripts: Iterable[Script] | str, *, autocommit: bool = False) -> list[str]:
        """Run scripts as the owner, in one transaction unless autocommit; returns the notices."""
        notices: list[str] = []
        with psycopg.connect(self.owner, autocommit=autocommit) as conn:
            conn.add_notice_handler(lambda notice: notices.append(f"{notice.severity}: {notice.message_primary}"))
            for sql in [scripts] if isinstance(scripts, str) else [script.sql for script in scripts]:
                conn.execute(sql.encode())
        return notices

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What a query returns to the owner; whatever it did is rolled back."""
        with psycopg.connect(self.owner) as conn:
            found = conn.execute(sql.encode()).fetchall()
            conn.rollback()
        return found

    def red(self, release: Release) -> dict[str, list[tuple[object, ...]]]:
        """The verification queries that return rows, with the rows."""
        answers = {query.id: self.rows(query.sql) for query in release.verify}
        return {name: rows for name, rows in answers.items() if rows}

    def fingerprint(self) -> Fingerprint:
        with psycopg.connect(self.owner) as conn:
            return catalog_fingerprint(conn)

    def row_hashes(self) -> dict[str, RowHash]:
        with psycopg.connect(self.owner) as conn:
            return row_hashes(conn)

    def dump(self) -> str:
        """The schema as pg_dump writes it, without the key that is another in every dump."""
        program = self.server.binaries.bin / "pg_dump"
        done = subprocess.run(
            [str(program), "--schema-only", "--dbname", self.admin], capture_output=True, text=True, check=True
        )
        return "\n".join(line for line in done.stdout.splitlines() if "restrict" not in line)


def on_plain_server(server: Server) -> Database:
    """A database without any role or schema of Supabase, owned by a role that is no superuser."""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("CREATE ROLE pulse LOGIN PASSWORD 'pulse-pw'")
        admin.execute("CREATE DATABASE plain TEMPLATE template0 OWNER pulse")
    parts = urlsplit(server.dsn("plain"))
    host = parts.netloc.rsplit("@", 1)[-1]
    owner = urlunsplit(parts._replace(netloc=f"pulse:pulse-pw@{host}"))
    with psycopg.connect(server.dsn("plain"), autocommit=True) as admin:
        admin.execute("ALTER SCHEMA public OWNER TO pulse")
    return Database(owner, server.dsn("plain"), server)


SHAPES = [
    Shape(user_id, levels, rows, rights)
    for user_id, levels in product(("varchar(255)", "uuid"), ("level", "score"))
    for rows, rights in ((True, False), (False, True))
]
"""The shapes of production before the release."""

LEFTOVERS = """
-- What an earlier attempt by hand may have left: a table with rows and open to everyone, a log without a price, a view
-- and a function of another shape, a paid user, and no row level security anywhere.
ALTER TABLE users ADD COLUMN is_premium boolean DEFAULT false;
CREATE TABLE user_tier_limits (
    id serial PRIMARY KEY, tier_name varchar(50) UNIQUE, daily_ai_limit integer, context_depth integer,
    summary_access boolean, max_tokens_per_request integer);
COMMENT ON TABLE user_tier_limits IS 'Made by hand.';
INSERT INTO user_tier_limits (tier_name, daily_ai_limit, context_depth, summary_access, max_tokens_per_request)
VALUES ('free', 5, 3, false, 500);
GRANT SELECT, INSERT ON user_tier_limits TO anon;
GRANT SELECT ON user_tier_limits TO service_role;
CREATE TABLE ai_usage_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id varchar(255) NOT NULL, total_tokens integer,
    response_time_ms integer, success boolean DEFAULT true, created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO ai_usage_logs (user_id, total_tokens) VALUES ('user_123', 10), ('user_123', 20), ('other', 5);
CREATE VIEW beta_daily_metrics AS
SELECT created_at::text AS metric_date, count(*)::integer AS calls FROM ai_usage_logs GROUP BY 1;
CREATE TABLE ai_feedback (
    id serial PRIMARY KEY, user_id varchar(255), feedback_type varchar(20), created_at timestamptz DEFAULT now());
INSERT INTO ai_feedback (user_id, feedback_type) VALUES ('user_123', 'thumbs_up');
CREATE TABLE daily_usage_quotas (
    id serial PRIMARY KEY, user_id varchar(255), usage_date date, requests_used integer, tokens_used integer);
INSERT INTO daily_usage_quotas (user_id, usage_date, requests_used, tokens_used)
VALUES ('user_123', (now() AT TIME ZONE 'UTC')::date, 2, 30), ('other', (now() AT TIME ZONE 'UTC')::date, 1, 5);
CREATE FUNCTION get_user_tier_info(p_user_id text) RETURNS text LANGUAGE sql AS $$ SELECT 'premium' $$;
"""
