--- own-begin-commit: varchar, uuid, half
BEGIN;
ALTER TABLE users ADD COLUMN IF NOT EXISTS nickname text;
CREATE TABLE IF NOT EXISTS in_own_transaction (id int);
COMMIT;
--- own-start-transaction-and-end: empty
START TRANSACTION ISOLATION LEVEL READ COMMITTED;
CREATE TABLE a (id int);
END;
--- two-own-transactions: varchar
BEGIN;
CREATE TABLE first_half (id int);
COMMIT;
BEGIN WORK;
CREATE TABLE second_half (id int);
INSERT INTO second_half VALUES (1);
COMMIT AND NO CHAIN;
--- own-savepoints: uuid
SAVEPOINT before_it;
CREATE TABLE undone (id int);
ROLLBACK TO SAVEPOINT before_it;
RELEASE before_it;
CREATE TABLE IF NOT EXISTS kept (id int);
DO $$ BEGIN IF to_regclass('undone') IS NOT NULL THEN RAISE EXCEPTION 'not undone'; END IF; END $$;
--- savepoint-after-work: varchar
UPDATE users SET name = 'kept';
SAVEPOINT one;
DELETE FROM checkins;
ROLLBACK TO one;
DO $$ BEGIN IF (SELECT count(*) FROM checkins) <> 120 THEN RAISE EXCEPTION 'lost'; END IF; END $$;
--- set-constraints-immediate: plain
SET CONSTRAINTS shop.lines_order_id_fkey DEFERRED;
INSERT INTO shop.lines (order_id, line_no, sku, quantity, price) VALUES (901, 1, 'X', 1, 1);
INSERT INTO shop.orders (id, customer_id, placed_on) VALUES (901, 1, '2026-01-01');
SET CONSTRAINTS ALL IMMEDIATE;
--- index-concurrently: varchar, uuid
/*apart*/CREATE INDEX CONCURRENTLY IF NOT EXISTS entries_mood ON journal_entries (mood_level);/*together*/
COMMENT ON INDEX entries_mood IS 'made beside the traffic';
--- index-concurrently-between: deployed
ALTER TABLE ai_usage_logs ADD COLUMN IF NOT EXISTS session text;
/*apart*/CREATE INDEX CONCURRENTLY IF NOT EXISTS usage_session ON ai_usage_logs (session);/*together*/
UPDATE ai_usage_logs SET session = 's' || id;
--- drop-index-concurrently: varchar
/*apart*/DROP INDEX CONCURRENTLY IF EXISTS checkins_user_id_idx;/*together*/
--- two-apart: varchar
CREATE TABLE IF NOT EXISTS apart_notes (id int);
/*apart*/VACUUM (ANALYZE) journal_entries;/*together*/
INSERT INTO apart_notes VALUES (1);
/*apart*/REINDEX TABLE CONCURRENTLY checkins;/*together*/
INSERT INTO apart_notes VALUES (2);
--- vacuum-full-alone: uuid
/*apart*/VACUUM FULL checkins;/*together*/
--- reindex-partitioned: plain
/*apart*/REINDEX TABLE shop.events;/*together*/
--- detach-concurrently: plain
/*apart*/ALTER TABLE shop.events DETACH PARTITION shop.events_2026_02 CONCURRENTLY;/*together*/
--- unique-concurrently: deployed
/*apart*/CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_feedback ON ai_feedback (user_id, ai_usage_log_id);/*together*/
ALTER TABLE ai_feedback ADD CONSTRAINT one_feedback UNIQUE USING INDEX one_feedback;
--- create-database-apart: varchar [alone]
/*apart*/CREATE DATABASE side_by_side;/*together*/
SELECT 1;
--- role-created: varchar [alone]
CREATE ROLE reporting_reader NOLOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reporting_reader;
--- role-created-guarded: uuid [alone]
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'report_reader') THEN CREATE ROLE report_reader NOLOGIN; END IF; END $$;
GRANT report_reader TO authenticator;
--- role-then-two-apart: varchar [alone]
CREATE ROLE night_worker NOLOGIN;
/*apart*/VACUUM users;/*together*/
GRANT SELECT ON users TO night_worker;
/*apart*/VACUUM checkins;/*together*/
--- discard-and-checkpoints-inside: varchar
DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP;
LISTEN changes; NOTIFY changes, 'x'; UNLISTEN *;
--- transaction-read-write: varchar
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE;
CREATE TABLE serial_note (id int);
