"""What can be wrong with a target beyond the kind of each value: keys that contradict each other or are missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.settings.addresses import PostgresAddress, postgres_address, project_of, web_address
from services.settings.levels import WORKS_WITH, Level
from services.settings.model import COLOURS, PURPOSES
from services.settings.problems import Collected, Path, meant
from services.settings.secret_kinds import is_age_recipient
from services.settings.sources import TargetFiles
from services.settings.text_rules import check_text, texts
from services.settings.web_rules import check_web
from services.settings.written import Written

WEB_KEYS = (
    *("app_url", "supabase_url", "supabase_management_url", "railway_url", "openai_url", "railway_status_url"),
    *("supabase_status_url", "openai_status_url", "auth_url", "fault_control_url"),
)
POSTGRES_KEYS = ("database_url", "read_only_url", "deploy_url")
NOT_ON_PRODUCTION: Mapping[str, tuple[str, str]] = {
    "deploy_url": (
        "must not be kept for a production target",
        "take it out and hand it over for one run with `arm`, which holds it in memory only",
    ),
    "quick_sign_in": ("must not exist on a production target", "take it out: there people sign in as themselves"),
    "fault_control_url": ("must not exist on a production target", "take it out: nothing is broken there on purpose"),
}

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_APP = re.compile(r"[a-z][a-z0-9_]*")
_REF = re.compile(r"[a-z]{20}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ROLES = ("viewer", "operator", "admin")
_NO_LOGIN = frozenset({"anon", "authenticated", "service_role"})
_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})


def check_targets(written: Written, collected: Collected) -> None:
    """Note every problem with the targets and with what stands in them."""
    targets = written.values.get("targets")
    if not isinstance(targets, dict):
        return
    for name, values in targets.items():
        _check_name(str(name), targets, collected)
        if isinstance(values, dict):
            check_target(str(name), values, collected)
            _check_levels(str(name), values, written, collected)


def check_target(name: str, values: Mapping[str, Any], collected: Collected) -> None:
    """Note what is wrong with the values of one target; those of its levels apart."""
    at: Path = ("targets", name)
    for path, text in texts(values, at):
        check_text(path, text, collected)
    if values.get("name", name) != name and not collected.about((*at, "name")):
        collected.add((*at, "name"), "differs from the name that the target has here", "remove it")
    for key in WEB_KEYS:
        if _is_sound(values, key, at, collected):
            check_web((*at, key), values[key], collected)
    for key in POSTGRES_KEYS:
        if _is_sound(values, key, at, collected):
            _check_postgres((*at, key), values[key], collected)
    _check_words(at, values, collected)
    _check_project(at, values, collected)
    _check_accounts(at, values, collected)
    if is_production(values):
        for key, (wrong, do) in NOT_ON_PRODUCTION.items():
            if values.get(key):
                collected.add((*at, key), wrong, do)


def is_production(values: Mapping[str, Any]) -> bool:
    """Whether a target counts as production: also where nothing is said."""
    said = values.get("production", True)
    return said.strip().lower() in _TRUE if isinstance(said, str) else bool(said)


def _is_sound(values: Mapping[str, Any], key: str, at: Path, collected: Collected) -> bool:
    return isinstance(values.get(key), str) and not collected.about((*at, key))


def _check_name(name: str, targets: Mapping[str, Any], collected: Collected) -> None:
    path = ("targets", name, "name")
    twin = next((str(other) for other in targets if other != name and str(other).lower() == name.lower()), None)
    if _NAME.fullmatch(name):
        return
    if twin is not None:
        collected.add(path, f"differs from '{name.lower()}' in upper and lower case only", "keep one of the two")
    else:
        do = "use small letters, digits and dashes, beginning with a letter"
        collected.add(path, "gives a target a name that we cannot use", do)


def _check_words(at: Path, values: Mapping[str, Any], collected: Collected) -> None:
    if _is_sound(values, "colour", at, collected) and values["colour"] not in COLOURS:
        close = meant(values["colour"], COLOURS, 0.6)
        do = f"write {close} if that is meant" if close else f"use one of {', '.join(COLOURS)}"
        collected.add((*at, "colour"), "is no colour that we can show", do)
    if _is_sound(values, "app", at, collected) and not _APP.fullmatch(values["app"]):
        collected.add((*at, "app"), "is not the name of an app", "write the name of its folder, as in pulsecheck")
    if _is_sound(values, "backup_recipient", at, collected) and not is_age_recipient(values["backup_recipient"]):
        do = "copy it anew: age1 and 58 more characters, as `backup --new-key` prints it"
        collected.add((*at, "backup_recipient"), "is not an age recipient whose check sum is right", do)
    if isinstance(addresses := values.get("notify_urls"), list):
        for index, one in enumerate(addresses):
            if isinstance(one, str) and not re.match(r"[a-z][a-z0-9+.-]*://.", one):
                collected.add((*at, "notify_urls", index), "is no address", "begin it with https:// or another scheme")


def _check_postgres(path: Path, text: str, collected: Collected) -> None:
    address = postgres_address(text)
    if not text.startswith(("postgresql://", "postgres://")):
        collected.add(path, "must begin with postgresql://", "write the database's whole address")
    elif address is None:
        do = "percent-encode @ : / ? # and % in the password"
        collected.add(path, "cannot be read as a Postgres address", do)
    elif address.user in _NO_LOGIN:
        do = "log in as ops_reader to read, or as the owner to deploy"
        collected.add(path, "logs in as a role of the API that may not log in", do)
    elif address.is_pooler and "." not in address.user and not address.options:
        collected.add(path, "names a user that the pooler does not know", "write the user as ROLE.PROJECT-REF there")


def _check_project(at: Path, values: Mapping[str, Any], collected: Collected) -> None:
    """The project's ref, and whether the addresses beside it are those of the same project."""
    if not _is_sound(values, "supabase_project_ref", at, collected):
        return
    ref, path = values["supabase_project_ref"], (*at, "supabase_project_ref")
    if not _REF.fullmatch(ref):
        collected.add(path, "is not a project's ref", "write the 20 small letters before .supabase.co")
        return
    for key in ("supabase_url", *POSTGRES_KEYS):
        if not _is_sound(values, key, at, collected):
            continue
        address: PostgresAddress | None = None if key == "supabase_url" else postgres_address(values[key])
        parts = web_address(values[key]) if key == "supabase_url" else None
        other = address.ref if address else project_of(parts.hostname if parts else None)
        if other is not None and other != ref:
            collected.add(path, f"belongs to another project than {key}", "take both from one project")
            return


