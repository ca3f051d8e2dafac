ALTER TABLE users ADD COLUMN daily_ai_usage integer NOT NULL DEFAULT 0, ADD COLUMN daily_usage_reset_at timestamptz;
CREATE TYPE feedback_kind AS ENUM ('thumbs_up', 'thumbs_down', 'report', 'detailed');
CREATE TABLE ai_usage_logs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  prompt_tokens integer NOT NULL DEFAULT 0, response_tokens integer NOT NULL DEFAULT 0,
  total_tokens integer GENERATED ALWAYS AS (prompt_tokens + response_tokens) STORED, model_used text NOT NULL,
  cost_usd numeric(10, 6) NOT NULL DEFAULT 0, success boolean NOT NULL DEFAULT true, "timestamp" timestamptz NOT NULL DEFAULT now());
CREATE TABLE ai_feedback (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES users (id),
  ai_usage_log_id bigint REFERENCES ai_usage_logs (id) ON DELETE SET NULL, feedback_type feedback_kind NOT NULL,
  feedback_text text, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE daily_usage_quotas (
  user_id uuid NOT NULL REFERENCES users (id), usage_date date NOT NULL, requests integer NOT NULL DEFAULT 0,
  cost_usd numeric(10, 6) NOT NULL DEFAULT 0, UNIQUE (user_id, usage_date));
CREATE FUNCTION keep_quota() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.daily_usage_quotas (user_id, usage_date, requests, cost_usd)
  VALUES (NEW.user_id, (NEW."timestamp" AT TIME ZONE 'UTC')::date, 1, NEW.cost_usd)
  ON CONFLICT (user_id, usage_date) DO UPDATE
    SET requests = daily_usage_quotas.requests + 1, cost_usd = daily_usage_quotas.cost_usd + EXCLUDED.cost_usd;
  RETURN NULL;
END $$;
CREATE TRIGGER usage_keeps_quota AFTER INSERT ON ai_usage_logs FOR EACH ROW EXECUTE FUNCTION keep_quota();
INSERT INTO ai_usage_logs (user_id, prompt_tokens, response_tokens, model_used, cost_usd, "timestamp")
  SELECT ('00000000-0000-4000-8000-' || lpad((i % 20 + 1)::text, 12, '0'))::uuid, i * 3, i, 'gpt-4o-mini', i / 100000.0,
         timestamptz '2026-03-01 00:00+00' + i * interval '2 hours' FROM generate_series(1, 150) i;
INSERT INTO ai_feedback (user_id, ai_usage_log_id, feedback_type)
  SELECT user_id, id, (enum_range(NULL::feedback_kind))[id % 4 + 1] FROM ai_usage_logs WHERE id % 3 = 0;
CREATE VIEW beta_daily_metrics WITH (security_invoker = true) AS
  SELECT ("timestamp" AT TIME ZONE 'UTC')::date AS metric_date, count(DISTINCT user_id) AS daily_active_users,
         count(*) AS total_ai_interactions, sum(cost_usd) AS total_daily_cost FROM ai_usage_logs GROUP BY 1;
CREATE VIEW beta_user_engagement AS
  SELECT u.id, u.email, count(l.id) AS interactions FROM users u LEFT JOIN ai_usage_logs l ON l.user_id = u.id GROUP BY u.id;
CREATE FUNCTION get_user_tier_info(who uuid) RETURNS TABLE (tier varchar, daily_limit integer) LANGUAGE plpgsql STABLE
  SET search_path = '' AS $$ BEGIN
    RETURN QUERY SELECT l.tier_name, l.daily_ai_limit FROM public.user_tier_limits l JOIN public.users u
      ON l.tier_name = CASE WHEN u.is_premium THEN 'premium' ELSE 'free' END WHERE u.id = who; END $$;
ALTER TABLE ai_usage_logs ENABLE ALWAYS TRIGGER usage_keeps_quota;
ALTER TABLE ai_usage_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE ai_feedback ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_usage ON ai_usage_logs FOR SELECT TO authenticated USING ((SELECT auth.uid()) = user_id);
CREATE POLICY own_feedback ON ai_feedback FOR ALL TO authenticated USING ((SELECT auth.uid()) = user_id);
GRANT SELECT, INSERT ON ai_usage_logs, ai_feedback TO authenticated;
