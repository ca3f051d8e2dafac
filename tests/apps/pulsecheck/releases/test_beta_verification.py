"""Each verification query of the beta release turns red when what it proves is broken, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.database.verification import Query
from services.releases.bundle import Release
from tests.apps.pulsecheck.releases.conftest import Production
from tests.apps.pulsecheck.releases.production import FOLDER, Database, Shape

USE = """
UPDATE users SET is_premium = true, tier_expires_at = now() + interval '9 days' WHERE name = 'Ada';
INSERT INTO ai_usage_logs (user_id, prompt_tokens, response_tokens, total_tokens, cost_usd, confidence_score, success)
VALUES ('user_123', 80, 20, 100, 0.01, 0.9, true), ('user_123', 80, 20, 100, 0.02, 0.8, true),
       ('ada@example.test', 10, 0, 10, NULL, NULL, false);
INSERT INTO ai_usage_logs (user_id, total_tokens, cost_usd) SELECT id::text, 7, 0.001 FROM users;
INSERT INTO ai_feedback (user_id, feedback_type, feedback_text, ai_usage_log_id)
SELECT user_id, 'thumbs_up', 'Good', id FROM ai_usage_logs WHERE user_id = 'user_123';
"""

NO_OP = """
CREATE OR REPLACE FUNCTION keep_daily_usage_quota() RETURNS trigger LANGUAGE plpgsql SET search_path = ''
AS $$ BEGIN RETURN NULL; END $$"""

TIER_INFO = """
CREATE OR REPLACE FUNCTION get_user_tier_info(p_user_id text) RETURNS TABLE (
    user_id text, tier text, daily_ai_limit integer, ai_used_today integer, context_depth integer,
    summary_access boolean, max_tokens_per_request integer)
LANGUAGE plpgsql SET search_path = '' AS $$ BEGIN {} END $$"""

FAN_OUT = """
CREATE OR REPLACE VIEW beta_user_engagement WITH (security_invoker = true) AS
SELECT e.user_id::text AS user_id, 'free'::text AS tier, count(*) AS total_entries,
       count(l.id) AS total_ai_interactions, coalesce(sum(l.total_tokens), 0)::bigint AS total_tokens,
       sum(l.cost_usd) AS total_cost, 0::bigint AS active_ai_days,
       0::bigint AS total_feedback, 0::bigint AS positive_feedback, max(l.created_at) AS last_activity
