"""What is configured in a way that works today and is dangerous or will end, as seen in the settings alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

from services.errors import OpsError
from services.settings.addresses import PostgresAddress, is_loopback, postgres_address, project_of, web_address
from services.settings.file_facts import FileFacts, settings_files
from services.settings.levels import WORKS_WITH, Level
from services.settings.model import Settings, Target
from services.settings.secret_kinds import ANON, SERVICE, claims_of, kind_of
from services.settings.target_rules import lacks

LEGACY_KEYS_END = datetime(2027, 1, 1, tzinfo=UTC)
"""Supabase ends the keys that are JSON web tokens with the year 2026."""
SOON = timedelta(days=60)

_KEYS = ("supabase_anon_key", "supabase_service_key", "auth_anon_key")
_DATABASES = ("database_url", "read_only_url", "deploy_url")
_PLAIN = ("app_url", "supabase_url", "auth_url", "supabase_management_url", "railway_url", "openai_url")
_OWNERS = frozenset({"postgres", "supabase_admin"})
_PRODUCTION_NAMES = frozenset({"production", "prod", "live"})
_CREDENTIALS_OF = {
    Level.PROBE: ("probe_accounts",),
    Level.DEPLOY: ("deploy_url",),
    Level.OBSERVE: (
        *("database_url", "supabase_access_token", "supabase_service_key"),
        *("railway_token", "openai_key", "openai_admin_key"),
    ),
}


class SettingsWarning(OpsError):
    """Something that works today and should not stay as it is. place: "targets.NAME.KEY", or the file."""

    exit_code = 0


def warnings_of(
    settings: Settings, root: Path, now: datetime, files: Sequence[FileFacts] | None = None
) -> list[SettingsWarning]:
    """Every warning about the settings, those of files first, then target by target.

    root:  the folder that holds .streamlit/
    files: facts about the settings files; None: as they are on this machine now
    """
    targets = [settings.targets[name] for name in sorted(settings.targets)]
    found = list(_of_files(settings_files(settings.home, root) if files is None else files))
    found += _of_ourselves(settings, targets)
    for target in targets:
        for look in _EACH:
            found += look(target, now)
    for one, other in combinations(targets, 2):
        found += _of_two(one, other)
    return found


def _of_files(files: Iterable[FileFacts]) -> Iterator[SettingsWarning]:
    for file in files:
        if file.mode & 0o077:
            yield SettingsWarning(
                f"{file.shown} can be read by other accounts of this machine (mode {file.mode:o}).",
                "Whoever has an account here has the keys in it.",
                "Take the right away with `chmod 600`.",
                place=file.shown,
            )
        if file.tracked:
            yield SettingsWarning(
                f"{file.shown} is kept in git.",
                "Its keys are in every copy of the repository, also after it is deleted.",
                "Take it out with `git rm --cached`, ignore it, and replace every key in it.",
                place=file.shown,
            )


def _of_ourselves(settings: Settings, targets: Sequence[Target]) -> Iterator[SettingsWarning]:
    if not is_loopback(settings.host) and settings.public_url is None:
        yield SettingsWarning(
            "We listen beyond this machine, and public_url is not set.",
            "Browsers that come by another name than ours are turned away.",
            "Set OPS_PUBLIC_URL to the https address under which we are reached.",
            place="public_url",
        )
    store = postgres_address(settings.store_url.replace("postgresql+psycopg:", "postgresql:"))
    for target in targets:
        if store is not None and store.ref is not None and store.ref in _projects(target):
            yield SettingsWarning(
                f"Our own store lies in the Supabase project of {target.name}.",
                "When that project is down, so are the records of what was done to it, and the way back.",
                "Give the store a database elsewhere.",
                place="store_url",
            )
        if target.backup_folder is not None and target.backup_folder.is_relative_to(settings.home):
            yield SettingsWarning(
                f"The backups of {target.name} lie in our own folder.",
                "What takes our records away takes them away too.",
                "Set backup_folder to a folder on another disk.",
                place=f"targets.{target.name}.backup_folder",
            )


def _of_name(target: Target, _now: datetime) -> Iterator[SettingsWarning]:
    if target.name in _PRODUCTION_NAMES and not target.production:
        yield SettingsWarning(
            f"{target.name} is named like production and not marked as production.",
            "It is treated as disposable: its rows may be copied, and what production refuses is allowed.",
            "Set production = true, or choose another name.",
            place=f"targets.{target.name}.production",
        )


def _of_databases(target: Target, _now: datetime) -> Iterator[SettingsWarning]:
    for key, address in _addresses(target):
        place = f"targets.{target.name}.{key}"
        if address.is_transaction_pooler:
            yield SettingsWarning(
                f"{key} of {target.name} leads to a transaction pooler (port 6543).",
                "Locks and settings do not last there, so a deploy through it is refused and some checks stay unknown.",
                "Take the session pooler's address: the same host with port 5432.",
                place=place,
            )
        elif address.is_direct:
            yield SettingsWarning(
                f"{key} of {target.name} leads to the project's direct host, which most often speaks IPv6 only.",
                "From a machine or a platform without IPv6 it cannot be reached.",
                "Take the session pooler's address, which the project's page shows under Connect.",
                place=place,
            )
        if not address.is_here and address.sslmode in {None, "disable", "allow", "prefer"}:
            yield SettingsWarning(
                f"{key} of {target.name} does not insist on TLS.",
                "The password and every row may travel unencrypted.",
                "Add sslmode=require to the address, or verify-full with the provider's certificate.",
                place=place,
            )
    reader = dict(_addresses(target)).get("database_url")
    if reader is not None and not reader.is_here and reader.user.partition(".")[0] in _OWNERS:
        yield SettingsWarning(
            f"database_url of {target.name} logs in as {reader.user.partition('.')[0]}, who can change everything.",
            "Reading needs less: a mistake, or whoever finds that address, could write.",
            "Make the role ops_reader with the SQL that /settings shows, and use its address.",
            place=f"targets.{target.name}.database_url",
        )


def _of_keys(target: Target, now: datetime) -> Iterator[SettingsWarning]:
    for key in _KEYS:
        secret = getattr(target, key)
        text = secret.get_secret_value() if secret else ""
        ends = claims_of(text).get("exp")
        place = f"targets.{target.name}.{key}"
        if isinstance(ends, int | float) and now.timestamp() > ends - SOON.total_seconds():
            left = (datetime.fromtimestamp(ends, UTC) - now).days
            yield SettingsWarning(
                f"{key} of {target.name} " + (f"ends in {left} days." if left >= 0 else "has ended."),
                "What goes through it is refused from then on.",
                "Make a new one on the project's page of API keys.",
                place=place,
            )
        elif kind_of(text) in {ANON, SERVICE} and _is_hosted(target):
            days = (LEGACY_KEYS_END - now).days
            when = f"which Supabase ends in {days} days" if days > 0 else "which Supabase has ended"
            yield SettingsWarning(
                f"{key} of {target.name} is a legacy key, {when}.",
                "From then on it is refused, by Supabase or by whoever turns legacy keys off in the project.",
                "Replace it by a publishable or a secret key (sb_...).",
                place=place,
            )


def _of_plain_http(target: Target, _now: datetime) -> Iterator[SettingsWarning]:
    for key in _PLAIN:
        parts = web_address(getattr(target, key) or "")
        if parts is not None and parts.scheme == "http" and not is_loopback(parts.hostname):
            yield SettingsWarning(
                f"{key} of {target.name} begins with http://.",
                "Whatever travels there, keys too, can be read and changed on the way.",
                "Use https://.",
                place=f"targets.{target.name}.{key}",
            )


def _of_levels(target: Target, _now: datetime) -> Iterator[SettingsWarning]:
    values = dict(target)
    for level in Level:
        if target.allows(level) and lacks(level, values):
            groups = " or ".join(" and ".join(group) for group in WORKS_WITH[level])
            yield SettingsWarning(
                f"{target.name} grants '{level}' without what it works with ({groups}).",
                "What needs that level stays unknown.",
                f"Give the credential back, or take '{level}' out of the levels.",
                place=f"targets.{target.name}.levels",
            )
    unused = [
        key
        for level, keys in _CREDENTIALS_OF.items()
        for key in keys
        if getattr(target, key) and not target.allows(level) and not _used_above_look(target, key)
    ]
    if unused:
        yield SettingsWarning(
            f"{target.name} keeps credentials that no level of it uses: {', '.join(unused)}.",
            "A key that is not used can only be lost.",
            "Grant the level that uses it, or take the key out.",
            place=f"targets.{target.name}.levels",
        )


def _used_above_look(target: Target, key: str) -> bool:
    """Whether a credential of observe serves another level that is granted."""
    others = {Level.PLATFORM: ("railway_token",), Level.PROBE: ("database_url", "supabase_service_key", "openai_key")}
    return any(target.allows(level) and key in keys for level, keys in others.items())


def _of_two(one: Target, other: Target) -> Iterator[SettingsWarning]:
    shared = _shared(one, other)
    if shared and one.production != other.production:
        real, false = (one, other) if one.production else (other, one)
        yield SettingsWarning(
            f"{false.name} is not marked as production and has {shared} of {real.name}, which is.",
            f"What is tried out on {false.name} happens to {real.name}.",
            f"Give {false.name} a project of its own, or mark it as production.",
            place=f"targets.{false.name}.production",
        )
    elif shared:
        yield SettingsWarning(
            f"{one.name} and {other.name} have {shared} in common.",
            "What is done to one is done to the other, and their records contradict each other.",
            "Keep one of the two.",
            place=f"targets.{other.name}",
        )
    elif one.colour == other.colour and one.production != other.production:
        yield SettingsWarning(
            f"{one.name} and {other.name} are shown in the same colour ({one.colour}), and one of them is production.",
            "At night they are told apart by their names alone.",
            "Give them different colours.",
            place=f"targets.{other.name}.colour",
        )


def _shared(one: Target, other: Target) -> str | None:
    """What two targets have in common that only one of them can be, as words; None where there is nothing."""
    databases = [{address.place for _, address in _addresses(target)} for target in (one, other)]
    if _projects(one) & _projects(other):
        return "the Supabase project"
    if databases[0] & databases[1]:
        return "the database"
    if one.railway_service_id is not None and one.railway_service_id == other.railway_service_id:
        return "the Railway service"
    if one.app_url is not None and one.app_url == other.app_url:
        return "the app's address"
    return None


def _projects(target: Target) -> set[str]:
    """The Supabase projects that a target's settings name, hosted ones only."""
    parts = web_address(target.supabase_url or "")
    named = {project_of(parts.hostname if parts else None), *(address.ref for _, address in _addresses(target))}
    return {ref for ref in (*named, target.supabase_project_ref) if ref is not None}


def _is_hosted(target: Target) -> bool:
    parts = web_address(target.supabase_url or target.auth_url or "")
    return project_of(parts.hostname if parts else None) is not None


def _addresses(target: Target) -> list[tuple[str, PostgresAddress]]:
    found = []
    for key in _DATABASES:
        secret = getattr(target, key)
        address = postgres_address(secret.get_secret_value()) if secret else None
        if address is not None:
            found.append((key, address))
    return found


_EACH: Sequence[Callable[[Target, datetime], Iterator[SettingsWarning]]] = (
    *(_of_name, _of_databases, _of_keys, _of_plain_http, _of_levels),
)
