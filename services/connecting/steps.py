"""What to do for each level, in order: the pages to open, the scopes to choose there, and why the level exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.app_definition import AppDefinition, Used
from services.settings import Level, Target

READ_SCOPES: Mapping[str, str] = {
    "project_admin_read": "the project and the health of its services",
    "database_read": "read-only SQL",
    "backups_read": "the backups",
    "advisors_read": "the advisors' findings",
    "analytics_logs_read": "the logs",
    "analytics_usage_read": "how much the API is used",
    "database_pooling_config_read": "the addresses of the poolers",
    "database_readonly_config_read": "whether the database takes writes",
    "infra_disk_config_read": "the disk",
}
"""The scopes of a Supabase access token that our checks read with, and what each of them shows."""

OPENAI_PERMISSIONS = ("Models: Read", "Model capabilities > Chat completions: Request", "Everything else: None")

WHY: Mapping[Level, str] = {
    Level.LOOK: "Sees the app as any visitor does: whether it answers, what it serves, and whether something stands "
    "open that should not. It needs no key.",
    Level.OBSERVE: "Reads what the app really did: rows, rights, backups, logs. Most of what an app says about itself "
    "is proved or disproved here, and nothing is changed.",
    Level.PLATFORM: "Restarts, redeploys and brings back the app. It is the first thing one reaches for at night, and "
    "the first level that changes something.",
    Level.PROBE: "Writes marked test data with accounts of our own and removes it again: the only proof that an entry "
    "is stored, an answer is real and feedback arrives.",
    Level.DEPLOY: "Changes the database. The owner's address is not kept: it is armed for one run and forgotten after "
    "it.",
}


@dataclass(frozen=True, slots=True)
class StepText:
    """A step before it is filled in. link: a key of `links`; about: what the app must use for the step to matter.

    disposable: the step is about targets that may be lost; None: about any
    code: what to paste; {app} and {target} stand for their names here and in the texts
    """

    title: str
    text: str
    link: str | None = None
    scopes: tuple[str, ...] = ()
    about: Used | None = None
    disposable: bool | None = None
    code: str | None = None

    def fits(self, app: AppDefinition, target: Target) -> bool:
        """Whether the step is about this app on this target."""
        if self.about is not None and self.about not in app.uses:
            return False
        return self.disposable is None or self.disposable is not target.production


STEPS: Mapping[Level, tuple[StepText, ...]] = {
    Level.LOOK: (
        StepText(
            "Copy the address of {app}",
            "The one that people use. On Railway it stands under the service's settings, Networking, Public "
            "Networking.",
            "railway_service",
            about="Railway",
        ),
        StepText("Fill it in and prove it", "Each thing that can be seen from outside is looked at once."),
    ),
    Level.OBSERVE: (
        StepText(
            "Copy the project's reference",
            "It is the Project ID under General: 20 letters.",
            "supabase_general",
            about="Supabase",
        ),
        StepText(
            "Make a scoped access token",
            "Generate new token, Scoped; give it this one project, an end date, and these scopes with Read. Leave out "
            "database_write and api_gateway_keys_read: the first could change data, the second shows the secret keys.",
            "supabase_tokens",
            tuple(READ_SCOPES),
            about="Supabase",
        ),
        StepText(
            "Make a role that only reads",
            "Either this or the token is enough; both together see most. Paste the SQL and run it; it holds no "
            "password that could be read. The role reads counts, times and numbers, and none of the columns with "
            "people's words.",
            "supabase_sql_editor",
            about="database",
        ),
        StepText(
            "Copy the session pooler's address",
            "Connect, Session pooler: port 5432. Paste it as it stands, with [YOUR-PASSWORD]: the role and its "
            "password are put in here. Not the transaction pooler (port 6543), where no setting lasts; not "
            "db.PROJECT.supabase.co, which most machines cannot reach, since it speaks IPv6 only.",
            "supabase_connect",
            about="Supabase",
        ),
        StepText(
            "Copy the publishable key",
            "It is public already. With it the checks see what a stranger would see of the tables, and from then on "
            "people sign in to {target} by this project: give yourself an ops_role in app_metadata first.",
            "supabase_api_keys",
            about="Supabase",
        ),
    ),
    Level.PLATFORM: (
        StepText(
            "Make a project token",
            "Project settings, Tokens: choose the environment that {app} runs in and create one. Not an account or "
            "workspace token, which reaches every project.",
            "railway_tokens",
            about="Railway",
        ),
        StepText(
            "Name the service, where there are several",
            "Its id stands in the address of its page, after /service/.",
            "railway_service",
            about="Railway",
        ),
    ),
    Level.PROBE: (
        StepText(
            "Make test accounts",
            "Add user, Create new user: one for each purpose (probe, ai, rate-limit, admin), with addresses of your "
            "own. Only the one for admin gets the role admin in app_metadata, and none of them an ops_role.",
            "supabase_users",
            about="Supabase",
        ),
        StepText(
            "Make a secret key of our own",
            "New secret key, named after this dashboard. It removes what the tests wrote; withdraw it there whenever "
            "you like, the app has its own.",
            "supabase_api_keys",
            about="Supabase",
        ),
        StepText(
            "Make a restricted OpenAI key",
            "Create new secret key, Permissions: Restricted, with these and nothing else; in a project with a monthly "
            "limit.",
            "openai_keys",
            OPENAI_PERMISSIONS,
            about="OpenAI",
        ),
        StepText(
            "Only for the bill: an admin key",
            "Leave it out unless the bill is to be shown. An admin key could do much more than read it, and it is used "
            "for nothing else here.",
            "openai_admin_keys",
            about="OpenAI",
        ),
        StepText("Set what may be spent a day", "Calls and cents for each purpose; what goes beyond is not asked."),
    ),
    Level.DEPLOY: (
        StepText(
            "Fill in nothing",
            "Granting this level only allows arming. Before a run somebody arms {target} on the machine of the worker, "
            "by prompt or from its environment, with this command.",
            disposable=False,
            code="python -m dashboard arm --target {target}",
        ),
        StepText(
            "Fill in the owner's address",
            "{target} may be lost, so that its owner's address may be kept; arming works as well.",
            disposable=True,
        ),
        StepText(
            "Reset the password afterwards",
            "Whoever has typed the owner's password somewhere can set a new one when the run is over.",
            "supabase_database",
            about="Supabase",
            disposable=False,
        ),
    ),
}
