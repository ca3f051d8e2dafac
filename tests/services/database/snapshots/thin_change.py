"""A change under Keeping, as thin as it gets: rounds, statements, measure; no receipts, no retries."""

from __future__ import annotations

from dataclasses import replace

from services.database.connect import connect
from services.database.deployment.receipts import make_schema
from services.database.execution import run_sql
from services.database.fingerprint import catalog_fingerprint
from services.database.script import read_scripts
from services.database.snapshots.keep import Cover, Keeping, Kept, Uncovered, covered
from services.database.snapshots.settling import settle
from tests.services.database.app_database import script


def change(url: str, sql: str, *, rounds: list[Cover] | None = None) -> Kept:
    """Run the statements in one transaction that keeps all they take."""
    statements = read_scripts(script(sql)).statements
    with connect(url) as conn:

        def attempt(cover: Cover) -> Kept:
            if rounds is not None:
                rounds.append(cover)
            with conn.transaction():
                make_schema(conn)
                keeping = Keeping(conn, release_id="change", actor="ann")
                keeping.before(cover, statements)
                for statement in statements:
                    if not keeping.instead(statement):
                        run_sql(conn, statement.sql)
                conn.execute("RESET SESSION AUTHORIZATION; RESET ROLE")
                if missing := keeping.missing():
                    raise Uncovered(missing)
                kept = keeping.after(catalog_fingerprint(conn).digest)
            empty = settle(conn).empty
            return replace(kept, snapshot_id=None) if kept.snapshot_id in empty else kept

        return covered(attempt)
