"""Who sits at the command line: the account of the operating system, and the role it has on a target."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from contextlib import suppress

from services.access.permissions import Actor, Role
from services.errors import NotUnderstood, Refused
from services.settings import Target

SANDBOX = "sandbox"
ROLE_SETTING = "OPS_CLI_ROLE__"


def person(target: Target, environ: Mapping[str, str] = os.environ) -> Actor:
    """The actor `cli:<account>`: admin on the sandbox, elsewhere what OPS_CLI_ROLE__<TARGET> says, and where it says
    nothing, admin of what this account has made: whoever has this console could write the target's file by hand.

    Raises Refused where no role is set (never a viewer by default), NotUnderstood where it is none.
    """
    name_here = account()
    role = _role(target, environ, f"cli:{name_here}")
    return Actor(id=f"cli:{name_here}", name=f"{name_here} (command line)", role=role, target=target.name)


def maker(name: str) -> Actor:
    """Who makes a target of that name at this console, and is its admin from then on."""
    name_here = account()
    return Actor(id=f"cli:{name_here}", name=f"{name_here} (command line)", role=Role.ADMIN, target=name)


def _role(target: Target, environ: Mapping[str, str], actor_id: str) -> Role:
    if target.name == SANDBOX and not target.production:
        return Role.ADMIN
    setting = ROLE_SETTING + target.name.upper().replace("-", "_")
    known = ", ".join(role.value for role in Role)
    said = environ.get(setting)
    if not said and target.founder == actor_id:
        return Role.ADMIN
    if not said:
        raise Refused(
            f"The command line has no role on {target.name}.",
            "Nothing was done.",
            f"Set {setting} to one of: {known}.",
            place=setting,
        )
    try:
        return Role(said)
    except ValueError:
        raise NotUnderstood(f"'{said}' is not a role.", "Nothing was done.", f"Roles: {known}.", setting) from None


def account() -> str:
    """The account that this process runs as, as the operating system knows it; no variable of the environment says it.

    That of the superuser is always "root", by whatever name it is known there.
    """
    if not hasattr(os, "getuid"):
        return getpass.getuser()
    import pwd

    uid = os.getuid()
    if uid == 0:
        return "root"
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"uid-{uid}"
