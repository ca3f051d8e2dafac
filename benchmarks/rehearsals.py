"""How long a rehearsal takes on small and large catalogs, beside copying the same catalog with pg_dump and psql."""

from __future__ import annotations

import subprocess
import time

import psycopg

from benchmarks.measures import Measure
from services.database.rehearsal.rehearse import rehearse
from services.database.script import Script
from services.database.server import Server, scratch_server

PROMISED_S = {50: 2, 500: 15}
ROUNDS = {50: 5, 500: 3}
CHANGE = """
CREATE TABLE IF NOT EXISTS feedback (
  id bigserial PRIMARY KEY, of_item bigint REFERENCES item_1 (id), kind text NOT NULL);
ALTER TABLE feedback ENABLE ROW LEVEL SECURITY;
ALTER TABLE item_1 ADD COLUMN IF NOT EXISTS rating integer NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS item_2_made ON item_2 (made_at);
CREATE OR REPLACE VIEW ratings AS SELECT owner, avg(rating) AS rating FROM item_1 GROUP BY owner;
INSERT INTO feedback (kind) VALUES ('seed');
"""


def tables(count: int) -> str:
    """A catalog as apps have it: each table with a key, a reference, an index, a check, a policy and a comment; a view
    to every fifth, a function with a trigger to every tenth."""
    return "".join(_table(number) for number in range(1, count + 1))


def _table(number: int) -> str:
    name, before = f"item_{number}", f"item_{max(1, number - 1)}"
    text = f"""
CREATE TABLE {name} (id bigserial PRIMARY KEY, parent bigint REFERENCES {before} (id), owner uuid NOT NULL,
  title varchar(200) NOT NULL, score integer CHECK (score BETWEEN 0 AND 10), extra jsonb NOT NULL DEFAULT '{{}}',
  made_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX {name}_owner ON {name} (owner, made_at DESC);
ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;
CREATE POLICY {name}_own ON {name} USING (owner::text = current_setting('app.user', true));
COMMENT ON TABLE {name} IS 'number {number}';"""
    if number % 5 == 0:
        text += f"CREATE VIEW {name}_scores AS SELECT owner, avg(score) AS score FROM {name} GROUP BY owner;"
    if number % 10 == 0:
        text += f"""
CREATE FUNCTION {name}_touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.made_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION {name}_touch();"""
    return text


def measure_rehearsals() -> list[Measure]:
    """Rehearsals from address to result and the plain copy of the catalog, in turns; the first of each is left out."""
    found = []
    with scratch_server(options={"max_locks_per_transaction": "1024"}) as server:
        for count, promised in PROMISED_S.items():
            url = _fresh(server, f"of_{count}")
            with psycopg.connect(url) as conn:
                conn.execute(tables(count).encode())
            ours: list[float] = []
            theirs: list[float] = []
            for _ in range(1 + ROUNDS[count]):
                theirs.append(_by_hand(server, url))
                ours.append(_rehearsal(url))
            found.append(
                Measure(
                    f"rehearsal, {count} tables",
                    "s",
                    ours[1:],
                    theirs[1:],
                    "pg_dump --schema-only | psql",
                    promise=f"<= {promised} s",
                )
            )
    return found


def _rehearsal(url: str) -> float:
    began = time.perf_counter()
    result = rehearse(url, [Script("change.sql", CHANGE)], rows="none")
    took = time.perf_counter() - began
    if result.failure is not None or result.second_run is not None:
        raise RuntimeError(f"The rehearsal failed: {result.failure or result.second_run}")
    return took


def _by_hand(server: Server, url: str) -> float:
    copy = _fresh(server, "copy")
    began = time.perf_counter()
    with subprocess.Popen(
        [server.binaries.tool("pg_dump"), "--schema-only", "-d", url], stdout=subprocess.PIPE
    ) as dump:
        psql = [str(server.binaries.tool("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", copy]
        subprocess.run(psql, stdin=dump.stdout, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _fresh(server: Server, name: str) -> str:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    return server.dsn(name)
