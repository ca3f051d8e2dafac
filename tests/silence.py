"""A place that takes connections and never says a word, and a target whose upstreams all lead there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
PURPOSES = ("probe", "ai", "rate-limit", "admin")


@dataclass(frozen=True, slots=True)
class Silence:
    """One listening socket whose connections nobody takes up, so that the kernel accepts them and nothing answers."""

    host: str
    port: int

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[Silence]:
        with socket.socket() as held:
            held.bind((HOST, 0))
            held.listen(1024)
            yield cls(HOST, held.getsockname()[1])

    @property
    def http(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def database(self) -> str:
        return f"postgresql://reader:pw@{self.host}:{self.port}/app"

    def target_values(self) -> dict[str, Any]:
        """The settings of a target that uses everything and hears nothing."""
        return {
            "app_url": self.http,
            "database_url": self.database,
            "deploy_url": self.database.replace("reader", "owner"),
            "supabase_url": self.http,
            "supabase_anon_key": "anon-key",
            "supabase_service_key": "service-key",
            "supabase_management_url": self.http,
            "supabase_access_token": "management-token",
            "supabase_project_ref": "abcdefghijklmnopqrst",
            "railway_url": self.http,
            "railway_token": "platform-token",
            "openai_url": self.http,
            "openai_key": "our-key",
            "railway_status_url": f"{self.http}/railway",
            "supabase_status_url": f"{self.http}/supabase",
            "openai_status_url": f"{self.http}/openai",
            "fault_control_url": self.http,
            "probe_accounts": [
                {"purpose": purpose, "email": f"{purpose}@example.test", "password": "pw"} for purpose in PURPOSES
            ],
        }
