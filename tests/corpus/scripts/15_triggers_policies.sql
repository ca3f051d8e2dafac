--- trigger-after-insert: varchar, uuid
CREATE TABLE audit_log (id bigserial PRIMARY KEY, what text, at timestamptz DEFAULT now());
CREATE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit_log (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER checkins_audit AFTER INSERT OR UPDATE OR DELETE ON checkins FOR EACH ROW EXECUTE FUNCTION write_audit();
UPDATE checkins SET note = 'seen' WHERE mood = 3;
DO $$ BEGIN IF (SELECT count(*) FROM audit_log) <> 12 THEN RAISE EXCEPTION 'audited %', (SELECT count(*) FROM audit_log); END IF; END $$;
--- trigger-with-transition-tables: varchar
CREATE FUNCTION after_many() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE NOTICE '% rows', (SELECT count(*) FROM fresh); RETURN NULL; END $$;
CREATE TRIGGER many AFTER INSERT ON checkins REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION after_many();
INSERT INTO checkins (user_id, mood) SELECT id, 1 FROM users;
--- trigger-when-and-of: uuid
CREATE FUNCTION stop_mail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'mail is fixed'; END $$;
CREATE TRIGGER mail_fixed BEFORE UPDATE OF email ON users FOR EACH ROW WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION stop_mail();
UPDATE users SET email = email, name = 'same';
--- or-replace-trigger: varchar, deployed
CREATE OR REPLACE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW WHEN (NEW.name IS NOT NULL) EXECUTE FUNCTION touch_updated_at();
ALTER TRIGGER users_touch ON users RENAME TO users_stamp;
--- drop-and-create-trigger: varchar, half, deployed
DROP TRIGGER IF EXISTS users_touch ON users;
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE PROCEDURE touch_updated_at();
--- disable-and-enable-trigger: deployed
ALTER TABLE ai_usage_logs DISABLE TRIGGER usage_keeps_quota;
INSERT INTO ai_usage_logs (user_id, model_used) SELECT id, 'gpt-4o' FROM users LIMIT 1;
ALTER TABLE ai_usage_logs ENABLE ALWAYS TRIGGER usage_keeps_quota;
--- insert-fires-quota: deployed
INSERT INTO ai_usage_logs (user_id, prompt_tokens, model_used, cost_usd, "timestamp")
  SELECT id, 10, 'm', 0.1, '2026-05-01 12:00+00' FROM users ORDER BY id LIMIT 5;
DO $$ BEGIN
  ASSERT (SELECT count(*) FROM daily_usage_quotas WHERE usage_date = '2026-05-01') = 5, 'quota rows';
END $$;
--- constraint-trigger-that-holds: varchar
CREATE FUNCTION needs_mood() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF (SELECT mood FROM checkins WHERE id = NEW.id) IS NULL THEN RAISE EXCEPTION 'no mood'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER mood_later AFTER INSERT ON checkins DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION needs_mood();
INSERT INTO checkins (user_id) SELECT id FROM users LIMIT 1;
UPDATE checkins SET mood = 4 WHERE mood IS NULL;
--- trigger-on-auth-users: varchar, uuid
CREATE OR REPLACE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  INSERT INTO public.users (id, email) VALUES (NEW.id, NEW.email) ON CONFLICT DO NOTHING;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.handle_new_user();
INSERT INTO auth.users (id, email) VALUES ('20000000-0000-4000-8000-000000000001', 'signs.up@example.com') ON CONFLICT DO NOTHING;
--- event-trigger-is-there: varchar
CREATE TABLE seen_by_watch (id int);
DROP TABLE seen_by_watch;
NOTIFY pgrst, 'reload schema';
--- enable-rls-with-policies: varchar, uuid, empty
ALTER TABLE journal_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Users can view own entries" ON journal_entries FOR SELECT TO authenticated USING (user_id::text = auth.uid()::text);
CREATE POLICY "Users can insert own entries" ON journal_entries FOR INSERT TO authenticated WITH CHECK (user_id::text = (SELECT auth.uid())::text);
CREATE POLICY "Service role has full access" ON journal_entries TO service_role USING (true) WITH CHECK (true);
--- drop-and-create-policy: half, deployed
ALTER TABLE journal_entries ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS "Users can view own entries" ON journal_entries;
CREATE POLICY "Users can view own entries" ON journal_entries AS PERMISSIVE FOR SELECT TO authenticated USING (auth.uid()::text = user_id::text);
--- guarded-policy: half, varchar
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_policies WHERE schemaname = 'public' AND tablename = 'journal_entries' AND policyname = 'Users can view own entries') THEN
    CREATE POLICY "Users can view own entries" ON journal_entries FOR SELECT USING (user_id = auth.uid()::text);
  END IF;
  BEGIN
    CREATE POLICY own_checkins ON checkins USING (user_id = auth.uid());
  EXCEPTION WHEN duplicate_object THEN
    RAISE NOTICE 'there already';
  END;
END $$;
--- restrictive-policy: deployed
CREATE POLICY no_reports ON ai_feedback AS RESTRICTIVE FOR SELECT TO authenticated USING (feedback_type <> 'report');
ALTER POLICY own_feedback ON ai_feedback RENAME TO own_feedback_only;
ALTER POLICY own_feedback_only ON ai_feedback TO authenticated, service_role WITH CHECK ((SELECT auth.uid()) = user_id);
--- policy-with-subquery: uuid
CREATE POLICY friends ON checkins FOR SELECT USING (EXISTS (SELECT FROM users u WHERE u.id = checkins.user_id AND u.is_active));
ALTER TABLE checkins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE checkins NO FORCE ROW LEVEL SECURITY;
--- as-another-role: varchar
ALTER TABLE checkins ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON checkins TO anon;
SET LOCAL ROLE anon;
DO $$ BEGIN IF EXISTS (SELECT FROM checkins) THEN RAISE EXCEPTION 'anon sees rows'; END IF; END $$;
RESET ROLE;
--- as-a-signed-in-person: uuid
SELECT set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-000000000007", "role": "authenticated"}', true);
SET LOCAL ROLE authenticated;
DO $$ BEGIN ASSERT (SELECT count(*) FROM users) = 1, 'one row only'; END $$;
RESET ROLE;
--- the-owner-bypasses-rls: half
DO $$ BEGIN IF (SELECT count(*) FROM journal_entries) <> 200 THEN RAISE EXCEPTION 'hidden from %', current_user; END IF; END $$;
--- storage-bucket-and-policy: varchar
INSERT INTO storage.buckets (id, name, public) VALUES ('avatars', 'avatars', true) ON CONFLICT (id) DO UPDATE SET public = EXCLUDED.public;
--- revoke-from-public: deployed
REVOKE ALL ON FUNCTION get_user_tier_info(uuid) FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM anon;
GRANT SELECT (id, email) ON users TO anon;
