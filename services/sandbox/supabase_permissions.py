"""What an access token of the Management API may do: permissions by name, and the token that has only some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hmac import compare_digest

from services.sandbox.keys import Keys

READ_ONLY_SCOPES: frozenset[str] = frozenset(
    {
        "advisors_read",
        "analytics_logs_read",
        "analytics_usage_read",
        "backups_read",
        "database_pooling_config_read",
        "database_read",
        "database_readonly_config_read",
        "infra_disk_config_read",
        "project_admin_read",
    }
)
"""What the token that only reads was made with."""

NEEDED: Mapping[str, Sequence[str]] = {
    "": ("project_admin_read",),
    "/health": ("project_admin_read",),
    "/database/backups": ("backups_read",),
    "/database/query": ("database_write",),
    "/database/query/read-only": ("database_read",),
    "/advisors/security": ("advisors_read",),
    "/advisors/performance": ("advisors_read",),
    "/analytics/endpoints/logs": ("analytics_logs_read",),
    "/analytics/endpoints/usage.api-counts": ("analytics_usage_read",),
    "/config/database/pooler": ("database_pooling_config_read",),
    "/config/disk/util": ("infra_disk_config_read",),
    "/readonly": ("database_readonly_config_read",),
}
"""By path below the project: the permissions a call needs."""


def missing_permissions(keys: Keys, token: str | None, path: str) -> tuple[str, ...] | None:
    """What the token lacks for a call of this path, empty where it lacks nothing; None for a token nobody knows."""
    given = (token or "").encode()
    if compare_digest(given, keys.management_token.encode()):
        return ()
    if compare_digest(given, keys.observe_token.encode()):
        return tuple(one for one in NEEDED[path] if one not in READ_ONLY_SCOPES)
    return None
