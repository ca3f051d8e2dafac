"""Who may reach this process and by which names, from our settings; and what Streamlit has to know of it."""

from __future__ import annotations

from urllib.parse import urlsplit

from streamlit import config

from dashboard import composition
from dashboard.edge.guard import Surroundings
from services.access.ways import beyond_loopback, is_loopback
from services.errors import OpsError

HOSTS_OPTION = "server.allowedHosts"


def now() -> Surroundings:
    """By the settings of now; where they cannot be read, this machine alone."""
    # A name of elsewhere that was only written into Streamlit's list would open us without anybody signing in.
    names = frozenset(name.lower() for name in config.get_option(HOSTS_OPTION) if is_loopback(name))
    try:
        settings = composition.settings()
    except OpsError:
        return Surroundings(names)
    public = urlsplit(settings.public_url or "").hostname
    return Surroundings(names | {public} if public else names, settings.public_url, beyond_loopback(settings))


def tell_streamlit() -> None:
    """Make our public name one that Streamlit's WebSocket takes as well; it looks at names of its own.

    As the server's own address it is compared before Streamlit would ask a host outside for its public IP address.
    """
    public = urlsplit(now().public_url or "").hostname
    if public and not is_loopback(public):
        config.set_option(HOSTS_OPTION, [*config.get_option(HOSTS_OPTION), public])
        config.set_option("browser.serverAddress", public)
