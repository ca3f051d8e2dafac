-- Proves that a tier, and a user's day, can be there only once; the trigger and the tier rows rely on it.
-- A row names a table without a valid unique index on those columns.
SELECT expected.table_name, expected.columns, 'no valid unique index' AS problem
FROM (VALUES ('user_tier_limits', 'tier_name'), ('daily_usage_quotas', 'user_id, usage_date')) AS expected (table_name, columns)
WHERE NOT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_index AS i
    WHERE i.indrelid = to_regclass('public.' || expected.table_name)
      AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND expected.columns = (
          SELECT string_agg(a.attname, ', ' ORDER BY k.place)
          FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          WHERE k.place <= i.indnkeyatts));
