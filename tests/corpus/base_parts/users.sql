CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email varchar(255) UNIQUE NOT NULL, name text, hashed_password text,
  is_active boolean NOT NULL DEFAULT true, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz);
CREATE TABLE checkins (
  id bigserial PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  mood smallint CHECK (mood BETWEEN 1 AND 10), note text, checked_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX checkins_user_id_idx ON checkins (user_id);
