"""Commands that look: our own settings, an address, checks, the production test, causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from dashboard.cli.answer import BAD, GOOD, NOT_UNDERSTOOD, OF_VERDICT, UNKNOWN, Answer, columns
from dashboard.cli.options import Json, Target

DEFAULT_APP = "pulsecheck"


def register(app: typer.Typer) -> None:
    for command in (doctor, look, check, score, diagnose):
        app.command()(command)


def doctor(target: Target = None, as_json: Json = False) -> Answer:
    """Look at our own settings, what can be reached, and versions."""
    from dashboard.cli.examination import examine

    problems = examine(target)
    document = {"problems": [problem.to_json() for problem in problems]}
    lines = [f"- {problem}" for problem in problems] or ["No problem found."]
    codes = {problem.exit_code for problem in problems}
    return Answer.of(document, lines, next((code for code in (NOT_UNDERSTOOD, BAD, UNKNOWN) if code in codes), GOOD))


def look(
    url: Annotated[str, typer.Argument(metavar="URL", help="The app's public address.", show_default=False)],
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """See what can be seen from outside, with no key."""
    from datetime import UTC, datetime

    from dashboard.cli.targets import target_of
    from services.app_definition import load_app
    from services.connecting.outside import look_from_outside

    app = load_app(target_of(target).app if target else DEFAULT_APP)
    return _checked([evidence.to_json() for evidence in look_from_outside(url, app, datetime.now(UTC))])


def check(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Checks by id; none: all.", show_default=False)
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option("--phase", metavar="P", help="Those of a phase: before, during, after ...", show_default=False),
    ] = None,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Run checks and say what each of them saw."""
    from dashboard.cli.following import carry_out
    from services.app_definition import load_app
    from services.checks.of_app import catalogue_of

    place = _target_to_look_at(target)
    catalogue = catalogue_of(load_app(place.app))
    left_out = {spec.id for spec in catalogue.not_used}
    wanted = [catalogue[one].id for one in ids or () if one not in left_out]
    if phase is not None:
        wanted = [one for one in catalogue.in_phase(phase) if not ids or one in wanted]
    elif not ids:
        wanted = list(catalogue.ids)
    result = carry_out("check", place, {"checks": wanted}).result or {}
    asked_for = [one for one in result["not_used"] if not ids or one["id"] in ids]
    return _checked(result["checks"], asked_for)


def score(target: Target = None, as_json: Json = False) -> Answer:
    """Run the production test: ten features, each judged by its effect."""
    from dashboard.cli.following import EXIT_OF, carry_out

    ended = carry_out("score", _target_to_look_at(target), {})
    result = ended.result or {}
    lines = columns([(f["verdict"], f["id"], f["summary"]) for f in result["features"]])
    lines += [f"finding: {one['id']}  {one['summary']}" for one in result["findings"]]
    lines += columns(_left_out(result["not_used"]))
    return Answer.of(result, [*lines, result["sentence"], f"{result['passed']}/{result['of']}"], EXIT_OF[ended.state])


def diagnose(
    causes: Annotated[
        bool, typer.Option("--causes", help="List every cause that can be told, and ask nothing.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="With --causes: write the page docs/causes.md.")] = False,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Rank the causes that the evidence speaks for."""
    if causes or markdown:
        return _known_causes(target, markdown)
    from dashboard.cli.following import carry_out

    result = carry_out("diagnose", _target_to_look_at(target), {}).result or {}
    lines = [str(result["state"])]
    for cause in result["causes"]:
        lines += [f"{cause['confidence']}  {cause['id']}  {cause['title']}"]
        lines += [f"    for: {reason}" for reason in cause["for"]] + [f"    against: {r}" for r in cause["against"]]
    return Answer.of(result, lines, {"healthy": GOOD, "explained": BAD}.get(str(result["state"]), UNKNOWN))


def _known_causes(target: str | None, as_page: bool) -> Answer:
    from dashboard.cli.targets import target_of
    from services.app_definition import load_app
    from services.incidents.cause_list import deciding_checks, markdown
    from services.incidents.causes import causes_of

    # The page is that of the app that is documented here, whatever target there is.
    known = causes_of(load_app("pulsecheck" if as_page else target_of(target).app))
    if as_page:
        page = markdown(known)
        return Answer.of({"markdown": page}, page.splitlines())
    rows = [
        {"id": one.id, "title": one.title, "decided_by": list(deciding_checks(one)), "playbook": one.playbook}
        for one in known.causes
    ]
    return Answer.of({"causes": rows}, [f"{row['id']}  {row['title']}" for row in rows])


def _target_to_look_at(named: str | None) -> Any:
    """The target; where checks may write marked test data on it, it must be spelled out as for any change."""
    from dashboard.cli.targets import target_of, target_to_change
    from services.settings import Level

    place = target_of(named)
    return (
        target_to_change(named, "Nothing was run: checks write marked test data there.")
        if (place.allows(Level.PROBE))
        else place
    )


def _checked(evidence: Sequence[Mapping[str, Any]], not_used: Sequence[Mapping[str, str]] = ()) -> Answer:
    from services.verdict import Verdict, worst

    verdict = worst(Verdict(one["verdict"]) for one in evidence)
    checks = [
        {
            "id": one["check_id"],
            "verdict": one["verdict"],
            "summary": one["summary"],
            "evidence": one,
            "took_ms": one["took_ms"],
        }
        for one in evidence
    ]
    lines = columns([*((one["verdict"], one["check_id"], one["summary"]) for one in evidence), *_left_out(not_used)])
    document = {"verdict": verdict.value, "checks": checks, "not_used": list(not_used)}
    return Answer.of(document, lines, OF_VERDICT[verdict.value])


def _left_out(not_used: Sequence[Mapping[str, str]]) -> list[tuple[str, str, str]]:
    return [("not used", one["id"], one["why"]) for one in not_used]
