CREATE TABLE journal_entries (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id :user_id NOT NULL, content text NOT NULL,
  mood_level integer, energy_level integer, stress_level integer, sleep_hours numeric(4, 2), tags text[] DEFAULT '{}',
  ai_insights jsonb, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz);
CREATE INDEX journal_entries_user_created ON journal_entries (user_id, created_at DESC);
CREATE TABLE ai_analyses (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), journal_entry_id uuid REFERENCES journal_entries (id), summary text,
  score numeric(3, 2), model varchar(40), created_at timestamptz DEFAULT now());
CREATE VIEW mood_by_user AS
  SELECT user_id, avg(mood_level)::numeric(4, 2) AS mood, count(*) AS entries FROM journal_entries GROUP BY user_id;
CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE FUNCTION entry_count(who :user_id) RETURNS integer LANGUAGE sql STABLE AS
  $$ SELECT count(*)::integer FROM journal_entries WHERE user_id = who $$;
COMMENT ON TABLE journal_entries IS 'What people wrote';
GRANT SELECT ON journal_entries, users TO authenticated;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY users_read_self ON users FOR SELECT TO authenticated USING (id = auth.uid());
