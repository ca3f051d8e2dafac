CREATE TABLE user_tier_limits (
  id serial PRIMARY KEY, tier_name varchar(50) UNIQUE NOT NULL, daily_ai_limit integer NOT NULL,
  context_depth integer NOT NULL, summary_access boolean NOT NULL DEFAULT false, max_tokens_per_request integer NOT NULL);
INSERT INTO user_tier_limits (tier_name, daily_ai_limit, context_depth, summary_access, max_tokens_per_request) VALUES
  ('free', 5, 3, false, 500), ('beta', 20, 5, true, 800), ('premium', 50, 7, true, 1200);
ALTER TABLE users ADD COLUMN is_premium boolean NOT NULL DEFAULT false, ADD COLUMN tier_expires_at timestamptz;
