"""Sending a notice to addresses outside through apprise; an address is a secret and is named by its kind only."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydantic import SecretStr

TIMEOUT_S = 8.0
"""For one address, from its connection to its answer."""


def send(addresses: Sequence[SecretStr], title: str, text: str) -> str | None:
    """Tell every address. None where all took it; else a sentence that begins "Not everybody" or "Nobody".

    Never raises: what a service or its library stumbles over is a failure of that address.
    """
    failed = [
        f"{number} ({_kind(address)})"
        for number, address in enumerate(addresses, start=1)
        if not _sent(address, title, text)
    ]
    if not failed:
        return None
    who = "Nobody was told" if len(failed) == len(addresses) else "Not everybody was told"
    return f"{who}: of {len(addresses)} addresses, number {', '.join(failed)} did not take it."


def _sent(address: SecretStr, title: str, text: str) -> bool:
    # Only when there is something to send: its many services take a while to load.
    from apprise import Apprise, AppriseAsset, NotifyFormat

    # It writes addresses into its log, tokens and all.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = AppriseAsset(async_mode=False, service_timeout=TIMEOUT_S, app_id="Release cockpit", secure_logging=True)
    messenger = Apprise(asset=asset)
    try:
        if not messenger.add(address.get_secret_value()):
            return False
        return bool(messenger.notify(body=text, title=title, body_format=NotifyFormat.TEXT))
    except Exception:
        # Dozens of services, each with its own errors, whose texts may hold the address.
        return False


def _kind(address: SecretStr) -> str:
    """The word before "://", where it is one: "slack", "mailtos"."""
    word, parted, _ = address.get_secret_value().partition("://")
    return word if parted and word.isalpha() and len(word) <= 20 else "unknown kind"
