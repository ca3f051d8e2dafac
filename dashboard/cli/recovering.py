"""The command that makes, lists and withdraws recovery codes: on the server's console, for whoever owns it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboard.cli.answer import Answer, columns
from dashboard.cli.options import Json, Target
from services.errors import NotUnderstood

if TYPE_CHECKING:
    from services.access.recovery import RecoveryCode


def register(app: typer.Typer) -> None:
    app.command("recovery-codes")(recovery_codes)


def recovery_codes(
    person: Annotated[
        str | None, typer.Option("--for", metavar="NAME", help="Whom the codes are handed to.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option("--count", metavar="N", help="How many.")] = 8,
    days: Annotated[int, typer.Option("--days", metavar="N", help="For how many days they are good.")] = 90,
    listed: Annotated[bool, typer.Option("--list", help="Only list what was made; never the codes.")] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Make the unused codes worthless: all, or those of --for NAME.")
    ] = False,
    target: Target = None,
    as_json: Json = False,
) -> Answer:
    """Make codes that sign in once, as operator for 60 minutes, when no sign-in can be asked. Printed once."""
    from dashboard import composition
    from dashboard.cli.person import maker
    from dashboard.cli.targets import target_of, target_to_change
    from services.access.recovery import codes_of, make_codes, withdraw_codes

    if listed and withdraw:
        raise NotUnderstood("--list and --withdraw are two things.", "Nothing was changed.", "Give one of them.")
    now = composition.now()
    if listed:
        name = target_of(target).name
        return _listed(name, codes_of(composition.store(), name), now)
    name = target_to_change(target, "No code was made or withdrawn.").name
    # No role is asked for: whoever has this console can write our store by hand.
    actor = maker(name).id
    if withdraw:
        gone = withdraw_codes(composition.store(), actor=actor, target=name, now=now, person=person)
        return Answer.of({"target": name, "withdrawn": gone}, [f"{gone} unused codes of {name} are worthless now."])
    made = make_codes(
        composition.store(), actor=actor, target=name, person=person or "", now=now, count=count, days=days
    )
    codes = [{**_told(known, now), "code": text.get_secret_value()} for known, text in made]
    expires = made[0][0].expires
    lines = [
        f"Recovery codes of {name} for {made[0][0].person}, each good once until {expires:%Y-%m-%d}:",
        "",
        *(f"  {code['code']}" for code in codes),
        "",
        "They are shown here and never again. Keep them on paper, away from this machine.",
        'On the sign-in page: "Use a recovery code". Its holder is operator for 60 minutes; everybody is told.',
    ]
    return Answer.of({"target": name, "codes": codes}, lines)


def _listed(name: str, codes: Iterable[RecoveryCode], now: datetime) -> Answer:
    told = [_told(code, now) for code in codes]
    rows = [(code["id"], code["state"], code["person"], f"until {code['expires'][:10]}") for code in told]
    head = [f"Recovery codes of {name}, by their first group:"] if rows else [f"{name} has no recovery codes."]
    return Answer.of({"target": name, "codes": told}, [*head, *columns(rows)])


def _told(code: RecoveryCode, now: datetime) -> dict[str, Any]:
    times = {"made": code.made, "expires": code.expires, "used": code.used, "withdrawn": code.withdrawn}
    return {
        "id": code.id,
        "person": code.person,
        "state": code.state(now),
        "made_by": code.made_by,
        **{name: at.isoformat() if at else None for name, at in times.items()},
    }
