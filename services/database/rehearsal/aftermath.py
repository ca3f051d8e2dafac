"""Knows what a first run that succeeded leaves behind: dangers, what works no longer, another order, the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.database.connect import connect
from services.database.dangers.by_effect import Danger, dangers_of
from services.database.definitions.read import read_definitions
from services.database.deployment.ordering import ordered
from services.database.execution import Cancelled, Emit
from services.database.fingerprint import Fingerprint, catalog_fingerprint
from services.database.inspection.advice import Advice, SecurityFinding
from services.database.inspection.advisors import new_findings, security_findings
from services.database.inspection.dropped_along import dropped_along
from services.database.inspection.finding import InspectionFinding
from services.database.inspection.inspect import inspect_change
from services.database.inverse.rehearsed import rehearse_inverse
from services.database.rehearsal.further_failures import changes
from services.database.rehearsal.meant_breaks import idle_breaks
from services.database.rehearsal.runs import Manner, Run, run
from services.database.rehearsal.shadow import Shadow
from services.database.script import Statement

_UNMEASURED = Manner(measured=False)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """advice, like_this_before: what a person should know and what blocks nothing. before, after: the catalogs of the
    shadow and of the clone that the script changed."""

    dangers: tuple[Danger, ...]
    security: tuple[SecurityFinding, ...]
    inspection: tuple[dict[str, Any], ...]
    advice: tuple[Advice, ...]
    like_this_before: str
    before: Fingerprint
    after: Fingerprint
    spare: str


def aftermath_of(
    copy: Shadow,
    name: str,
    statements: Sequence[Statement],
    first: Run,
    emit: Emit,
    cancelled: Cancelled,
    *,
    meant: frozenset[str] = frozenset(),
) -> Aftermath:
    """Look at the clone `name` as the first run left it, beside a fresh one.

    meant: what the scripts say they break (`meant_breaks`).
    Raises Stopped when cancelled.
    """
    # Trying things leaves traces, even where it is undone: never in the shadow itself.
    spare = copy.clone(roles_as_they_are=True)
    with connect(copy.as_superuser(spare)) as untouched, connect(copy.as_superuser(name)) as changed:
        findings = new_findings(security_findings(untouched), security_findings(changed))
        dangers: tuple[Danger, ...] = ()
        if first.trail is not None:
            dangers = dangers_of(
                first.trail,
                untouched,
                changed,
                findings=findings,
                sizes=copy.sizes,
                connected_as=copy.runs_as,
            )
        before, after = copy.fingerprint, catalog_fingerprint(changed)
    inspection = inspect_change(
        copy.as_superuser(spare),
        copy.as_superuser(name),
        before=before,
        after=after,
        emit=emit,
        cancelled=cancelled,
    )
    gone = dropped_along(before, after, (statement.sql for statement in statements))
    seen = _placed((*gone, *inspection.findings), statements, meant)
    return Aftermath(
        dangers,
        tuple(findings),
        seen,
        (*inspection.advice, *idle_breaks(meant, seen)),
        inspection.old_sentence,
        before,
        after,
        spare,
    )


def _placed(
    findings: Iterable[InspectionFinding], statements: Sequence[Statement], meant: frozenset[str]
) -> tuple[dict[str, Any], ...]:
    """The findings, each with the place of the last statement that changed its object, where one did, and whether it
    is meant."""
    named = [(statement, {one.lower() for one in changes(statement.sql)}) for statement in statements]
    told = []
    for finding in findings:
        bare = finding.object.partition("(")[0].rpartition(".")[2].strip('"').lower()
        last = next((statement for statement, names in reversed(named) if bare in names), None)
        place = {"file": last.file if last else None, "line": last.line if last else None}
        told.append({**finding.to_json(), **place, "meant": finding.object in meant})
    return tuple(told)


def better_order(
    copy: Shadow,
    statements: Sequence[Statement],
    apart: frozenset[int],
    after: Fingerprint,
    cancelled: Cancelled,
) -> tuple[int, ...] | None:
    """Indexes in the order in which a deploy should run them, proved on a clone; None for the order as it is."""
    order = ordered(statements, copy.target_fingerprint)
    if order is None:
        return None
    name = copy.clone()
    places = frozenset(place for place, index in enumerate(order) if index in apart)
    moved = [statements[index] for index in order]
    done = run(copy.url_of(name), moved, places, _UNMEASURED, cancelled=cancelled)
    with connect(copy.as_superuser(name)) as conn:
        same = catalog_fingerprint(conn).digest == after.digest
    copy.drop(name)
    return order if same and done.failure is None else None


def way_back(
    copy: Shadow, spare: str, statements: Sequence[Statement], apart: frozenset[int], cancelled: Cancelled
) -> dict[str, Any]:
    """The inverse of the script, derived from the catalogs and tried on the clone `spare`, in which things were tried
    and undone: deploy, back, deploy."""
    copy.put_back_roles()
    url = copy.url_of(spare)
    if run(url, statements, apart, _UNMEASURED, cancelled=cancelled).failure is not None:
        # It depends on what trying leaves behind, such as the position of a sequence.
        url = copy.url_of(copy.clone())
        run(url, statements, apart, _UNMEASURED, cancelled=cancelled)

    def again() -> None:
        done = run(url, statements, apart, _UNMEASURED, cancelled=cancelled)
        if done.failure is not None:
            raise NotAgain(done.failure.message)

    with connect(copy.as_superuser()) as untouched:
        definitions = read_definitions(untouched)
    with connect(url) as conn:
        try:
            found = rehearse_inverse(conn, definitions, copy.fingerprint, deploy_again=again).to_json()
        except NotAgain as error:
            found = {"sql": "", "rehearsed": "fail", "why": str(error), "not_restored": [], "rows": []}
    return dict(found)


class NotAgain(Exception):
    """After the way back the change could not be made again; the text is the server's message."""
