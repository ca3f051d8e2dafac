INSERT INTO users (email) VALUES ('Anna.Berg@Example.com'), ('anna.berg@example.com');
CREATE TABLE ai_usage_logs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id varchar(255) NOT NULL, prompt_tokens integer,
  response_tokens integer, total_tokens integer, model_used varchar(100), cost_usd numeric(10, 6),
  confidence_score numeric(3, 2) CHECK (confidence_score BETWEEN 0 AND 1), success boolean DEFAULT true,
  "timestamp" timestamptz DEFAULT now());
CREATE VIEW beta_daily_metrics AS
  SELECT ("timestamp" AT TIME ZONE 'UTC')::date AS metric_date, count(*)::integer AS total_ai_interactions
  FROM ai_usage_logs GROUP BY 1;
CREATE FUNCTION get_user_tier_info(who varchar) RETURNS TABLE (tier varchar, daily_limit integer) LANGUAGE sql STABLE AS
  $$ SELECT tier_name, daily_ai_limit FROM user_tier_limits WHERE tier_name = 'free' AND who IS NOT NULL $$;
ALTER TABLE journal_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Users can view own entries" ON journal_entries FOR SELECT USING (user_id = auth.uid()::text);
