"""Proving the level probe: who the test accounts are, what they may spend, and that what is written goes away again."""

from __future__ import annotations

from collections.abc import Iterator

from services.checks.caps import cap_of
from services.checks.of_app import catalogue_of
from services.checks.registry import CheckSpec
from services.checks.runner import CLEAN_UP_S
from services.clients.supabase import SignedIn
from services.connecting.openai_keys import seen_of_openai
from services.connecting.trial import Told, Trial, declined, failed, passed, unknown
from services.errors import OpsError
from services.settings import ProbeAccount, Target
from services.verdict import Evidence, Verdict

BY_WRITING = "Shown only by writing; a proof that is asked for writes one marked entry and removes it again."
ADMIN = "admin"
PROBE = "probe"
TRIES = 2


def seen_of_probe(trial: Trial, *, may_write: bool) -> Iterator[Told]:
    """The level stands on each account being what it is for, and on one marked entry written, found and gone again."""
    target = trial.target
    if target.app_url is None:
        yield unknown("Address", "The settings have no app_url.")
        return
    if not may_write:
        yield unknown("Clean-up", BY_WRITING)
        return
    yield from _accounts(trial)
    yield _caps(target)
    yield from _cleaned_up(trial)
    yield from seen_of_openai(trial)


def _accounts(trial: Trial) -> Iterator[Told]:
    accounts = trial.target.probe_accounts
    if not accounts:
        said = "There is none: only a build that asks nobody who they are can be tested."
        yield unknown("Test accounts", said, needed=False)
        return
    for account in accounts:
        what = f"Account for {account.purpose}"
        try:
            yield _judged(what, account, trial.context.supabase.sign_in(account.email, account.password))
        except OpsError as error:
            yield declined(what, error)


def _judged(what: str, account: ProbeAccount, person: SignedIn) -> Told:
    """Roles come from app_metadata alone; what an account says of itself elsewhere gives it no right."""
    role, operator = person.app_metadata.get("role"), person.app_metadata.get("ops_role")
    if operator is not None:
        said = f"It signs in, but it has the operations role '{operator}' here: a test account must be no operator."
        return failed(what, said)
    if account.purpose == ADMIN and role != ADMIN:
        return failed(what, "It signs in, but app_metadata does not make it an admin of the app.")
    if account.purpose != ADMIN and role == ADMIN:
        return failed(what, "It signs in, but it is an admin of the app: more than this purpose needs.")
    return passed(what, "It signs in" + (" and is an admin of the app." if account.purpose == ADMIN else "."))


def _caps(target: Target) -> Told:
    purposes = dict.fromkeys([*(account.purpose for account in target.probe_accounts), *target.probe_caps])
    caps = {purpose: cap_of(target, purpose) for purpose in purposes or (PROBE,)}
    if None in caps.values():
        without = ", ".join(purpose for purpose, cap in caps.items() if cap is None)
        return unknown("Caps", f"Nothing limits {without}: this target may be lost.", needed=False)
    told = ", ".join(f"{purpose} {cap.calls} calls and {cap.cents:g} cents" for purpose, cap in caps.items() if cap)
    return passed("Caps", f"A day at most: {told}.", needed=False)


def _cleaned_up(trial: Trial) -> Iterator[Told]:
    """The cheapest check that writes, and where it does not pass the next: its own feature may be what is broken."""
    tries: list[Told] = []
    for spec in _cheapest(trial)[:TRIES]:
        (seen,) = trial.run([spec.id], within_s=spec.deadline_s + CLEAN_UP_S)
        tries.append(_removed(spec, seen))
        if tries[-1].seen.verdict is Verdict.PASS:
            yield tries[-1]
            return
    yield tries[-1] if tries else unknown("Clean-up", "This app has no check that writes and removes.")


def _cheapest(trial: Trial) -> list[CheckSpec]:
    able = [
        spec
        for spec in catalogue_of(trial.app)
        if spec.mutates and all(getattr(trial.target, name) is not None for name in spec.needs)
    ]
    return sorted(able, key=lambda spec: (spec.cost.cents, spec.cost.calls))


def _removed(spec: CheckSpec, seen: Evidence) -> Told:
    if seen.verdict is Verdict.PASS and seen.facts.get("removed") is True:
        said = f"One marked entry was written, found, removed, and is gone. ({seen.summary})"
        return passed("Clean-up", said, effect=True)
    if seen.verdict is Verdict.UNKNOWN:
        return unknown("Clean-up", f"{spec.title}: {seen.summary}")
    return failed("Clean-up", f"{spec.title}: {seen.summary}")
