"""The guided path at a terminal: level by level what to do, the keys typed unseen, the proof, and the question."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from typing import Any

from dashboard import composition
from dashboard.cli import levels
from dashboard.cli.answer import tell
from services.app_definition import AppDefinition, load_app
from services.connecting.guide import KeyField, LevelGuide, guide_of
from services.connecting.reader_role import new_password, reader_role_sql
from services.connecting.session_pooler import reader_address
from services.errors import OpsError
from services.settings import PURPOSES, Level, Target
from services.verdict import Verdict

ACCOUNTS, CAPS, DATABASE = "probe_accounts", "probe_caps", "database_url"
YES = frozenset({"y", "yes"})


def at_a_terminal() -> bool:
    """Whether somebody can be asked here."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def guide(name: str) -> None:
    """Go through the levels that are not granted yet; each may be left out, and nothing is granted unasked."""
    tell("Each level may be left out with Enter and done another time. Nothing that is typed is shown or repeated.")
    for level in Level:
        target = composition.settings().target(name)
        if level is Level.LOOK:
            levels.prove(name, level)
        elif target.allows(level):
            tell(f"\n{level}: granted already.")
        else:
            _one(name, level)


def _one(name: str, level: Level) -> None:
    target = composition.settings().target(name)
    app = load_app(target.app)
    _tell_of(guide_of(level, app, target))
    if not _agreed(f"Set up '{level}' on {name} now?"):
        return
    try:
        _filled_in(name, level, app)
        if level is Level.PROBE and not _agreed("The proof writes one marked entry and removes it again. Go on?"):
            return
        proof = levels.prove(name, level)
    except OpsError as error:
        tell(str(error))
        return
    tell(f"{proof.verdict.value}: {proof.summary}")
    for sentence in proof.could_also:
        tell(f"  The keys could also: {sentence}")
    if proof.verdict is Verdict.PASS and _agreed(f"Grant '{level}' on {name}?"):
        levels.give(name, level)
    elif proof.verdict is not Verdict.PASS:
        tell(f"'{level}' is not granted. What was kept stays; `connect {name}` goes on from here.")


def _tell_of(told: LevelGuide) -> None:
    tell(f"\n{told.level}: {told.why}")
    tell(f"  It makes possible: {', '.join(told.makes_possible)}.")
    for number, step in enumerate(told.steps, start=1):
        tell(f"  {number}. {step.title}. {step.text}" + (f"  {step.link.url}" if step.link else ""))
        for line in (*step.scopes, *(step.code.splitlines() if step.code else ())):
            tell(f"       {line}")
    for sentence in told.could_also:
        tell(f"  Such a key could also: {sentence}")


def _filled_in(name: str, level: Level, app: AppDefinition) -> None:
    """Ask for each key and keep what was typed, the ones that others follow from first."""
    target = composition.settings().target(name)
    values: dict[str, Any] = {}
    for field in guide_of(level, app, target).keys:
        if field.key == DATABASE and values:
            levels.keep(name, values)
            values = {}
        values |= _asked_for(field, composition.settings().target(name), app)
    if values:
        levels.keep(name, values)


def _asked_for(field: KeyField, target: Target, app: AppDefinition) -> Mapping[str, Any]:
    if field.key == CAPS or (field.key != ACCOUNTS and getattr(target, field.key)):
        return {}
    if field.key == ACCOUNTS:
        return {} if target.probe_accounts else _accounts()
    if field.key == DATABASE:
        found = _reading_role(target, app)
        if found:
            return {DATABASE: found}
    text = _typed(f"{field.title} ({field.hint})", field.secret)
    return {field.key: text} if text else {}


def _reading_role(target: Target, app: AppDefinition) -> str | None:
    """The address of a reading role whose SQL is printed here; None where somebody brings an address of their own."""
    if target.supabase_project_ref is None or not _agreed("Print the SQL of a role that only reads?"):
        return None
    password = new_password()
    tell(reader_role_sql(app, password=password))
    tell("The SQL holds what the password is checked by, not the password; that goes into the target's file only.")
    _typed("Run it in the SQL Editor, then press Enter", secret=False)
    found = reader_address(target, password)
    tell("The session pooler answers to it." if found else "No session pooler answered to it: type the address.")
    return found


def _accounts() -> Mapping[str, Any]:
    found = []
    for purpose in PURPOSES:
        email = _typed(f"E-mail address of the test account for '{purpose}' (Enter: none)", secret=False)
        if email:
            password = _typed(f"Its password for '{purpose}'", secret=True)
            found.append({"purpose": purpose, "email": email, "password": password})
    return {ACCOUNTS: found} if found else {}


def _agreed(question: str) -> bool:
    return _typed(f"{question} [y/N]", secret=False).lower() in YES


def _typed(question: str, secret: bool) -> str:
    """What somebody types; a secret is not shown. The end of input counts as Enter."""
    try:
        if secret:
            return getpass.getpass(f"{question}: ").strip()
        print(f"{question}: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()
    except EOFError:
        return ""
