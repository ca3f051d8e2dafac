"""Making targets, keeping their credentials, granting levels and taking them back: each by an admin, each audited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from services.access.permissions import Actor, Permission
from services.connecting.keys import CREDENTIALS, completed, keys_of, missing, used_by
from services.connecting.level_proofs import newest_proof
from services.connecting.proofs import Proof
from services.connecting.target_files import TargetFile, Values, refuse_what_is_not_ours, require_name
from services.errors import NotUnderstood, Refused
from services.jobs.arming import armed, disarm
from services.jobs.kinds import KINDS
from services.jobs.queue import ACTIVE, cancel
from services.settings import Level, Settings, Target, origin_of
from services.store import audit
from services.store.database import Store
from services.store.tables import jobs

MAKING = frozenset({"app", "app_url", "production", "colour"})
CONSOLE = "cli:"


@dataclass(frozen=True, slots=True)
class LevelState:
    """How one level of a target stands.

    proof: the newest one made with the credentials of now; proved_at: when; None where there is none
    void: the newest proof was made with other credentials
    from_where: the source that grants it, where that cannot be changed here; None: it can
    missing: settings without which it cannot be proved
    """

    level: Level
    granted: bool
    proof: Proof | None
    proved_at: datetime | None
    from_where: str | None
    missing: tuple[str, ...]
    void: bool = False
    may_be_granted: bool = False


def level_states(store: Store, settings: Settings, target: Target, now: datetime | None = None) -> list[LevelState]:
    """The five levels in their order. now: to tell whether a proof still allows granting; None: that is not told."""
    return [_state(store, settings, target, level, now) for level in Level]


def _state(store: Store, settings: Settings, target: Target, level: Level, now: datetime | None) -> LevelState:
    kept = newest_proof(store, settings.home, target, level)
    holds = kept is not None and kept.holds
    granted = level is Level.LOOK or target.allows(level)
    return LevelState(
        level=level,
        granted=granted,
        proof=kept.proof if kept is not None and holds else None,
        proved_at=kept.at if kept is not None and holds else None,
        from_where=_set_elsewhere(settings, target),
        missing=missing(level, target),
        void=kept is not None and not holds,
        may_be_granted=not granted and kept is not None and now is not None and kept.allows_granting(now),
    )


def _set_elsewhere(settings: Settings, target: Target) -> str | None:
    origin = origin_of(settings, target.name, "levels")
    return None if origin in (None, TargetFile(settings, target.name).place) else origin


def create_target(
    store: Store, settings: Settings, actor: Actor, name: str, values: Mapping[str, Any], now: datetime
) -> None:
    """Make a target that can only look. values: app_url, and where they are not the usual ones app, production, colour.

    The actor has to be an admin of some target, or sit at the console. The same again by the same person changes
    nothing. Raises Refused, NotUnderstood.
    """
    _require_founder(settings, actor)
    require_name(name)
    _require_known(values, MAKING)
    file = TargetFile(settings, name)
    wanted: Values = {**{key: value for key, value in values.items() if value is not None}, "levels": ["look"]}
    wanted["founder"] = actor.id
    with file.held():
        before = file.read()
        if before == wanted:
            return
        if before is not None or name in settings.targets:
            raise Refused(
                f"There is a target called '{name}' already.",
                "Nothing was made or changed.",
                f"Open /settings?target={name}, or choose another name.",
                place="name",
            )
        made = file.check(wanted)
        if made.app_url is None:
            raise NotUnderstood("A target needs the address of its app.", "Nothing was made.", "Give app_url.")
        detail = {"keys": sorted(key for key in wanted if key != "levels"), "levels": ["look"]}
        _carried_out(
            store, file, None, wanted, lambda tx: _audited(tx, actor, "create target", name, name, now, detail)
        )


def _require_founder(settings: Settings, actor: Actor) -> None:
    if actor.target not in settings.targets and not actor.id.startswith(CONSOLE):
        raise Refused(f"{actor.name} is signed in to no target.", "Nothing was made.", "Sign in to one first.")
    actor.require(Permission.CONNECT, actor.target)


def keep_credentials(
    store: Store, settings: Settings, target: Target, actor: Actor, values: Mapping[str, Any], now: datetime
) -> tuple[Level, ...]:
    """Keep credentials of a target and grant nothing. A value of None or "" is taken out.

    Who replaces a credential that a granted level uses has to prove and grant that level again: what was proved was
    proved with another one. Returns the levels that went for that reason. Raises Refused, NotUnderstood; the values
    are in neither, and the audit names keys only.
    """
    actor.require(Permission.CONNECT, target.name)
    _require_known(values, CREDENTIALS)
    refuse_what_is_not_ours(settings, target, *values)
    file = TargetFile(settings, target.name)
    with file.held():
        before = file.read()
        old: Values = dict(before or {})
        new: Values = {key: value for key, value in {**old, **values}.items() if value not in (None, "", [], {})}
        new = completed(new) | {key: value for key, value in new.items() if not value}
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        if not changed:
            return ()
        replaced = [key for key in changed if key in old]
        lost = _resting_on(replaced, old)
        if lost:
            refuse_what_is_not_ours(settings, target, "levels")
            new["levels"] = _without(old, lost)
        file.check(new)
        detail = {
            "kept": [key for key in changed if key in new],
            "taken_out": [key for key in changed if key not in new],
            "levels_taken_back": [level.value for level in lost],
        }
        _carried_out(
            store,
            file,
            before,
            new,
            lambda tx: _audited(tx, actor, "keep credentials", target.name, target.name, now, detail),
        )
    for level in lost:
        _stop(store, actor, target.name, level, now)
    return lost


def grant(store: Store, settings: Settings, target: Target, level: Level, actor: Actor, now: datetime) -> None:
    """Grant a level that was proved within the hour with the credentials of now. Granting again changes nothing.

    Raises Refused, naming what is missing.
    """
    actor.require(Permission.CONNECT, target.name)
    refuse_what_is_not_ours(settings, target, "levels")
    file = TargetFile(settings, target.name)
    with file.held():
        before = file.read()
        values: Values = dict(before or {})
        if level is Level.LOOK or level.value in values.get("levels", ()):
            return
        # The proof must be of what is kept at this moment, not of what a page has shown a while ago.
        _require_proof(store, settings, file.check(values), level, now)
        wanted = _ordered({*values.get("levels", (Level.LOOK.value,)), level.value})
        new = {**values, "levels": wanted}
        detail = {"level": level.value}
        _carried_out(
            store,
            file,
            before,
            new,
            lambda tx: _audited(tx, actor, "grant level", target.name, level.value, now, detail),
        )


def _require_proof(store: Store, settings: Settings, target: Target, level: Level, now: datetime) -> None:
    kept = newest_proof(store, settings.home, target, level)
    if kept is not None and kept.allows_granting(now):
        return
    if kept is None:
        why = "it has not been proved"
    elif not kept.holds:
        why = "it was proved with other credentials than those of now"
    elif kept.proof.verdict.value != "pass":
        why = f"its last proof did not pass: {kept.proof.summary}"
    else:
        why = "its last proof is older than an hour"
    raise Refused(
        f"'{level}' was not granted on {target.name}: {why}",
        "Nothing was changed.",
        f"Prove it first: /settings?target={target.name}&level={level}.",
        place=f"/settings?target={target.name}&level={level}",
    )


def take_back(
    store: Store, settings: Settings, target: Target, level: Level, actor: Actor, now: datetime
) -> tuple[str, ...]:
    """Take a level back: it goes, and so do the credentials that no other granted level uses; its jobs are stopped at
    their next safe point. Returns the names of the credentials that went. Again changes nothing. Raises Refused.
    """
    actor.require(Permission.CONNECT, target.name)
    if level is Level.LOOK:
        raise Refused(
            "'look' cannot be taken back.", "Nothing was changed.", "It needs no key: remove the target's file."
        )
    refuse_what_is_not_ours(settings, target, "levels")
    file = TargetFile(settings, target.name)
    with file.held():
        before = file.read()
        values: Values = dict(before or {})
        left = set(map(Level, _without(values, (level,))))
        gone = tuple(key for key in keys_of(level) if key in values and not used_by(key) & left)
        new = {key: value for key, value in values.items() if key not in gone}
        new["levels"] = _ordered({one.value for one in left})
        if new != {**values, "levels": _ordered(values.get("levels", ()))}:
            file.check(new)
            detail = {"level": level.value, "taken_out": list(gone)}
            _carried_out(
                store,
                file,
                before,
                new,
                lambda tx: _audited(tx, actor, "take back level", target.name, level.value, now, detail),
            )
    _stop(store, actor, target.name, level, now)
    return gone


def _carried_out(
    store: Store, file: TargetFile, before: Values | None, new: Values, told: Callable[[Connection], None]
) -> None:
    """The file's change and its audit: both are there or neither."""
    written = False
    try:
        with store.write() as tx:
            told(tx)
            file.write(new)
            written = True
    except BaseException:
        if written:
            file.put_back(before)
        raise


