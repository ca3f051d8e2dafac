"""What can be wrong with the settings that belong to no target: our store, where we listen, sign-in, heartbeat."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path as File

from services.settings.addresses import postgres_address
from services.settings.problems import Collected, shown_name
from services.settings.sources import SecretsFile
from services.settings.target_rules import POSTGRES_KEYS
from services.settings.text_rules import check_text, texts
from services.settings.web_rules import check_web
from services.settings.written import Written

_OIDC = ("metadata_url", "client_id", "client_secret")
_STORES = ("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")


def check_ours(written: Written, collected: Collected, home: File) -> None:
    """Note every problem with settings that belong to no target."""
    ours = {name: value for name, value in written.values.items() if name != "targets"}
    for path, text in texts(ours, ()):
        check_text(path, text, collected)
    _check_home(written, collected, home)
    _check_store(written, collected)
    _check_listening(written, collected)
    _check_oidc(written, collected)
    if isinstance(address := ours.get("heartbeat_url"), str) and not collected.about(("heartbeat_url",)):
        check_web(("heartbeat_url",), address, collected)
    _check_default_target(written, collected)


def _check_home(written: Written, collected: Collected, home: File) -> None:
    if isinstance(written.source(("home",)), SecretsFile):
        collected.add(
            ("home",), "cannot be set in this file", "set the variable OPS_HOME, which is read before any file"
        )
    elif home.exists() and not home.is_dir():
        collected.add(("home",), "names a file", "name a folder of our own")


def _check_store(written: Written, collected: Collected) -> None:
    url = written.values.get("store_url")
    if not isinstance(url, str) or collected.about(("store_url",)):
        return
    if not url.startswith(_STORES):
        collected.add(("store_url",), "is no store that we know", "begin it with sqlite:/// or postgresql://")
    elif url.startswith("sqlite:///"):
        if url in {"sqlite:///", "sqlite:///:memory:"}:
            collected.add(("store_url",), "names no file", "write sqlite:///PATH, since the processes share it")
    elif (address := postgres_address(re.sub(r"^postgres\w*(\+psycopg)?", "postgresql", url))) is None:
        do = "percent-encode @ : / ? # and % in the password"
        collected.add(("store_url",), "cannot be read as a Postgres address", do)
    elif address.place in _databases(written):
        do = "give our own records a database of their own"
        collected.add(("store_url",), "is the database of a target, which we change", do)


def _databases(written: Written) -> set[tuple[str, int, str]]:
    targets = written.values.get("targets")
    found = set()
    for target in targets.values() if isinstance(targets, dict) else ():
        for key in POSTGRES_KEYS if isinstance(target, dict) else ():
            text = target.get(key)
            address = postgres_address(text) if isinstance(text, str) else None
            if address:
                found.add(address.place)
    return found


def _check_listening(written: Written, collected: Collected) -> None:
    host = written.values.get("host")
    if isinstance(host, str) and not collected.about(("host",)) and not _is_host(host):
        collected.add(("host",), "is not an address of a machine", "write an IP address such as 127.0.0.1 or 0.0.0.0")
    public = written.values.get("public_url")
    if isinstance(public, str) and not collected.about(("public_url",)):
        check_web(("public_url",), public, collected)


def _is_host(text: str) -> bool:
    if text == "localhost":
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_oidc(written: Written, collected: Collected) -> None:
    oidc = written.values.get("oidc")
    if not isinstance(oidc, dict):
        return
    for name in _OIDC:
        if name not in oidc:
            do = f"add {name}, or take all of oidc away"
            collected.add(("oidc", name), "is missing, so that sign-in is configured by half", do)
    address = oidc.get("metadata_url")
    path = ("oidc", "metadata_url")
    if isinstance(address, str) and not collected.about(path):
        parts = check_web(path, address, collected)
        if parts and not parts.path.endswith("/.well-known/openid-configuration"):
            do = "write the address that ends with /.well-known/openid-configuration"
            collected.add(path, "is not the provider's description", do)


def _check_default_target(written: Written, collected: Collected) -> None:
    name, targets = written.values.get("default_target"), written.values.get("targets")
    known = sorted(targets) if isinstance(targets, dict) else []
    if isinstance(name, str) and name != "sandbox" and name not in known:
        listed = ", ".join(map(shown_name, known)) or "none yet"
        do = f"name one of those that are configured ({listed}), or unset it until there is one"
        collected.add(("default_target",), f"names '{shown_name(name)}', which is no target that is configured", do)
