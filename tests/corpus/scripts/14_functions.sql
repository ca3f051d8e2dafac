--- sql-function: varchar, uuid, empty
CREATE OR REPLACE FUNCTION average_mood(since timestamptz DEFAULT '-infinity') RETURNS numeric LANGUAGE sql STABLE AS
$$ SELECT avg(mood_level) FROM journal_entries WHERE created_at >= since; $$;
SELECT average_mood(), average_mood(since => now());
--- begin-atomic: varchar, uuid
CREATE OR REPLACE FUNCTION busiest(how_many int) RETURNS TABLE (who text, entries bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT user_id::text, count(*) FROM journal_entries GROUP BY 1 ORDER BY 2 DESC LIMIT how_many;
END;
SELECT * FROM busiest(3);
--- begin-atomic-with-case: empty, plain
CREATE OR REPLACE PROCEDURE public.note_it(what text) LANGUAGE sql
BEGIN ATOMIC
  SELECT CASE WHEN what = 'end' THEN 1 ELSE CASE what WHEN ';' THEN 2 END END;
  SELECT 2;
END;
CALL public.note_it('end');
--- return-expression: plain
CREATE FUNCTION shop.gross(net numeric) RETURNS numeric IMMUTABLE LANGUAGE sql RETURN net + shop.tax(net);
SELECT shop.gross(100);
--- plpgsql-loops: varchar
CREATE OR REPLACE FUNCTION spread() RETURNS int LANGUAGE plpgsql AS $body$
DECLARE
  one record;
  total int := 0;
BEGIN
  <<outer>>
  FOR one IN SELECT * FROM journal_entries ORDER BY id LOOP
    CONTINUE outer WHEN one.mood_level IS NULL;
    total := total + one.mood_level;
    EXIT outer WHEN total > 100;
  END LOOP;
  FOR i IN REVERSE 3..1 LOOP total := total - i; END LOOP;
  WHILE total > 90 LOOP total := total - 1; END LOOP;
  RETURN total;
END $body$;
SELECT spread();
--- plpgsql-catches-errors: varchar, deployed
CREATE OR REPLACE FUNCTION tolerant(text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN $1::uuid;
EXCEPTION WHEN invalid_text_representation THEN
  RETURN NULL;
END $$;
DO $$ BEGIN ASSERT tolerant('user_123') IS NULL, 'must be tolerant'; END $$;
--- body-checked-only-when-called: varchar, empty
CREATE FUNCTION broken_inside() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM table_that_is_not); END $$;
--- check-function-bodies-off: empty
SET LOCAL check_function_bodies = off;
CREATE FUNCTION later_table_count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM later_table';
CREATE TABLE later_table (id int);
SELECT later_table_count();
--- drop-and-create-function: half
DROP FUNCTION IF EXISTS get_user_tier_info(varchar);
DROP FUNCTION IF EXISTS get_user_tier_info(uuid);
CREATE FUNCTION get_user_tier_info(who uuid) RETURNS TABLE (tier text, daily_limit integer, depth integer) LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  RETURN QUERY SELECT l.tier_name::text, l.daily_ai_limit, l.context_depth FROM user_tier_limits l
    WHERE l.tier_name = (SELECT CASE WHEN u.is_premium THEN 'premium' ELSE 'free' END FROM users u WHERE u.id = who);
END $$;
REVOKE EXECUTE ON FUNCTION get_user_tier_info(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_user_tier_info TO authenticated;
SELECT * FROM get_user_tier_info((SELECT id FROM users LIMIT 1));
--- same-return-type-replaced: half, deployed
CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS
'BEGIN NEW.updated_at = pg_catalog.clock_timestamp(); RETURN NEW; END';
UPDATE users SET name = 'X' WHERE name IS NOT NULL;
--- overloads: uuid
CREATE FUNCTION label(int) RETURNS text LANGUAGE sql AS $$ SELECT 'int' $$;
CREATE FUNCTION label(text) RETURNS text LANGUAGE sql AS $$ SELECT 'text' $$;
SELECT label(1), label('1'::text), label('1');
--- variadic-and-polymorphic: plain
CREATE FUNCTION shop.first_of(VARIADIC many anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1[1]';
SELECT shop.first_of(1, 2, 3), shop.first_of(VARIADIC ARRAY['a', 'b']);
--- set-returning: uuid
CREATE FUNCTION entries_of(text) RETURNS SETOF journal_entries ROWS 20 LANGUAGE sql STABLE AS
$q$ SELECT * FROM journal_entries WHERE user_id::text = $1 $q$;
CREATE FUNCTION walk(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN FOR a IN 1..3 LOOP b := repeat('*', a); RETURN NEXT; END LOOP; END $$;
SELECT count(*) FROM entries_of('00000000-0000-4000-8000-000000000002'), walk();
--- nested-dollar-quotes: varchar, plain
CREATE FUNCTION maker() RETURNS void LANGUAGE plpgsql AS $outer$
BEGIN
  EXECUTE $inner$ CREATE OR REPLACE FUNCTION made() RETURNS text LANGUAGE sql AS $x$ SELECT 'it''s $y$; made' $x$ $inner$;
END $outer$;
SELECT maker();
SELECT made();
--- escape-strings: varchar
CREATE FUNCTION odd_text() RETURNS text LANGUAGE sql AS E'SELECT \'a\\\\b; -- no comment\'::text';
SELECT odd_text(), 'back\slash', E'quote\'s', U&'\00e4', B'101', X'1F';
--- procedure-called: plain
CALL shop.close_order(3);
CREATE OR REPLACE PROCEDURE shop.close_many(VARIADIC ids bigint[]) LANGUAGE plpgsql AS $$
DECLARE i bigint; BEGIN FOREACH i IN ARRAY ids LOOP CALL shop.close_order(i); END LOOP; END $$;
CALL shop.close_many(4, 5, 6);
--- procedure-with-out: plain
CREATE PROCEDURE shop.count_orders(IN of_status shop.state, OUT n bigint) LANGUAGE plpgsql AS
$$ BEGIN SELECT count(*) INTO n FROM shop.orders WHERE status = of_status; END $$;
CALL shop.count_orders('paid', NULL);
--- aggregate-and-operator: plain
CREATE AGGREGATE shop.longest (text) (SFUNC = text_larger, STYPE = text, SORTOP = >);
CREATE FUNCTION shop.near(numeric, numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 1';
CREATE OPERATOR shop.=~= (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = shop.near, COMMUTATOR = OPERATOR(shop.=~=));
SELECT shop.longest(sku), 1.5 OPERATOR(shop.=~=) 2.0 FROM shop.lines;
--- cast-created: plain
CREATE FUNCTION shop.town_of(shop.address) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.town';
SELECT count(*) FROM shop.customers WHERE shop.town_of(home) = 'Town1' OR (home).street = 'Street 9';
--- alter-function: varchar, deployed
ALTER FUNCTION touch_updated_at() SET search_path = '';
ALTER FUNCTION touch_updated_at() COST 5 SECURITY DEFINER;
ALTER FUNCTION touch_updated_at() RENAME TO set_updated_at;
--- default-arguments-added: varchar
DROP FUNCTION entry_count(varchar);
CREATE FUNCTION entry_count(who varchar, since date DEFAULT '2020-01-01') RETURNS integer LANGUAGE sql STABLE AS
$$ SELECT count(*)::int FROM journal_entries WHERE user_id = who AND created_at >= since $$;
SELECT entry_count('user_123'), entry_count(who => 'user_123', since => '2026-02-10');
--- cursors-and-diagnostics: uuid
CREATE FUNCTION by_cursor() RETURNS int LANGUAGE plpgsql AS $$
DECLARE c CURSOR (least int) FOR SELECT id FROM journal_entries WHERE mood_level >= least FOR UPDATE; n int; touched int;
BEGIN
  OPEN c(9); LOOP MOVE NEXT FROM c; EXIT WHEN NOT FOUND; UPDATE journal_entries SET energy_level = 1 WHERE CURRENT OF c; END LOOP;
  GET DIAGNOSTICS touched = ROW_COUNT; CLOSE c; RETURN touched;
END $$;
SELECT by_cursor();
