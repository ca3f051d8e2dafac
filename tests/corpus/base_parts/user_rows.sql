INSERT INTO users (id, email, name, created_at, is_active)
  SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid,
         CASE WHEN i % 3 = 0 THEN 'm' || i || '@x.io' ELSE 'the.member' || i || '@mail.org' END,
         CASE WHEN i % 9 = 0 THEN NULL ELSE 'Member ' || i END,
         timestamptz '2026-01-01 08:00+00' + i * interval '1 day', i % 11 <> 0
  FROM generate_series(1, 40) i;
INSERT INTO checkins (user_id, mood, checked_at)
  SELECT ('00000000-0000-4000-8000-' || lpad((i % 40 + 1)::text, 12, '0'))::uuid, i % 10 + 1,
         timestamptz '2026-02-01 08:00+00' + i * interval '1 hour'
  FROM generate_series(1, 120) i;
