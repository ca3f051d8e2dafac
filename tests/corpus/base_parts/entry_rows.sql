INSERT INTO journal_entries (id, user_id, content, mood_level, energy_level, stress_level, sleep_hours, tags,
                             ai_insights, created_at)
  SELECT ('10000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, :whose,
         'Today was a long and rather hard day at work, number ' || i, i % 10 + 1, (i * 3) % 10 + 1,
         CASE WHEN i % 13 = 0 THEN NULL ELSE (i * 7) % 10 + 1 END, (i % 9) + 0.5, ARRAY['work', 'tag' || i % 4],
         jsonb_build_object('score', i % 5, 'kind', 'daily'), timestamptz '2026-02-01 09:00+00' + i * interval '3 hours'
  FROM generate_series(1, 200) i;
INSERT INTO ai_analyses (journal_entry_id, summary, score, model)
  SELECT id, 'ok', (mood_level % 10) / 10.0, 'gpt-3.5-turbo' FROM journal_entries WHERE mood_level > 3;
ALTER TABLE ai_analyses ADD CONSTRAINT newer_model CHECK (model <> 'gpt-3.5-turbo') NOT VALID;