FROM journal_entries AS e LEFT JOIN ai_usage_logs AS l ON l.user_id = e.user_id::text GROUP BY e.user_id"""

BREAKAGES: list[tuple[str, str, str]] = [
    ("010_objects", "view gone", "DROP VIEW beta_feedback_analysis"),
    ("010_objects", "trigger gone", "DROP TRIGGER keep_daily_usage_quota ON ai_usage_logs"),
    ("010_objects", "trigger off", "ALTER TABLE ai_usage_logs DISABLE TRIGGER keep_daily_usage_quota"),
    ("010_objects", "function gone", "DROP FUNCTION reset_daily_usage_counters()"),
    ("010_objects", "table gone", "DROP TABLE journal_summaries"),
    ("020_columns", "column gone", "ALTER TABLE ai_feedback DROP COLUMN user_tier CASCADE"),
    ("020_columns", "uuid user", "ALTER TABLE journal_summaries DROP COLUMN user_id CASCADE, ADD COLUMN user_id uuid"),
    ("020_columns", "tier column gone", "ALTER TABLE users DROP COLUMN daily_ai_usage"),
    ("030_unique_keys", "no key", "ALTER TABLE daily_usage_quotas DROP CONSTRAINT daily_usage_quotas_pkey"),
    ("040_row_level_security", "off", "ALTER TABLE ai_usage_logs DISABLE ROW LEVEL SECURITY"),
    ("041_policies", "gone", "DROP POLICY beta_read_own_rows ON ai_feedback"),
    ("041_policies", "foreign", "CREATE POLICY open ON ai_feedback FOR SELECT TO anon USING (true)"),
    ("041_policies", "widened", "ALTER POLICY beta_read_own_rows ON ai_feedback USING (true)"),
    ("041_policies", "for everyone", "ALTER POLICY beta_service_role_all ON ai_feedback TO PUBLIC"),
    ("050_rights", "table", "GRANT SELECT ON ai_usage_logs TO anon"),
    ("050_rights", "column", "GRANT SELECT (user_id) ON ai_feedback TO anon"),
    ("050_rights", "everyone", "GRANT SELECT ON beta_daily_metrics TO PUBLIC"),
    ("050_rights", "writing", "GRANT UPDATE ON user_tier_limits TO authenticated"),
    ("050_rights", "function", "GRANT EXECUTE ON FUNCTION reset_daily_usage_counters() TO PUBLIC"),
    ("051_anon_is_refused", "table", "GRANT SELECT ON ai_usage_logs TO anon"),
    ("051_anon_is_refused", "view", "GRANT SELECT ON beta_daily_metrics, ai_usage_logs TO anon"),
    ("052_user_sees_own_rows", "all rows", "ALTER POLICY beta_read_own_rows ON ai_usage_logs USING (true)"),
    ("052_user_sees_own_rows", "no rows", "DROP POLICY beta_read_own_rows ON ai_usage_logs"),
    ("052_user_sees_own_rows", "no row level security", "ALTER TABLE daily_usage_quotas DISABLE ROW LEVEL SECURITY"),
    ("053_backend_rights", "table", "REVOKE INSERT ON ai_feedback FROM service_role"),
    ("053_backend_rights", "column", "REVOKE SELECT (user_id) ON journal_entries FROM service_role"),
    ("053_backend_rights", "function", "REVOKE EXECUTE ON FUNCTION get_user_tier_info(text) FROM service_role"),
    ("060_functions_safe", "definer", "ALTER FUNCTION get_user_tier_info(text) SECURITY DEFINER"),
    ("060_functions_safe", "search_path", "ALTER FUNCTION reset_daily_usage_counters() RESET search_path"),
    (
        "061_tier_info_answers",
        "sample user",
        TIER_INFO.format("RETURN QUERY SELECT 'sample', 'beta', 20, 0, 5, true, 800;"),
    ),
    ("061_tier_info_answers", "no answer", TIER_INFO.format("RETURN;")),
    ("061_tier_info_answers", "wrong type", TIER_INFO.format("RETURN QUERY SELECT p_user_id, 1, 20, 0, 5, true, 800;")),
    ("061_tier_info_answers", "no limits", "DELETE FROM user_tier_limits WHERE tier_name = 'free'"),
    (
        "062_reset_works",
        "does nothing",
        "CREATE OR REPLACE FUNCTION reset_daily_usage_counters() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$",
    ),
    ("070_trigger_fires", "off", "ALTER TABLE ai_usage_logs DISABLE TRIGGER keep_daily_usage_quota"),
    ("070_trigger_fires", "does nothing", NO_OP),
    (
        "070_trigger_fires",
        "counts twice",
        "CREATE TRIGGER again AFTER INSERT ON ai_usage_logs FOR EACH ROW EXECUTE FUNCTION keep_daily_usage_quota()",
    ),
    ("071_quota_equals_log", "changed by hand", "UPDATE daily_usage_quotas SET cost_usd = cost_usd + 0.000001"),
    ("071_quota_equals_log", "day lost", "DELETE FROM daily_usage_quotas WHERE user_id = 'user_123'"),
    (
        "071_quota_equals_log",
        "day invented",
        "INSERT INTO daily_usage_quotas (user_id, requests_used) VALUES ('ghost', 3)",
    ),
    ("080_views_as_reader", "off", "ALTER VIEW beta_user_engagement RESET (security_invoker)"),
    ("080_views_as_reader", "false", "ALTER VIEW beta_user_engagement SET (security_invoker = false)"),
    ("082_engagement_totals", "fan-out", FAN_OUT),
    ("090_tier_limits", "tuned", "UPDATE user_tier_limits SET daily_ai_limit = 6 WHERE tier_name = 'free'"),
    ("090_tier_limits", "lost", "DELETE FROM user_tier_limits WHERE tier_name = 'premium'"),
    ("091_premium_kept", "demoted", "UPDATE users SET is_premium = false"),
    ("091_premium_kept", "told free", TIER_INFO.format("RETURN QUERY SELECT p_user_id, 'free', 5, 0, 3, false, 500;")),
]

HIDDEN_ROW = {
    "081_daily_metrics_totals": (
        "beta_daily_metrics",
        "FROM ai_usage_logs log",
        "FROM ai_usage_logs log WHERE log.success",
    ),
    "083_feedback_totals": (
        "beta_feedback_analysis",
        "LEFT JOIN ai_usage_logs log ON",
        "LEFT JOIN ai_usage_logs log ON log.user_id = given.user_id OR",
    ),
}
"""Views whose definition is changed where it stands: query, view, text, and what takes its place."""


@pytest.fixture
def deployed(production: Production, release: Release) -> Database:
    database = production(Shape("varchar(255)", "level", rows=True, rights=False))
    database.run(release.deploy)
    database.run(USE)
    return database


@pytest.fixture
def session(deployed: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(deployed.owner) as conn:
        yield conn
        conn.rollback()


def is_red(conn: psycopg.Connection[Any], query: Query) -> bool:
    """True if the query returns rows, or fails for a reason that is not our lack of rights."""
    with conn.transaction(force_rollback=True):
        try:
            return bool(conn.execute(query.sql.encode()).fetchall())
        except psycopg.errors.InsufficientPrivilege:
            raise
        except psycopg.Error:
            return True


def query_of(release: Release, name: str) -> Query:
    return next(query for query in release.verify if query.id == name)


def test_every_query_is_green_after_the_deploy_and_in_use(deployed: Database, release: Release) -> None:
    assert deployed.red(release) == {}


def test_each_query_turns_red_when_what_it_proves_is_broken(session: psycopg.Connection[Any], release: Release) -> None:
    stayed_green = []
    for name, what, statement in BREAKAGES:
        with session.transaction(force_rollback=True):
            session.execute(statement.encode())
            if not is_red(session, query_of(release, name)):
                stayed_green.append((name, what))
    assert stayed_green == []


@pytest.mark.parametrize("name", HIDDEN_ROW)
def test_view_totals_turn_red_when_the_view_loses_or_doubles_rows(
    session: psycopg.Connection[Any], release: Release, name: str
) -> None:
    view, text, instead = HIDDEN_ROW[name]
    found = session.execute("SELECT pg_get_viewdef(%s::regclass)", (view,)).fetchone()
    assert found is not None
    assert text in found[0]
    changed = found[0].replace(text, instead)
    session.execute(f"CREATE OR REPLACE VIEW {view} WITH (security_invoker = true) AS {changed}".encode())
    assert is_red(session, query_of(release, name))


def test_every_query_has_been_seen_red(release: Release) -> None:
    assert {query.id for query in release.verify} == {name for name, _, _ in BREAKAGES} | set(HIDDEN_ROW)


def test_verification_leaves_nothing_even_when_it_is_committed(deployed: Database, release: Release) -> None:
    before = deployed.row_hashes()
    for query in release.verify:
        deployed.run(query.sql)
    assert deployed.row_hashes() == before


def test_verification_works_inside_the_deploying_transaction(production: Production, release: Release) -> None:
    database = production(Shape())
    with psycopg.connect(database.owner) as conn:
        for script in release.deploy:
            conn.execute(script.sql.encode())
        assert [query.id for query in release.verify if is_red(conn, query)] == []


def test_before_the_release_verification_is_red(production: Production, release: Release) -> None:
    database = production(Shape())
    with psycopg.connect(database.owner) as conn:
        assert is_red(conn, query_of(release, "010_objects"))
        assert is_red(conn, query_of(release, "070_trigger_fires"))


def test_the_probe_is_for_the_owner_only(deployed: Database) -> None:
    roles = "SELECT r FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) AS r"
    allowed = f"{roles} WHERE has_function_privilege(r, 'probe_beta_release()', 'EXECUTE')"
    assert deployed.rows(allowed) == []


def test_every_query_is_listed_in_the_manifest(release: Release) -> None:
    assert release.checklist is not None
    for folder in ("deploy", "verify", "rollback"):
        names = sorted(path.name for path in (FOLDER / "beta-optimization" / folder).glob("*.sql"))
        assert sorted(getattr(release.checklist.files, folder)) == names
