--- syntax-misspelt: varchar !syntax
CREATE TABLE a (id int);
CREAT TABLE b (id int);
--- syntax-missing-comma: uuid !syntax
CREATE TABLE t (
  id int
  name text
);
SELECT 1;
--- syntax-trailing-comma: varchar !syntax
INSERT INTO users (email) VALUES ('a@b.c'),;
--- syntax-if-not-exists-constraint: varchar !syntax
ALTER TABLE users ADD CONSTRAINT IF NOT EXISTS named CHECK (name <> '');
--- syntax-create-policy-if-not-exists: half !syntax
SELECT 1;
CREATE POLICY IF NOT EXISTS "x" ON journal_entries FOR SELECT USING (true);
--- syntax-unclosed-quote: varchar !syntax
SELECT 1;
INSERT INTO users (email) VALUES ('abc);
SELECT 2;
--- syntax-unclosed-dollar-quote: uuid !syntax
CREATE TABLE t (id int);
DO $$
BEGIN
  PERFORM 1;
END;
SELECT 3;
--- syntax-dollar-tags-differ: varchar !syntax
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ SELECT 1 $BODY$;
SELECT 2;
--- syntax-unclosed-paren: varchar !syntax
SELECT 1;
CREATE TABLE t (id int, name text;
SELECT 2;
DROP TABLE users CASCADE;
--- syntax-unclosed-comment: empty !syntax
SELECT 1;
/* begins here
CREATE TABLE t (id int);
--- syntax-unclosed-name: plain !syntax
SELECT 1; SELECT "id FROM shop.orders;
SELECT 2;
--- syntax-extra-paren: varchar !syntax
SELECT count(*)) FROM users;
SELECT 2;
--- syntax-in-plpgsql: varchar !syntax
CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  IF 1 = 1 THEN
    RETURN 1;
END $$;
--- syntax-in-do: uuid !syntax
DO $$ BEGIN SELEC 1; END $$;
--- syntax-in-sql-function: varchar !syntax
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT FROM WHERE $$;
--- syntax-in-dynamic-sql: varchar !syntax
DO $$
BEGIN
  EXECUTE 'ALTER TABLE users ADD COLUMN ' || ' ' || 'int';
END
$$;
--- syntax-missing-end-of-atomic: empty !syntax
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC
  SELECT 1;
SELECT 2;
--- syntax-mysql: varchar !syntax
CREATE TABLE `users2` (id INT AUTO_INCREMENT PRIMARY KEY);
--- syntax-two-without-semicolon: uuid !syntax
CREATE TABLE a (id int)
CREATE TABLE b (id int);
--- syntax-reserved-word: varchar !syntax
CREATE TABLE t (id int, user text, order int);
--- syntax-wrong-quotes: varchar !missing-column
UPDATE users SET name = "Anna";
--- syntax-curly-quotes: varchar !missing-column
UPDATE users SET name = ‘Anna’;
--- syntax-python-comment: varchar !syntax
# a comment of another language
SELECT 1;
--- syntax-conflict-markers: varchar !syntax
SELECT 1;
<<<<<<< HEAD
SELECT 2;
=======
SELECT 3;
>>>>>>> branch
--- syntax-go: varchar !syntax
CREATE TABLE t (id int)
GO
--- syntax-bad-escape: varchar !bad-value
SELECT E'\xff\xfe'::text;
--- syntax-parameter-left-in: varchar !other
SELECT * FROM users WHERE id = $1;
--- syntax-named-parameter-left-in: uuid !syntax
SELECT * FROM users WHERE email = %(email)s;