def _audited(
    tx: Connection, actor: Actor, action: str, target: str, subject: str, now: datetime, detail: Mapping[str, Any]
) -> None:
    audit.record(tx, actor=actor.id, action=action, target=target, subject=subject, now=now, detail=detail)


def _stop(store: Store, actor: Actor, target: str, level: Level, now: datetime) -> None:
    """Ask what needs the level to stop: a queued job at once, a running one at its next safe point; and disarm."""
    if level is Level.DEPLOY and armed(store, target, now) is not None:
        disarm(store, actor, target, now)
    kinds = [kind.id for kind in KINDS.values() if kind.level is level]
    wanted = select(jobs.c.id).where(jobs.c.target == target, jobs.c.kind.in_(kinds), jobs.c.state.in_(ACTIVE))
    with store.read() as tx:
        active = list(tx.execute(wanted).scalars())
    for job_id in active:
        cancel(store, actor=actor, job_id=job_id, now=now)


def _resting_on(replaced: list[str], values: Values) -> tuple[Level, ...]:
    """The granted levels, but for look, that use a credential which is no longer what it was."""
    granted = [Level(one) for one in values.get("levels", ())]
    return tuple(one for one in granted if one is not Level.LOOK and any(one in used_by(key) for key in replaced))


def _without(values: Values, levels: tuple[Level, ...]) -> list[str]:
    kept = {str(one) for one in values.get("levels", ())} | {Level.LOOK.value}
    return _ordered(kept - {level.value for level in levels})


def _ordered(levels: Any) -> list[str]:
    return [level.value for level in Level if level.value in levels]


def _require_known(values: Mapping[str, Any], known: frozenset[str]) -> None:
    foreign = sorted(set(values) - known)
    if foreign:
        raise NotUnderstood(
            f"{', '.join(foreign)} cannot be set here.", "Nothing was kept.", f"Known: {', '.join(sorted(known))}."
        )
