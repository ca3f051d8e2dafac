"""What the guest book is judged by: it answers, and a guest whom it thanks for stands in its table."""

from __future__ import annotations

from services.app_definition import AppDefinition
from services.checks.context import MARK, CheckContext
from services.checks.kinds import answered, shaped
from services.checks.registry import Catalogue, CheckSpec, Cost
from services.checks.standard import standard_checks
from services.settings import Level
from services.verdict import Finding, Verdict


def guests_answer(context: CheckContext) -> Finding:
    """The list of guests is JSON with the guests in it."""
    return shaped(context.api.get("/guests"), ("guests",), "The list of guests")


def guest_stored(context: CheckContext) -> Finding:
    """A guest who was answered with 201 stands in the table; removed again, with whatever a run that died has left."""
    answer = context.api.request("POST", "/guests", json={"name": context.marker})
    finding = answered(answer, "A new guest", accept=(201,))
    with context.database(as_owner=True, read_only=False) as conn:
        row = conn.execute("select count(*) from guests where name = %s", (context.marker,)).fetchone()
        conn.execute("delete from guests where name like %s", (f"{MARK}%",))
    stored = int(row[0]) if row else 0
    facts = {**finding.facts, "stored": stored}
    if finding.verdict is Verdict.PASS and stored != 1:
        return Finding(Verdict.FAIL, f"The guest was thanked for and stored {stored} times.", facts)
    return Finding(finding.verdict, finding.summary, facts)


def catalogue(app: AppDefinition) -> Catalogue:
    """Our own two checks, and those that any app gets."""
    own = [
        CheckSpec(
            "guests-answer",
            "The guest book answers",
            "The list of guests is served as JSON.",
            guests_answer,
            phases=("before", "after"),
            touches=("app",),
            needs=("app_url",),
            level=Level.LOOK,
        ),
        CheckSpec(
            "guest-stored",
            "A guest is stored",
            "A guest sent to the app is found in the database.",
            guest_stored,
            phases=("after",),
            touches=("app", "database"),
            needs=("app_url", "database_url"),
            level=Level.PROBE,
            mutates=True,
            cost=Cost(calls=1),
        ),
    ]
    return Catalogue([*own, *standard_checks(app)])
