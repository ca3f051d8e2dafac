"""Places that take connections and never say a word, and a target whose upstreams all lead there."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
UPSTREAMS = ("app", "database", "supabase", "management", "railway", "openai", "status", "control")
PURPOSES = ("probe", "ai", "rate-limit", "admin")


@dataclass(frozen=True, slots=True)
class Silence:
    """A listening socket for each upstream; the kernel accepts connections that nobody takes up."""

    ports: Mapping[str, int]

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[Silence]:
        with ExitStack() as held:
            sockets = {name: held.enter_context(socket.socket()) for name in UPSTREAMS}
            for one in sockets.values():
                one.bind((HOST, 0))
                one.listen(1024)
            yield cls({name: one.getsockname()[1] for name, one in sockets.items()})

    def http(self, upstream: str) -> str:
        return f"http://{HOST}:{self.ports[upstream]}"

    def database(self, user: str) -> str:
        return f"postgresql://{user}:pw@{HOST}:{self.ports['database']}/app"

    def target_values(self) -> dict[str, Any]:
        """The settings of a target that uses everything and hears nothing."""
        return {
            "app_url": self.http("app"),
            "database_url": self.database("reader"),
            "deploy_url": self.database("owner"),
            "supabase_url": self.http("supabase"),
            "supabase_anon_key": "anon-key",
            "supabase_service_key": "service-key",
            "supabase_management_url": self.http("management"),
            "supabase_access_token": "management-token",
            "supabase_project_ref": "abcdefghijklmnopqrst",
            "railway_url": self.http("railway"),
            "railway_token": "platform-token",
            "openai_url": self.http("openai"),
            "openai_key": "our-key",
            "railway_status_url": f"{self.http('status')}/railway",
            "supabase_status_url": f"{self.http('status')}/supabase",
            "openai_status_url": f"{self.http('status')}/openai",
            "fault_control_url": self.http("control"),
            "probe_accounts": [
                {"purpose": purpose, "email": f"{purpose}@example.test", "password": "pw"} for purpose in PURPOSES
            ],
        }
