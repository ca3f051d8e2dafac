--- beta-tables: varchar, uuid, empty
-- Beta release: tables and columns. Runs as often as one likes.
CREATE TABLE IF NOT EXISTS public.user_tier_limits (
  id serial PRIMARY KEY,
  tier_name varchar(50) UNIQUE NOT NULL,
  daily_ai_limit integer NOT NULL CHECK (daily_ai_limit > 0),
  context_depth integer NOT NULL DEFAULT 3
);
INSERT INTO public.user_tier_limits (tier_name, daily_ai_limit, context_depth)
VALUES ('free', 5, 3), ('beta', 20, 5), ('premium', 50, 7)
ON CONFLICT (tier_name) DO NOTHING;

CREATE TABLE IF NOT EXISTS public.ai_usage_logs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id text NOT NULL, -- ids of both kinds: 'user_123' and uuids
  cost_usd numeric(10,6) NOT NULL DEFAULT 0,
  /* nested /* comment; */ still inside; */
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS idx_usage_day ON public.ai_usage_logs (user_id, ((created_at AT TIME ZONE 'UTC')::date));
ALTER TABLE public.users ADD COLUMN IF NOT EXISTS is_premium boolean NOT NULL DEFAULT false;
DO $$ BEGIN RAISE NOTICE 'Beta tables ready: %', (SELECT count(*) FROM public.user_tier_limits); END $$;
--- beta-whole-on-half: half
ALTER TABLE ai_usage_logs ADD COLUMN IF NOT EXISTS error_message text;
CREATE TABLE IF NOT EXISTS ai_feedback (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), ai_usage_log_id uuid REFERENCES ai_usage_logs (id),
  feedback_type text NOT NULL CHECK (feedback_type IN ('thumbs_up', 'thumbs_down', 'report', 'detailed')));
CREATE TABLE IF NOT EXISTS daily_usage_quotas (user_id text, usage_date date, cost_usd numeric, UNIQUE (user_id, usage_date));
DROP VIEW IF EXISTS beta_daily_metrics;
CREATE VIEW beta_daily_metrics WITH (security_invoker = true) AS SELECT ("timestamp" AT TIME ZONE 'UTC')::date AS metric_date, count(*) AS n FROM ai_usage_logs GROUP BY 1;
CREATE OR REPLACE FUNCTION keep_quota() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO daily_usage_quotas VALUES (NEW.user_id, (NEW."timestamp" AT TIME ZONE 'UTC')::date, NEW.cost_usd)
  ON CONFLICT (user_id, usage_date) DO UPDATE SET cost_usd = daily_usage_quotas.cost_usd + EXCLUDED.cost_usd;
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS quota ON ai_usage_logs;
CREATE TRIGGER quota AFTER INSERT ON ai_usage_logs FOR EACH ROW EXECUTE FUNCTION keep_quota();
INSERT INTO ai_usage_logs (user_id, cost_usd) VALUES ('user_123', 0.01), ('user_123', NULL);
--- beta-rollback: deployed
DROP TRIGGER IF EXISTS usage_keeps_quota ON ai_usage_logs;
DROP VIEW IF EXISTS beta_daily_metrics, beta_user_engagement, beta_feedback_analysis;
DROP TABLE IF EXISTS ai_feedback, daily_usage_quotas, ai_usage_logs, user_tier_limits CASCADE;
DROP FUNCTION IF EXISTS keep_quota(), get_user_tier_info(uuid);
DROP TYPE IF EXISTS feedback_kind;
ALTER TABLE users DROP COLUMN IF EXISTS is_premium, DROP COLUMN IF EXISTS tier_expires_at, DROP COLUMN IF EXISTS daily_ai_usage;
--- beta-reset-function: deployed
CREATE OR REPLACE FUNCTION reset_daily_usage_counters() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE n integer;
BEGIN
  UPDATE users SET daily_ai_usage = 0, daily_usage_reset_at = now() WHERE daily_usage_reset_at IS NULL OR daily_usage_reset_at < now() - interval '1 day';
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
SELECT reset_daily_usage_counters();
--- beta-fan-out-view: deployed
CREATE OR REPLACE VIEW beta_costs AS SELECT u.id, sum(l.cost_usd) AS cost FROM users u
  LEFT JOIN journal_entries j ON j.user_id = u.id LEFT JOIN ai_usage_logs l ON l.user_id = u.id GROUP BY u.id;
--- beta-demotes-premium: deployed
UPDATE users SET is_premium = false, tier_expires_at = NULL;
--- beta-null-cost: deployed
ALTER TABLE ai_usage_logs ALTER cost_usd DROP NOT NULL;
ALTER TABLE daily_usage_quotas ALTER cost_usd DROP NOT NULL;
INSERT INTO ai_usage_logs (user_id, model_used, cost_usd) SELECT id, 'm', NULL FROM users LIMIT 1;
--- beta-summaries-with-uuid-owner: uuid
CREATE TABLE IF NOT EXISTS journal_summaries (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES users (id),
  summary text NOT NULL, covers daterange NOT NULL DEFAULT 'empty');
INSERT INTO journal_summaries (user_id, summary) SELECT user_id, count(*) || ' entries' FROM journal_entries GROUP BY user_id;
--- beta-function-fails-only-when-called: half
CREATE OR REPLACE FUNCTION tier_of(who text) RETURNS TABLE (tier text, since date) LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY SELECT l.tier_name, now() FROM user_tier_limits l; END $$;
GRANT EXECUTE ON FUNCTION tier_of(text) TO authenticated;
--- beta-schema-version-table: varchar, deployed
CREATE TABLE IF NOT EXISTS schema_versions (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now(), by_whom name DEFAULT current_user);
INSERT INTO schema_versions (version) VALUES ('2026.03-beta') ON CONFLICT (version) DO UPDATE SET applied_at = now();
