--- merge-insert-and-update: half, deployed
MERGE INTO user_tier_limits t USING (VALUES ('free', 6), ('gold', 99)) AS s (name, lim) ON t.tier_name = s.name
WHEN MATCHED THEN UPDATE SET daily_ai_limit = s.lim
WHEN NOT MATCHED THEN INSERT (tier_name, daily_ai_limit, context_depth, max_tokens_per_request) VALUES (s.name, s.lim, 1, 100);
--- merge-delete: varchar
MERGE INTO checkins c USING users u ON u.id = c.user_id WHEN MATCHED AND NOT u.is_active THEN DELETE WHEN MATCHED THEN DO NOTHING;
--- merge-do-nothing: uuid
MERGE INTO users u USING (SELECT DISTINCT user_id FROM journal_entries) j ON j.user_id = u.id WHEN MATCHED THEN DO NOTHING;
--- merge-conditions-in-order: varchar
MERGE INTO journal_entries e USING (SELECT 5 AS m) s ON e.mood_level = s.m
WHEN MATCHED AND e.energy_level > 5 THEN UPDATE SET stress_level = 1
WHEN MATCHED AND e.stress_level IS NULL AND e.mood_level > 11 THEN DELETE
WHEN MATCHED THEN UPDATE SET stress_level = DEFAULT;
--- merge-from-cte: plain
WITH src AS (SELECT id, total FROM shop.orders WHERE total > 100)
MERGE INTO shop.orders o USING src ON src.id = o.id WHEN MATCHED THEN UPDATE SET note = 'big', total = src.total * 2;
--- merge-into-partitioned: plain
MERGE INTO shop.events e USING (VALUES (timestamptz '2026-01-10 06:00+00', 'k9'), ('2026-02-20 01:00+00', 'kx')) AS s (at, kind) ON e.at = s.at
WHEN MATCHED THEN UPDATE SET kind = s.kind WHEN NOT MATCHED THEN INSERT VALUES (s.at, s.kind, '{}');
--- merge-moves-between-partitions: plain
MERGE INTO shop.events e USING (SELECT 1) s ON e.at < '2026-01-11 00:00+00' WHEN MATCHED THEN UPDATE SET at = '2026-02-02 00:00+00';
--- merge-only-parent: plain
MERGE INTO ONLY shop.assets a USING (VALUES (1, 'table'), (2, 'bus')) AS s (id, name) ON s.id = a.id
WHEN MATCHED THEN UPDATE SET name = s.name;
--- merge-default-values: plain !null-value
MERGE INTO shop.lines l USING (SELECT max(id) AS id FROM shop.orders) o ON l.order_id = o.id AND l.line_no = 3
WHEN NOT MATCHED THEN INSERT (order_id, line_no, sku, quantity, price) VALUES (o.id, 3, 'NEW', 1, DEFAULT);
--- merge-overriding: deployed
MERGE INTO ai_usage_logs l USING (SELECT id FROM users ORDER BY id LIMIT 1) u ON l.id = 9000
WHEN NOT MATCHED THEN INSERT (id, user_id, model_used) OVERRIDING SYSTEM VALUE VALUES (9000, u.id, 'merged');
--- merge-fires-triggers: deployed
MERGE INTO ai_usage_logs l USING (SELECT id, row_number() OVER (ORDER BY id) AS n FROM users) u ON l.user_id = u.id AND l.cost_usd > 1000
WHEN NOT MATCHED AND u.n <= 3 THEN INSERT (user_id, model_used, cost_usd) VALUES (u.id, 'm', 0.5);
DO $$ BEGIN ASSERT (SELECT sum(requests) FROM daily_usage_quotas) >= 153, 'quotas'; END $$;
--- merge-in-function: uuid
CREATE OR REPLACE FUNCTION sync_names() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  MERGE INTO users u USING (SELECT user_id, count(*) n FROM journal_entries GROUP BY 1) j ON j.user_id = u.id
  WHEN MATCHED AND j.n > 4 THEN UPDATE SET name = 'writer of ' || j.n;
END $$;
SELECT sync_names();
--- merge-in-do-with-variables: varchar
DO $$
DECLARE floor_mood int := 2; n int;
BEGIN
  MERGE INTO checkins c USING generate_series(1, 10) AS g (m) ON c.mood = g.m AND g.m <= floor_mood WHEN MATCHED THEN DELETE;
  GET DIAGNOSTICS n = ROW_COUNT;
  RAISE NOTICE '% gone', n;
END $$;
--- merge-dynamic: varchar
DO $$ BEGIN
  EXECUTE format('MERGE INTO %I t USING (SELECT %L::uuid AS id) s ON s.id = t.id WHEN NOT MATCHED THEN INSERT (id, email) VALUES (s.id, %L)',
    'users', '30000000-0000-4000-8000-000000000001', 'merged@example.net');
END $$;
--- merge-begin-atomic: uuid
CREATE FUNCTION close_old(before timestamptz) RETURNS void LANGUAGE sql
BEGIN ATOMIC
  MERGE INTO journal_entries e USING (SELECT 1 AS one) s ON e.created_at < before WHEN MATCHED THEN UPDATE SET updated_at = before;
END;
SELECT close_old('2026-02-05');
--- merge-not-matched-by-source: varchar
MERGE INTO checkins c USING (SELECT id FROM users WHERE is_active) u ON u.id = c.user_id
WHEN NOT MATCHED BY SOURCE THEN DELETE
WHEN NOT MATCHED BY TARGET THEN INSERT (user_id, mood) VALUES (u.id, 5);
--- merge-returning: varchar
WITH done AS (
  MERGE INTO users u USING (VALUES ('m3@x.io'), ('new.face@x.io')) AS s (email) ON u.email = s.email
  WHEN MATCHED THEN UPDATE SET name = 'known' WHEN NOT MATCHED THEN INSERT (email) VALUES (s.email)
  RETURNING merge_action() AS act, u.id
) SELECT act, count(*) FROM done GROUP BY act;
--- merge-through-view: plain
CREATE VIEW shop.names AS SELECT id, name FROM shop.assets;
MERGE INTO shop.names n USING (VALUES (1, 'chair'), (77, 'lamp')) AS s (id, name) ON s.id = n.id
WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name);
