"""What the engine says of a case: the run is measured as a rehearsal measures it, then its dangers are told."""

from __future__ import annotations

import time
from dataclasses import dataclass

from psycopg import errors

from services.database.dangers.by_effect import Danger, dangers_of
from services.database.dangers.trail import Trail
from services.database.execution import run_sql
from services.database.inspection.advisors import new_findings, security_findings
from services.database.rehearsal.measure import effects, measure
from services.database.script import Script, read_scripts
from tests.dangers.cases import Case
from tests.dangers.world import LARGE, World


@dataclass(frozen=True)
class Told:
    """The dangers, and how long telling them took after the script and the advisors (milliseconds)."""

    dangers: tuple[Danger, ...]
    ms: float

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(danger.danger_class for danger in self.dangers)


def run_case(world: World, case: Case, name: str) -> Told:
    """Run the case on a clone and tell its dangers. What wants no transaction runs apart, as in a rehearsal."""
    with world.runner(case, name) as conn:
        conn.execute("BEGIN")
        base = before = measure(conn)
        trail = Trail(conn)
        for statement in read_scripts([Script("case.sql", case.sql)]).statements:
            started, apart = time.monotonic(), False
            conn.execute("SAVEPOINT here")
            try:
                run_sql(conn, statement.sql)
            except errors.ActiveSqlTransaction:
                apart = True
                conn.execute("ROLLBACK")
                run_sql(conn, statement.sql)
                conn.execute("BEGIN")
            took = (time.monotonic() - started) * 1000
            after = measure(conn)
            trail.after(statement, effects(base, before, after), took, apart=apart)
            before = after
        conn.execute("COMMIT")
        role = conn.info.user
    with world.superuser(f"base_{LARGE}") as untouched, world.superuser(name) as changed:
        findings = new_findings(security_findings(untouched), security_findings(changed))
        started = time.monotonic()
        dangers = dangers_of(trail, untouched, changed, findings=findings, connected_as=role)
    return Told(dangers, (time.monotonic() - started) * 1000)
