"""A client killed in the middle of an index build: nothing invalid is left once the deploy is asked for again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from random import Random

import pytest

from services.database.deployment.deploy import deploy
from services.database.deployment.receipts import find_receipt
from services.database.script import Script
from tests.campaign import only_in_full
from tests.services.database.app_database import Owner

KILLS = 40
SEED = 11
SQL = """CREATE TABLE logs (id int);
CREATE INDEX CONCURRENTLY slowly ON journal_entries (slow(mood_level));
INSERT INTO logs VALUES (1);
CREATE INDEX CONCURRENTLY ON journal_entries (slow(mood_level), user_id);
INSERT INTO logs VALUES (2);
"""
CHILD = """
import sys
from services.database.deployment.deploy import deploy
from services.database.script import Script
print("begun", flush=True)
deploy(sys.argv[1], [Script("x.sql", sys.stdin.read())], release_id="beta", plan_hash="h", actor="ann", job_id="killed")
print("ended", flush=True)
"""


@pytest.mark.campaign
@only_in_full
def test_killed_at_any_moment_one_action_brings_it_to_its_end(app: Owner):
    app.run(
        "CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.0008); RETURN n; END $$"
    )
    random = Random(SEED)
    resumed = 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, app.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(SQL)
        child.stdin.close()
        assert child.stdout.readline() == "begun\n"
        time.sleep(random.uniform(0, 1.6))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        resumed += find_receipt(app.url, "beta") is not None
        done = deploy(app.url, [Script("x.sql", SQL)], release_id="beta", plan_hash="h", actor="ann", job_id="killed")
        assert done.applied, done.summary
        assert app.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
        assert app.value("SELECT count(*) FROM pg_index WHERE indrelid = 'journal_entries'::regclass") == 3
        assert app.run("SELECT id FROM logs ORDER BY id") == [(1,), (2,)]
        assert app.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        app.run(
            "DROP TABLE logs; DROP INDEX slowly; DROP INDEX journal_entries_slow_user_id_idx; DROP SCHEMA ops CASCADE"
        )
    assert resumed > KILLS / 4