def _check_accounts(at: Path, values: Mapping[str, Any], collected: Collected) -> None:
    for path, one in _entries(at, values, "probe_accounts"):
        _check_purpose((*path, "purpose"), one.get("purpose"), collected)
        _check_mail((*path, "email"), one.get("email"), collected)
    for path, one in _entries(at, values, "quick_sign_in"):
        _check_mail((*path, "email"), one.get("email"), collected)
        if isinstance(role := one.get("role"), str) and role not in _ROLES:
            collected.add((*path, "role"), "is no role", f"use one of {', '.join(_ROLES)}")
    caps = values.get("probe_caps")
    for purpose in caps if isinstance(caps, dict) else ():
        _check_purpose((*at, "probe_caps", purpose), purpose, collected)


def _entries(at: Path, values: Mapping[str, Any], key: str) -> list[tuple[Path, Mapping[str, Any]]]:
    entries = values.get(key)
    found = enumerate(entries) if isinstance(entries, list) else ()
    return [((*at, key, index), one) for index, one in found if isinstance(one, dict)]


def _check_purpose(path: Path, purpose: object, collected: Collected) -> None:
    if isinstance(purpose, str) and purpose not in PURPOSES:
        close = meant(purpose, PURPOSES, 0.6)
        do = f"write {close} if that is meant" if close else f"use one of {', '.join(PURPOSES)}"
        collected.add(path, "is no purpose of a test account", do)


def _check_mail(path: Path, text: object, collected: Collected) -> None:
    if isinstance(text, str) and not _MAIL.fullmatch(text):
        collected.add(path, "is no e-mail address", "write one, as in ops-probe@example.com")


def _check_levels(name: str, values: Mapping[str, Any], written: Written, collected: Collected) -> None:
    """A level without a credential is a mistake where one hand-written source says all about the target. Where several
    do, or the product itself wrote the file, it is a warning: something was taken back, and nothing may stand still."""
    path: Path = ("targets", name, "levels")
    levels = values.get("levels")
    if not isinstance(levels, list) or collected.about(path):
        return
    known = [level.value for level in Level]
    unknown = [one for one in levels if not isinstance(one, str) or one not in known]
    if unknown:
        collected.add(path, "names a level that does not exist", f"use {', '.join(known)}")
        return
    sources = written.sources_of(name)
    if len(sources) > 1 or any(isinstance(source, TargetFiles) for source in sources):
        return
    for level in map(Level, levels):
        if lacks(level, values):
            groups = " or ".join(" and ".join(group) for group in WORKS_WITH[level])
            collected.add(path, f"grants '{level}' without what it works with", f"set {groups}, or take '{level}' out")


def lacks(level: Level, values: Mapping[str, Any]) -> bool:
    """Whether a level has none of what it works with."""
    groups = WORKS_WITH[level]
    return bool(groups) and not any(all(values.get(key) for key in group) for group in groups)
