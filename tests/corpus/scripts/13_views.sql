--- create-view: varchar, uuid, empty
CREATE VIEW recent_entries AS SELECT id, user_id, created_at FROM journal_entries WHERE created_at > now() - interval '7 days';
--- create-or-replace-view-adds-a-column: varchar, uuid
CREATE OR REPLACE VIEW mood_by_user AS
  SELECT user_id, avg(mood_level)::numeric(4, 2) AS mood, count(*) AS entries, max(created_at) AS latest
  FROM journal_entries GROUP BY user_id;
--- drop-and-create-view: varchar, half
DROP VIEW IF EXISTS mood_by_user;
CREATE VIEW mood_by_user AS SELECT user_id::text AS user_id, avg(mood_level) AS mood FROM journal_entries GROUP BY 1;
GRANT SELECT ON mood_by_user TO authenticated;
--- security-invoker: varchar, deployed
CREATE OR REPLACE VIEW my_entries WITH (security_invoker = true, security_barrier) AS
  SELECT id, content, created_at FROM journal_entries WHERE user_id::text = auth.uid()::text;
ALTER VIEW mood_by_user SET (security_invoker = on);
--- beta-daily-metrics: half
DROP VIEW IF EXISTS beta_daily_metrics;
CREATE VIEW beta_daily_metrics AS
SELECT
  date_trunc('day', "timestamp")::date AS metric_date,
  count(DISTINCT user_id)              AS daily_active_users,
  count(*)                             AS total_ai_interactions,
  avg(total_tokens)                    AS avg_tokens_per_interaction,
  sum(cost_usd)                        AS total_daily_cost,
  avg(confidence_score)                AS avg_confidence_score,
  count(*) FILTER (WHERE NOT success)  AS error_count
FROM ai_usage_logs
GROUP BY 1
ORDER BY 1 DESC;
--- view-with-window-and-cte: uuid
CREATE VIEW streaks AS
WITH days AS (SELECT DISTINCT user_id, (created_at AT TIME ZONE 'UTC')::date AS day FROM journal_entries),
     runs AS (SELECT user_id, day, day - (row_number() OVER (PARTITION BY user_id ORDER BY day))::int AS run FROM days)
SELECT user_id, min(day) AS since, count(*) AS length FROM runs GROUP BY user_id, run;
--- recursive-view: plain
CREATE RECURSIVE VIEW shop.ancestry (id, parent_id, depth) AS
  SELECT id, parent_id, 0 FROM shop.customers WHERE parent_id IS NULL
  UNION ALL SELECT c.id, c.parent_id, a.depth + 1 FROM shop.customers c JOIN ancestry a ON a.id = c.parent_id;
SELECT max(depth) FROM shop.ancestry;
--- lateral-and-grouping-sets: plain
CREATE VIEW shop.revenue AS
  SELECT status, placed_on, sum(total) AS total, grouping(status, placed_on) AS level
  FROM shop.orders GROUP BY GROUPING SETS ((status), (placed_on), ());
CREATE VIEW shop.first_line AS
  SELECT o.id, l.sku FROM shop.orders o CROSS JOIN LATERAL (SELECT sku FROM shop.lines WHERE order_id = o.id ORDER BY line_no LIMIT 1) l;
--- materialized-view: varchar, deployed
CREATE MATERIALIZED VIEW daily_moods AS
  SELECT (created_at AT TIME ZONE 'UTC')::date AS day, avg(mood_level) AS mood FROM journal_entries GROUP BY 1;
CREATE UNIQUE INDEX ON daily_moods (day);
REFRESH MATERIALIZED VIEW CONCURRENTLY daily_moods;
--- materialized-view-without-data: uuid
CREATE MATERIALIZED VIEW later AS SELECT count(*) AS n FROM journal_entries WITH NO DATA;
COMMENT ON MATERIALIZED VIEW later IS 'filled by night';
REFRESH MATERIALIZED VIEW later;
--- refresh-materialized-view: plain
INSERT INTO shop.orders (customer_id, total, placed_on) VALUES (1, 5, current_date);
REFRESH MATERIALIZED VIEW shop.totals;
REFRESH MATERIALIZED VIEW CONCURRENTLY shop.totals;
--- materialized-view-renamed: plain
ALTER MATERIALIZED VIEW shop.totals RENAME COLUMN total TO sum_total;
ALTER MATERIALIZED VIEW shop.totals RENAME TO customer_totals;
--- insert-through-view: plain
ALTER TABLE shop.orders ALTER placed_on SET DEFAULT '2026-01-01';
INSERT INTO shop.open_orders (id, customer_id, total) VALUES (777, 3, 60);
UPDATE shop.big_orders SET total = total + 1 WHERE id = 777;
DELETE FROM shop.open_orders WHERE id = 777;
--- view-renamed-columns: varchar
ALTER VIEW mood_by_user RENAME COLUMN mood TO average_mood;
ALTER VIEW mood_by_user RENAME TO moods;
CREATE VIEW mood_by_user AS SELECT user_id, average_mood AS mood FROM moods;
--- view-of-json: varchar
CREATE VIEW insight_kinds AS SELECT id, ai_insights ->> 'kind' AS kind, (ai_insights -> 'score')::int AS score FROM journal_entries;
SELECT kind, sum(score) FROM insight_kinds GROUP BY kind;
--- view-chain: uuid
CREATE VIEW a AS SELECT id, user_id, mood_level AS m FROM journal_entries; CREATE VIEW b AS SELECT user_id, sum(m) AS s FROM a GROUP BY 1;
CREATE VIEW c AS SELECT u.email, b.s FROM users u LEFT JOIN b ON b.user_id = u.id;
--- join-with-cast: varchar
CREATE VIEW entries_of_members AS
  SELECT u.email, count(j.id) AS entries FROM users u LEFT JOIN journal_entries j ON j.user_id = u.id::text GROUP BY u.email;
SELECT * FROM entries_of_members;
--- instead-of-trigger: uuid
CREATE VIEW editable AS SELECT id, email FROM users;
CREATE FUNCTION edit_editable() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF TG_OP = 'INSERT' THEN INSERT INTO users (email) VALUES (NEW.email) RETURNING id INTO NEW.id; END IF;
  RETURN NEW;
END $f$;
CREATE TRIGGER editable_edit INSTEAD OF INSERT OR UPDATE ON editable FOR EACH ROW EXECUTE FUNCTION edit_editable();
INSERT INTO editable (email) VALUES ('fresh.one@example.net') RETURNING id;
