"""One project of Supabase, from outside Postgres: the Data API, Auth and the Management API behind one door."""

from __future__ import annotations

from pydantic import SecretStr

from services.clients.http import HoldsSecrets
from services.clients.supabase_answers import (
    ApiCounts,
    Backups,
    DiskUse,
    Lint,
    LogLine,
    Pooler,
    Project,
    ReadOnlyState,
    ServiceHealth,
)
from services.clients.supabase_auth import AuthHealth, SignedIn, SupabaseAuth
from services.clients.supabase_management import HEALTH_OF, MANAGEMENT, SupabaseManagement
from services.clients.supabase_rest import Key, Rows, SupabaseRest
from services.settings import Target

__all__ = [
    "HEALTH_OF",
    "MANAGEMENT",
    "ApiCounts",
    "AuthHealth",
    "Backups",
    "DiskUse",
    "Key",
    "Lint",
    "LogLine",
    "Pooler",
    "Project",
    "ReadOnlyState",
    "Rows",
    "ServiceHealth",
    "SignedIn",
    "SupabaseClient",
]


class SupabaseClient(SupabaseRest, SupabaseAuth, SupabaseManagement, HoldsSecrets):
    """Each part needs its own credential and raises Unavailable where it is not set, UpstreamError where it fails."""

    def __init__(
        self,
        *,
        url: str | None,
        anon_key: str | SecretStr | None = None,
        service_key: str | SecretStr | None = None,
        management_url: str | None = None,
        access_token: str | SecretStr | None = None,
        ref: str | None = None,
    ) -> None:
        SupabaseRest.__init__(self, url=url, anon_key=anon_key, service_key=service_key)
        SupabaseAuth.__init__(self, url=url, anon_key=anon_key)
        SupabaseManagement.__init__(self, management_url=management_url, access_token=access_token, ref=ref)

    @classmethod
    def of(cls, target: Target) -> SupabaseClient:
        return cls(
            url=target.supabase_url,
            anon_key=target.supabase_anon_key,
            service_key=target.supabase_service_key,
            management_url=target.supabase_management_url,
            access_token=target.supabase_access_token,
            ref=target.supabase_project_ref,
        )

    def __repr__(self) -> str:
        return f"SupabaseClient({self._ref or 'no ref'})"

    def close(self) -> None:
        self._close_rest()
        self._close_auth()
        self._close_management()
