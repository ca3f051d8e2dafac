"""The ways of signing in that a target offers, and whether they are enough for being reached from elsewhere."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from services.errors import NotUnderstood
from services.settings import Settings, Target

SANDBOX = "sandbox"
LOOPBACK_NAMES = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class AuthProject:
    """The project of Supabase whose Auth says who somebody is. own: not the one the app itself uses."""

    url: str
    anon_key: SecretStr
    own: bool


def auth_project(target: Target) -> AuthProject | None:
    """Where e-mail and password are asked about; None where that is not set.

    A project of one's choosing that lacks its key is no reason to ask the app's own project instead.
    """
    if target.auth_url is not None:
        return AuthProject(target.auth_url, target.auth_anon_key, own=True) if target.auth_anon_key else None
    if target.supabase_url is not None and target.supabase_anon_key is not None:
        return AuthProject(target.supabase_url, target.supabase_anon_key, own=False)
    return None


def has_sign_in(settings: Settings, target: Target) -> bool:
    """Whether people can prove who they are on this target; quick accounts prove nothing."""
    return auth_project(target) is not None or settings.oidc is not None


def founder_may_sign_in(settings: Settings, target: Target) -> bool:
    """Whether its founder is its admin: until somebody can sign in to it by proving who they are."""
    return target.founder is not None and not has_sign_in(settings, target)


def quick_accounts_count(settings: Settings, target: Target) -> bool:
    """Whether accounts without a password are taken: on a disposable target that only this machine reaches."""
    return not target.production and not beyond_loopback(settings)


def beyond_loopback(settings: Settings) -> bool:
    """Whether others than this machine reach us: by the address we listen on, or through what stands before us."""
    return not is_loopback(settings.host) or (
        settings.public_url is not None and not is_loopback(urlsplit(settings.public_url).hostname or "")
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address is that of this machine alone."""
    bare = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare in LOOPBACK_NAMES


def is_private_on_the_way(address: str) -> bool:
    """Whether what is sent to this address cannot be read by others: TLS, or this machine alone."""
    place = urlsplit(address)
    return place.scheme == "https" or (place.scheme == "http" and is_loopback(place.hostname or ""))


def exposure_problems(settings: Settings) -> list[str]:
    """What forbids listening beyond loopback, a sentence each; nothing where that is safe or not asked for."""
    if not beyond_loopback(settings):
        return []
    problems: list[str] = []
    if settings.public_url is None:
        problems.append("OPS_PUBLIC_URL is not set: the https:// address that browsers will use is needed.")
    elif not settings.public_url.startswith("https://"):
        problems.append("OPS_PUBLIC_URL does not begin with https://: cookies would cross the network in the clear.")
    if settings.default_target == SANDBOX:
        problems.append("The target would be the sandbox, whose accounts need no password: name another (OPS_TARGET).")
    elif not settings.targets:
        problems.append("No target is configured.")
    for name, target in sorted(settings.targets.items()):
        if target.quick_sign_in:
            problems.append(f"{name} has accounts that need no password: take quick_sign_in out, or the whole target.")
        elif not has_sign_in(settings, target):
            problems.append(f"{name} has no sign-in: set auth_url and auth_anon_key, or OIDC.")
    return problems


def require_safe_exposure(settings: Settings) -> None:
    """Raise NotUnderstood, with all that is missing, where others than this machine would reach us unsafely."""
    problems = exposure_problems(settings)
    if problems:
        reached = settings.host if not is_loopback(settings.host) else f"{settings.host} behind {settings.public_url}"
        raise NotUnderstood(
            f"Listening on {reached} is refused, since others than this machine would reach it. {' '.join(problems)}",
            "Nothing was started.",
            "Mend these, or listen on 127.0.0.1 without OPS_PUBLIC_URL.",
            place="--host or OPS_HOST",
        )
