"""Where to click: the pages of Supabase, Railway and OpenAI that make or withdraw a key, with the target's ids."""

from __future__ import annotations

from collections.abc import Mapping

from services.app_definition import AppDefinition, Link, LinkTemplate
from services.settings import Target

_SUPABASE = "https://supabase.com/dashboard"
_RAILWAY = "https://railway.com/dashboard"
_OPENAI = "https://platform.openai.com"


def _project(title: str, path: str) -> LinkTemplate:
    return LinkTemplate(title=title, template=f"{_SUPABASE}/project/{{supabase_project_ref}}{path}", home=_SUPABASE)


def _fixed(title: str, url: str) -> LinkTemplate:
    return LinkTemplate(title=title, template=url, home=url)


PLATFORM_LINKS: Mapping[str, LinkTemplate] = {
    "supabase_tokens": _fixed("Supabase access tokens", f"{_SUPABASE}/account/tokens"),
    "supabase_general": _project("Supabase project settings", "/settings/general"),
    "supabase_api_keys": _project("Supabase API keys", "/settings/api-keys"),
    "supabase_connect": _project("Supabase connection strings", "?showConnect=true"),
    "supabase_sql_editor": _project("Supabase SQL Editor", "/sql/new"),
    "supabase_database": _project("Supabase database settings", "/database/settings"),
    "supabase_users": _project("Supabase Auth users", "/auth/users"),
    "railway_tokens": LinkTemplate(
        title="Railway project tokens",
        template="https://railway.com/project/{railway_project_id}/settings/tokens",
        home=_RAILWAY,
    ),
    "railway_service": LinkTemplate(
        title="Railway service",
        template="https://railway.com/project/{railway_project_id}/service/{railway_service_id}",
        home=_RAILWAY,
    ),
    "openai_keys": _fixed("OpenAI keys", f"{_OPENAI}/api-keys"),
    "openai_admin_keys": _fixed("OpenAI admin keys", f"{_OPENAI}/settings/organization/admin-keys"),
    "openai_limits": _fixed("OpenAI limits", f"{_OPENAI}/settings/organization/limits"),
}


def link_of(app: AppDefinition, target: Target, key: str, ids: Mapping[str, str] | None = None) -> Link:
    """A page by its key, the app's own before ours; the service's front page where an id is not known yet.

    ids: further ids that a proof has found, such as railway_project_id
    """
    both = app.model_copy(update={"links": {**PLATFORM_LINKS, **app.links}})
    return both.links_for(target, ids)[key]
