"""The table of truth: for every fault what is false in the world then, and what nobody can see; written from the fault.

It is written from what a fault does to the world and from the sentence in which a check says what it proves. Where it
was necessary to look at how something is done, the row says so ("seen:").
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.matrix.claims import Row
from tests.matrix.truth import app, builds, database, openai, railway, supabase

TRUTH: Mapping[str, Row] = {
    row.fault: row for row in (*app.ROWS, *builds.ROWS, *openai.ROWS, *supabase.ROWS, *railway.ROWS, *database.ROWS)
}
