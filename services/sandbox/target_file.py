"""The running world as a target of the dashboard, like any other: its addresses, keys, people and levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.database.backup.encryption import public_part
from services.sandbox.postgres import OWNER, READ_ONLY

if TYPE_CHECKING:
    from services.sandbox.world import World

_PEOPLE = (
    {"name": "Olof Operator", "role": "Release manager", "phone": "+1 555 0100", "hours": "08:00-20:00 UTC"},
    {"name": "Ada Admin", "role": "Database owner", "phone": "+1 555 0101", "hours": "09:00-17:00 UTC"},
    {"name": "Vera Viewer", "role": "Support lead", "phone": "+1 555 0102", "hours": "around the clock"},
)


def target_values(world: World, control_url: str) -> dict[str, Any]:
    """The fields of `services.settings.Target`. Reads go through the read-only role, deploys through the owner."""
    from services.sandbox.railway import PATH
    from services.sandbox.railway_view import Ids

    addresses, keys, status_url = world.addresses, world.keys, world.ports.url("status")
    return {
        "name": "sandbox",
        "app": world.twin.app,
        "production": False,
        "colour": "violet",
        "levels": ["look", "observe", "platform", "probe", "deploy"],
        "app_url": addresses.app_url,
        "database_url": world.cluster.dsn(READ_ONLY),
        "read_only_url": world.cluster.dsn(READ_ONLY),
        "deploy_url": world.cluster.dsn(OWNER),
        "supabase_url": addresses.supabase_url,
        "supabase_anon_key": keys.anon_key,
        "supabase_service_key": keys.ops_service_key,
        "supabase_management_url": addresses.supabase_url,
        "supabase_access_token": keys.observe_token,
        "supabase_project_ref": keys.project_ref,
        "railway_url": f"{addresses.railway_url}{PATH}",
        "railway_token": keys.railway_token,
        "railway_service_id": Ids.of(keys.name).service,
        "openai_url": addresses.openai_url,
        "openai_key": keys.ops_openai_key,
        "railway_status_url": f"{status_url}/railway",
        "supabase_status_url": f"{status_url}/supabase",
        "openai_status_url": f"{status_url}/openai",
        "probe_accounts": [
            {"purpose": one.purpose, "email": one.email, "password": one.password}
            for one in keys.accounts
            if one.purpose is not None
        ],
        "backup_recipient": public_part(keys.backup_key),
        "fault_control_url": control_url,
        "quick_sign_in": [
            {"name": one.name, "email": one.email, "password": one.password, "role": one.ops_role}
            for one in keys.accounts
            if one.ops_role is not None
        ],
        "people": list(_PEOPLE),
    }
