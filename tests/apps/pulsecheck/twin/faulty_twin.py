"""A running world that tests break and mend, and the ways to see from outside whether it is well."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg

from services.database.fingerprint import RowHash, catalog_fingerprint, row_hashes
from services.sandbox.postgres import OWNER, READ_ONLY
from tests.services.sandbox.twin_world import ADMIN, JOURNAL, TIRED, TwinWorld

Traces = tuple[dict[str, str], dict[str, RowHash]]


class FaultyTwin:
    def __init__(self, twin: TwinWorld) -> None:
        self.twin = twin
        self.world = twin.world
        self.app = twin.app

    def broken(self, *faults: str) -> None:
        for fault in faults:
            self.twin.thread.run(self.world.break_fault(fault), timeout_s=60)

    def mended(self, *faults: str) -> None:
        for fault in faults or (None,):
            self.twin.thread.run(self.world.repair(fault), timeout_s=60)

    def traces(self) -> Traces:
        """The catalog's facts and the hash of each table's rows."""
        with psycopg.connect(self.world.cluster.dsn(OWNER), autocommit=True) as conn:
            return catalog_fingerprint(conn).facts, row_hashes(conn)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.twin.sql(statement, *values)

    def forget(self) -> None:
        """Take away what the caller of the probes has written."""
        self.sql("delete from ai_feedback where user_id = 'user_123'")
        self.sql("delete from ai_usage_logs where user_id = 'user_123'")
        self.sql("delete from journal_entries where content = %s", TIRED["content"])

    def write(self) -> httpx.Response:
        return self.app.post(f"{JOURNAL}/entries", json=TIRED)

    def entry_id(self) -> str:
        """The id of an entry of the caller that is in the database."""
        ((found,),) = self.sql("select id from journal_entries where user_id = 'user_123' order by created_at limit 1")
        return str(found)

    def pulse(self, entry_id: str) -> httpx.Response:
        return self.app.get(f"{JOURNAL}/entries/{entry_id}/pulse")

    def give_feedback(self, entry_id: str) -> httpx.Response:
        return self.app.post(f"{JOURNAL}/entries/{entry_id}/feedback", params={"feedback_type": "thumbs_up"})

    def stats(self) -> httpx.Response:
        return self.app.get(f"{JOURNAL}/stats")

    def admin(self, report: str = "daily", **params: str) -> httpx.Response:
        return self.app.get(f"{ADMIN}/{report}", params=params)

    def own_entries(self) -> int:
        ((count,),) = self.sql("select count(*) from journal_entries where user_id = 'user_123'")
        return int(count)

    def newest(self) -> tuple[str, list[str]]:
        """State and errors of the newest deployment."""
        one = self.world.hosting.deployments[-1]
        return one.status.value, [line.message for line in one.runtime_log if line.severity == "error"]

    def errors(self) -> str:
        """What the serving deployment has written to standard error."""
        one = self.world.hosting.active
        assert one is not None
        return "\n".join(line.message for line in one.runtime_log if line.severity == "error")

    def login_answers(self) -> bool:
        try:
            psycopg.connect(self.world.cluster.dsn(READ_ONLY), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
