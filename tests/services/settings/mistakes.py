"""Mistakes that people make in settings, one by one: how each is made, and what its one sentence names."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PLANTED = "hunter2"
"""Stands in every value that must not be repeated."""

REF, OTHER_REF = "abcdefghijklmnopqrst", "tsrqponmlkjihgfedcba"
AGE_IDENTITY = "AGE-SECRET-KEY-1HUNTER2QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"


def token(role: str) -> str:
    """A JSON web token for a role, signed by nobody."""
    claims = base64.urlsafe_b64encode(json.dumps({"role": role, "ref": REF}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{claims}.{PLANTED}"


@dataclass(frozen=True)
class Mistake:
    """names: what its sentence must hold, the place first. variables, toml, files: what is written where."""

    id: str
    names: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    toml: str | bytes | None = None
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    also: Callable[[Path], None] | None = None

    def make(self, root: Path) -> dict[str, str]:
        """Write it down below a folder; returns the variables."""
        if self.toml is not None:
            write(root / ".streamlit" / "secrets.toml", self.toml)
        for name, content in self.files.items():
            write(root / ".ops" / "targets" / name, content)
        if self.also:
            self.also(root)
        return dict(self.variables)


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def of_target(id_: str, key: str, value: str, *names: str, more: str = "production = false") -> Mistake:
    """A value in [targets.staging] of secrets.toml, on line 3."""
    toml = f"[targets.staging]\n{more}\n{key} = {value}\n"
    return Mistake(id_, (".streamlit/secrets.toml:3:", f"targets.staging.{key}", *names), toml=toml)


def of_variable(id_: str, name: str, value: str, *names: str) -> Mistake:
    return Mistake(id_, (f"{name} ", *names), variables={name: value})


def a_folder(*parts: str) -> Callable[[Path], None]:
    return lambda root: root.joinpath(*parts).mkdir(parents=True)


STAGING = "OPS_TARGETS__STAGING__"
WEB, DSN = f'"https://{PLANTED}.example"', f"postgresql://u:{PLANTED}@db.example:5432/d"

WRONG_SECRETS = (
    of_target("service-role-as-anon", "supabase_anon_key", f'"{token("service_role")}"', "service_role key", "anon"),
    of_target("secret-key-as-anon", "supabase_anon_key", f'"sb_secret_{PLANTED}"', "a secret key", "publishable"),
    of_target("access-token-as-anon", "supabase_anon_key", f'"sbp_{PLANTED}"', "an access token"),
    of_target("person-as-anon", "supabase_anon_key", f'"{token("authenticated")}"', "token of a signed-in person"),
    of_target("service-role-as-auth-key", "auth_anon_key", f'"{token("service_role")}"', "service_role key"),
    of_target("anon-as-service-key", "supabase_service_key", f'"{token("anon")}"', "a legacy anon key"),
    of_target("publishable-as-service-key", "supabase_service_key", f'"sb_publishable_{PLANTED}"', "publishable"),
    of_target("service-role-as-access-token", "supabase_access_token", f'"{token("service_role")}"', "sbp_"),
    of_target("admin-as-openai-key", "openai_key", f'"sk-admin-{PLANTED}"', "an OpenAI admin key"),
    of_target("project-as-admin-key", "openai_admin_key", f'"sk-proj-{PLANTED}"', "an OpenAI key", "sk-admin-"),
    of_target("supabase-as-openai-key", "openai_key", f'"sb_secret_{PLANTED}"', "a secret key of Supabase"),
    of_target("openai-as-railway-token", "railway_token", f'"sk-proj-{PLANTED}"', "an OpenAI key"),
    of_target("address-as-railway-id", "railway_service_id", WEB, "a web address"),
    of_target("web-as-database", "database_url", WEB, "a web address", "postgresql://"),
    of_target("key-as-database", "database_url", f'"sb_secret_{PLANTED}"', "a secret key", "postgresql://"),
    of_target("dsn-as-anon", "supabase_anon_key", f'"{DSN}"', "a Postgres address"),
    of_target("recipient-is-private", "backup_recipient", f'"{AGE_IDENTITY}"', "PRIVATE KEY", "public recipient"),
)
COPIED = (
    of_target("blank-after-secret", "railway_token", f'"{PLANTED} "', "a blank"),
    of_target("quotes-in-quotes", "railway_token", f"'\"{PLANTED}\"'", "quotes"),
    of_target("tab-in-secret", "railway_token", f'"{PLANTED}\\tx"', "a tab"),
    of_target("nothing-to-see", "railway_token", f'"{PLANTED}\\u200b"', "cannot be seen"),
    of_variable("carriage-return", f"{STAGING}OPENAI_KEY", f"sk-{PLANTED}\r", "line break"),
    of_variable("quotes-from-the-shell", f"{STAGING}RAILWAY_TOKEN", f"'{PLANTED}'", "quotes"),
    of_target("placeholder", "database_url", f'"postgresql://{PLANTED}:[YOUR-PASSWORD]@h:5432/d"', "placeholder"),
    of_target("placeholder-in-brackets", "railway_token", '"<project token>"', "placeholder"),
    of_target("example-password", "database_url", f'"postgresql://{PLANTED}:PASSWORD@h:5432/d"', "placeholder"),
)
ADDRESSES = (
    of_target("no-scheme", "app_url", f'"{PLANTED}.example"', "http:// or https://"),
    of_target("ftp", "app_url", f'"ftp://{PLANTED}"', "http:// or https://"),
    of_target("no-host", "app_url", f'"https:///{PLANTED}"', "cannot be read"),
    of_target("port-is-no-number", "app_url", f'"https://h:{PLANTED}"', "cannot be read"),
    of_target("password-in-address", "app_url", f'"https://u:{PLANTED}@h.example"', "a user or a password"),
    of_target("query", "app_url", f'"https://h.example?x={PLANTED}"', "after ? or #"),
    of_target("path-of-the-api", "supabase_url", f'"https://{PLANTED}.example/rest/v1"', "path", "end it after"),
    of_target("path-of-management", "supabase_management_url", f'"https://{PLANTED}.example/v1"', "path"),
    of_target("a-page-of-the-app", "app_url", f'"https://{PLANTED}.example/docs"', "one page"),
    of_target("the-console", "railway_url", f'"https://railway.com/project/{PLANTED}"', "console"),
    of_target("mysql", "database_url", f'"mysql://{PLANTED}@h/d"', "postgresql://"),
    of_target("password-not-encoded", "database_url", f'"postgresql://u:p@{PLANTED}@h:5432/d"', "percent-encode"),
    of_target("slash-in-password", "database_url", f'"postgresql://u:p/{PLANTED}@h:5432/d"', "percent-encode"),
    of_target("user-is-anon", "database_url", f'"postgresql://anon:{PLANTED}@h:5432/d"', "may not log in"),
    of_target(
        "pooler-without-project",
        "database_url",
        f'"postgresql://postgres:{PLANTED}@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"',
        "ROLE.PROJECT-REF",
    ),
    of_target("ref-is-none", "supabase_project_ref", f'"{PLANTED}"', "20 small letters"),
    of_target(
        "ref-of-another-project",
        "supabase_project_ref",
        f'"{REF}"',
        "another project than supabase_url",
        more=f'supabase_url = "https://{OTHER_REF}.supabase.co"',
    ),
    of_target("notify-nobody", "notify_urls", f'["{PLANTED}"]', "no address"),
)
TARGETS = (
    of_target("unknown-level", "levels", f'["look", "{PLANTED}"]', "does not exist", "look, observe"),
    of_target("level-without-credential", "levels", '["look", "observe"]', "'observe'", "database_url"),
    of_target("deploy-url-on-production", "deploy_url", f'"{DSN}"', "`arm`", more="production = true"),
    of_target("production-unless-said", "deploy_url", f'"{DSN}"', "`arm`", more=""),
    of_target(
        "buttons-on-production",
        "quick_sign_in",
        f'[{{name = "A", email = "a@example.com", password = "{PLANTED}", role = "viewer"}}]',
        "production target",
        more="production = true",
    ),
    of_target("faults-on-production", "fault_control_url", WEB, "production target", more="production = true"),
    of_target("unknown-colour", "colour", f'"{PLANTED}"', "red, orange"),
    of_target("almost-a-colour", "colour", '"grey"', "write gray"),
    of_target("app-by-its-path", "app", f'"apps/{PLANTED}"', "name of its folder"),
    of_target("production-maybe", "production", f'"{PLANTED}"', "true or false", more=""),
    of_target("negative-cap", "probe_caps", "{ai = {calls = -1}}", "ai.calls", "at least 0"),
    of_target("cap-for-nothing", "probe_caps", f"{{{PLANTED} = {{calls = 1}}}}", "no purpose of a test account"),
    of_target(
        "unknown-purpose",
        "probe_accounts",
        f'[{{purpose = "{PLANTED}", email = "a@example.com", password = "{PLANTED}"}}]',
        "[0].purpose",
        "rate-limit",
    ),
    of_target(
        "account-without-password",
        "probe_accounts",
        '[{purpose = "ai", email = "a@example.com"}]',
        "password is missing",
    ),
    of_target(
        "account-without-address",
        "probe_accounts",
        f'[{{purpose = "ai", email = "{PLANTED}", password = "x"}}]',
        "[0].email",
        "e-mail address",
    ),
    of_target(
        "blank-inside-an-account",
        "probe_accounts",
        f'[{{purpose = "ai", email = "a@b.example", password = " {PLANTED}"}}]',
        "[0].password begins or ends with a blank",
    ),
    of_target(
        "button-without-role",
        "quick_sign_in",
        f'[{{name = "A", email = "a@example.com", password = "x", role = "{PLANTED}"}}]',
        "[0].role is no role",
    ),
    of_target("person-without-name", "people", f'[{{role = "{PLANTED}"}}]', "[0].name is missing"),
    of_target("person-with-an-empty-name", "people", f'[{{name = "", role = "{PLANTED}"}}]', "[0].name is missing"),
    of_target("recipient-mistyped", "backup_recipient", f'"age1{"q" * 58}"', "check sum"),
    of_target("keep-no-days", "backup_keep_days", "0", "at least 1"),
    of_target("approval-for-no-time", "approval_hours", "0", "more than 0"),
    of_target("mistyped-key", "databse_url", f'"{DSN}"', "is not a setting", "write database_url"),
    of_target("unknown-key", PLANTED[:-1] + "x", "1", "is not a setting", "docs/settings.md"),
    of_target("number-as-secret", "railway_token", "4711", "must be text"),
    of_target("text-as-list", "people", f'"{PLANTED}"', "must be a list"),
    Mistake("name-with-blanks", (".streamlit/secrets.toml:1:", "name"), toml='[targets."my live"]\ncolour = "red"\n'),
    Mistake(
        "names-differ-in-case",
        (".streamlit/secrets.toml:3:", "targets.Live.name", "upper and lower case"),
        toml='[targets.live]\ncolour = "red"\n[targets.Live]\ncolour = "red"\n',
    ),
    Mistake("another-name-inside", ("targets/live.json:2:", "name differs"), files={"live.json": '{\n"name": "x"\n}'}),
)
FILES = (
    Mistake("toml-heading", (".streamlit/secrets.toml:2", "TOML"), toml=f'x = "{PLANTED}"\n[targets\n'),
    Mistake("toml-open-quote", (".streamlit/secrets.toml:1", "TOML"), toml=f'[a]x = "{PLANTED}\n'),
    Mistake("toml-twice", (".streamlit/secrets.toml:3", "TOML"), toml=f'[targets.a]\napp = "b"\napp = "{PLANTED}"\n'),
    Mistake("toml-not-utf-8", (".streamlit/secrets.toml:2", "UTF-8"), toml=b'[targets.a]\napp = "\xff"\n'),
    Mistake("toml-is-a-folder", (".streamlit/secrets.toml", "is no file"), also=a_folder(".streamlit", "secrets.toml")),
    Mistake("targets-is-a-number", (".streamlit/secrets.toml:1:", "targets must be a section"), toml="targets = 3\n"),
    Mistake("target-is-a-number", (".streamlit/secrets.toml:2:", "targets.live"), toml="[targets]\nlive = 3\n"),
    Mistake(
        "section-mistyped", (".streamlit/secrets.toml:1:", "[targets.NAME]"), toml='[target.live]\ncolour = "red"\n'
    ),
    Mistake("section-ops-mistyped", (".streamlit/secrets.toml:1:", "[ops]"), toml='[opps]\nhost = "::1"\n'),
    Mistake("home-in-file", (".streamlit/secrets.toml:2:", "OPS_HOME"), toml=f'[ops]\nhome = "/{PLANTED}"\n'),
    Mistake("json-broken", ("targets/live.json:2", "JSON"), files={"live.json": f'{{"app": "{PLANTED}",\n]'}),
    Mistake("json-no-object", ("targets/live.json", "one JSON object"), files={"live.json": f'["{PLANTED}"]'}),
    Mistake("json-empty", ("targets/live.json:1", "JSON"), files={"live.json": ""}),
    Mistake("json-not-utf-8", ("targets/live.json:1", "UTF-8"), files={"live.json": b'{"app": "\xff"}'}),
    Mistake(
        "json-twice", ("targets/live.json:", "app stands there twice"), files={"live.json": '{"app": "a", "app": "b"}'}
    ),
    Mistake("json-is-a-folder", ("targets/live.json", "cannot be read"), also=a_folder(".ops", "targets", "live.json")),
    Mistake(
        "json-key",
        ("targets/live.json:3:", "colour"),
        files={"live.json": f'{{\n"app": "a",\n"colour": "{PLANTED}"\n}}'},
    ),
    Mistake(
        "file-with-a-bad-name", ("targets/My Live.json:1:", "a name that we cannot use"), files={"My Live.json": "{}"}
    ),
)
OURS = (
    of_variable("variable-without-key", "OPS_TARGETS__STAGING", PLANTED, "must be a section"),
    of_variable(
        "variable-mistyped", "OPS_TARGET__STAGING__APP_URL", "https://h.example", "OPS_TARGETS__STAGING__APP_URL"
    ),
    of_variable("variable-almost", "OPS_STORE_ULR", f"sqlite:///{PLANTED}", "OPS_STORE_URL"),
    of_variable("key-mistyped-in-variable", f"{STAGING}APPURL", "https://h.example", "write app_url"),
    of_variable("json-in-variable", f"{STAGING}PEOPLE", f'[{{"name": "{PLANTED}"', "must be a list"),
    Mistake(
        "person-in-variable",
        (f"{STAGING}PEOPLE: ", "[0].name is missing"),
        variables={f"{STAGING}PEOPLE": f'[{{"role": "{PLANTED}"}}]'},
    ),
    of_variable("levels-in-variable", f"{STAGING}LEVELS", f"look,{PLANTED}", "does not exist"),
    of_variable("cap-in-variable", f"{STAGING}PROBE_CAPS__AI__CALLS", PLANTED, "whole number"),
    of_variable("store-of-another-kind", "OPS_STORE_URL", f"redis://{PLANTED}", "sqlite:///"),
    of_variable("store-without-file", "OPS_STORE_URL", "sqlite://", "sqlite:///"),
    of_variable("store-in-memory", "OPS_STORE_URL", "sqlite:///:memory:", "names no file"),
    Mistake(
        "store-in-a-target",
        ("OPS_STORE_URL ", "a database of their own"),
        variables={"OPS_STORE_URL": f"{DSN}?sslmode=require", f"{STAGING}DATABASE_URL": DSN},
    ),
    of_variable("unknown-target", "OPS_TARGET", "nowhere", "nowhere", "none yet"),
    Mistake(
        "home-is-a-file",
        ("OPS_HOME ", "a folder"),
        variables={"OPS_HOME": "x"},
        also=lambda root: write(root / "x", ""),
    ),
    of_variable("host-is-a-name", "OPS_HOST", f"{PLANTED}.example", "IP address"),
    of_variable("public-without-tls", "OPS_PUBLIC_URL", f"http://{PLANTED}.example", "https://"),
    of_variable("heartbeat-by-mail", "OPS_HEARTBEAT_URL", f"mailto:{PLANTED}", "http:// or https://"),
    of_variable("heartbeat-too-often", "OPS_HEARTBEAT_EVERY_S", "1", "at least 5"),
    of_variable("armed-for-ever", "OPS_ARM_HOURS", "48", "at most 24"),
    of_variable("armed-for-words", "OPS_ARM_HOURS", PLANTED, "a number"),
    Mistake(
        "oidc-by-half",
        ("OPS_OIDC__CLIENT_SECRET ", "by half"),
        variables={
            "OPS_OIDC__CLIENT_ID": PLANTED,
            "OPS_OIDC__METADATA_URL": "https://id.example/.well-known/openid-configuration",
        },
    ),
    Mistake(
        "oidc-description",
        (".streamlit/secrets.toml:2:", "oidc.metadata_url", "/.well-known/openid-configuration"),
        toml=f'[ops.oidc]\nmetadata_url = "https://{PLANTED}.example"\nclient_id = "a"\nclient_secret = "b"\n',
    ),
    Mistake("unknown-key-of-ours", (".streamlit/secrets.toml:2:", "write host"), toml='[ops]\nhosts = "::1"\n'),
)
MISTAKES = (*WRONG_SECRETS, *COPIED, *ADDRESSES, *TARGETS, *FILES, *OURS)
