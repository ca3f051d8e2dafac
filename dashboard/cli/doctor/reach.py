"""What a target's credentials reach: each granted level proved now, its clock, and its server against our programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from dashboard.cli.doctor.programs import server_problems
from services.app_definition import load_app
from services.connecting.proofs import Proof, prove_level
from services.database.connect import connect, inspect_connection
from services.errors import OpsError, Unavailable
from services.settings import Level, Target
from services.verdict import Evidence, Verdict

CLOCKS = "clock-agrees"


def target_problems(target: Target, now: datetime) -> Iterator[OpsError]:
    """Every problem of one target, found by asking it."""
    try:
        app = load_app(target.app)
    except OpsError as error:
        yield error
        return
    proofs = [prove_level(level, target, app, now) for level in levels_to_prove(target)]
    yield from proof_problems(target.name, proofs)
    yield from clock_problems(target.name, (one for proof in proofs for one in proof.evidence))
    major = server_major(target)
    if major is not None:
        yield from server_problems(target.name, major, for_backups=target.backup_recipient is not None)


def levels_to_prove(target: Target) -> list[Level]:
    """The levels that are granted, but for `deploy` where no address is kept: it is proved when somebody arms it."""
    kept = target.deploy_url is not None
    return [level for level in Level if target.allows(level) and (kept or level is not Level.DEPLOY)]


def proof_problems(name: str, proofs: Iterable[Proof]) -> Iterator[OpsError]:
    """One for each level that is granted and that nothing seen bears out; silence is unknown and no failure."""
    for proof in proofs:
        if proof.verdict is Verdict.PASS or proof.by_writing_only:
            continue
        kind = Unavailable if proof.verdict is Verdict.UNKNOWN else OpsError
        yield kind(
            f"{name}: the level '{proof.level.value}' is granted and not proved: {proof.summary}",
            "What needs it will not work.",
            f"Mend the settings of {name}, or take the level away: /settings?target={name}&level={proof.level.value}.",
            place=f"targets.{name}.levels",
        )


def clock_problems(name: str, evidence: Iterable[Evidence]) -> Iterator[OpsError]:
    """At most one: that our clock and the target's tell different times."""
    wrong = next((one for one in evidence if one.check_id == CLOCKS and one.verdict is Verdict.FAIL), None)
    if wrong is not None:
        yield OpsError(
            f"{name}: {wrong.summary}",
            "Ages, expiries and the hours for which something is armed are off by as much.",
            "Set the clock of the machine that is wrong, best by NTP.",
            place=f"targets.{name}.app_url",
        )


def server_major(target: Target) -> int | None:
    """The major version of the target's server; None where it cannot be asked, which its proof tells."""
    if target.database_url is None or not target.allows(Level.OBSERVE):
        return None
    url = target.database_url.get_secret_value()
    try:
        with connect(url, read_only=True) as conn:
            return inspect_connection(conn, url).major
    except OpsError:
        return None
