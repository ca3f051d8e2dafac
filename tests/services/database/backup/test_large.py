"""A million rows are backed up, restored and proved, in memory that does not grow with them."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.database.backup.encryption import identities_of, new_key
from services.database.backup.proving import prove_backup
from services.database.backup.take import take_backup
from services.database.connect import connect
from services.verdict import Verdict
from tests.campaign import only_in_full
from tests.conftest import SupabaseDatabase
from tests.services.database.app_database import APP

ROWS = 1_000_000
MOST_MEMORY = 64 * 1024  # KiB that our own process may grow by
ENTRIES = """
INSERT INTO public.journal_entries (user_id, content, mood_level, tags, extra)
  SELECT 'user_' || i %% 5000, 'Today was a long day ' || md5(i::text) || md5((i * 7)::text), i %% 10 + 1,
         ARRAY['work'], jsonb_build_object('n', i) FROM generate_series(1, %s) i
"""


@only_in_full
@pytest.mark.timeout(600)
def test_a_million_rows(make_supabase_database: Callable[[], SupabaseDatabase], tmp_path: Path) -> None:
    source, key = make_supabase_database(), new_key()
    with connect(source.owner) as conn:
        conn.execute(APP)
        conn.execute(ENTRIES, (ROWS,))
        size = conn.execute("SELECT pg_total_relation_size('public.journal_entries')").fetchall()[0][0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = take_backup(
        source.owner,
        target="staging",
        recipient=key.recipient,
        folder=tmp_path / "backups",
        keep_days=30,
        clock=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert done.verdict is Verdict.PASS, done.summary
    assert done.manifest.rows == ROWS + 340
    assert grown < MOST_MEMORY
    mine = identities_of(key.secret)
    again = prove_backup(
        done.file, manifest=done.manifest, identities=mine, clock=lambda: datetime(2030, 3, 1, tzinfo=UTC)
    )
    assert again.verdict is Verdict.PASS, again.summary
    assert done.manifest.proof is not None
    sys.stderr.write(
        f"\n{done.manifest.rows:,} rows, {size / 1e6:.0f} MB in the database, {done.manifest.bytes / 1e6:.0f} MB"
        f" encrypted; taken and proved in {done.took_s:.1f} s, of which the proof {done.manifest.proof.seconds:.1f} s;"
        f" proved again with the own key in {again.seconds:.1f} s; our process grew by {grown / 1024:.0f} MiB"
        f" (peak {(before + grown) / 1024:.0f} MiB); {os.cpu_count()} cores\n"
    )
