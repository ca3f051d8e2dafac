"""Knows the roles and settings of a database, and how to make the same ones on a scratch server."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

_GONE = "ops_gone_"
_LISTS = {"search_path", "temp_tablespaces"}
_DECIDE = {
    "timezone",
    "datestyle",
    "intervalstyle",
    "default_text_search_config",
    "search_path",
    "bytea_output",
    "extra_float_digits",
    "standard_conforming_strings",
    "backslash_quote",
    "transform_null_equals",
    "array_nulls",
    "xmlbinary",
    "xmloption",
    "row_security",
    "check_function_bodies",
    "default_toast_compression",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "default_transaction_deferrable",
    "plpgsql.variable_conflict",
    "plpgsql.check_asserts",
    "plpgsql.extra_errors",
    "createrole_self_grant",
    "statement_timeout",
    "lo_compat_privileges",
}
"""Settings of a server that decide what a script comes to."""

_NEED_LIBRARIES = {"session_preload_libraries", "local_preload_libraries", "shared_preload_libraries"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One `ALTER ROLE / DATABASE ... SET`: role or database-wide (None), for this database only or for all."""

    role: str | None
    here: bool
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What surrounds a catalog and decides how scripts run: roles, memberships, settings, rights on the database."""

    roles: tuple[dict[str, Any], ...]
    memberships: tuple[tuple[str, str, str], ...]
    settings: tuple[Setting, ...]
    owner: str
    rights: tuple[tuple[str | None, str, bool], ...]


def read_circumstances(conn: psycopg.Connection[Any]) -> Circumstances:
    """Roles, memberships, settings and the rights on the database, as any role may read them. No passwords."""
    with conn.cursor(row_factory=dict_row) as cursor:
        roles = cursor.execute(
            "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,"
            " rolbypassrls, rolreplication"
            " FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
        ).fetchall()
    memberships = conn.execute(
        "SELECT r.rolname, m.rolname, pg_catalog.bool_or(a.admin_option), pg_catalog.bool_or("
        "(pg_catalog.to_jsonb(a) ->> 'inherit_option')::bool), pg_catalog.bool_or("
        "(pg_catalog.to_jsonb(a) ->> 'set_option')::bool) FROM pg_catalog.pg_auth_members a"
        " JOIN pg_catalog.pg_roles r ON r.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    settings = conn.execute(
        "SELECT r.rolname, s.setdatabase <> 0, pg_catalog.split_part(c, '=', 1),"
        " pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1)"
        " FROM pg_catalog.pg_db_role_setting s CROSS JOIN pg_catalog.unnest(s.setconfig) c"
        " LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole WHERE s.setdatabase IN (0,"
        " (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) ORDER BY 1, 2, 3"
    ).fetchall()
    rights = conn.execute(
        "SELECT CASE WHEN x.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantee) END::text,"
        " x.privilege_type, x.is_grantable, pg_catalog.pg_get_userbyid(d.datdba)::text"
        " FROM pg_catalog.pg_database d, pg_catalog.aclexplode(COALESCE(d.datacl,"
        " pg_catalog.acldefault('d', d.datdba))) x WHERE d.datname = pg_catalog.current_database()"
    ).fetchall()
    owner = rights[0][3] if rights else conn.info.user
    return Circumstances(
        tuple(roles),
        tuple((str(group), str(member), _options(*how)) for group, member, *how in memberships),
        tuple(Setting(*row) for row in settings),
        owner,
        tuple((row[0], row[1], row[2]) for row in rights),
    )


def _options(admin: bool, inherit: bool | None, may_set: bool | None) -> str:
    """The options of a membership as GRANT takes them; before version 16 there was only one."""
    if inherit is None or may_set is None:
        return "ADMIN OPTION" if admin else ""
    return f"ADMIN {admin}, INHERIT {inherit}, SET {may_set}".upper()


def server_settings(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """What the server's own configuration says of how SQL is read and run.

    To be asked first of all on a connection: a setting that was changed there for a moment, as a fingerprint does, is
    told as the session's own afterwards.
    """
    rows = conn.execute(
        "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings WHERE source = ANY (%s)"
        " AND pg_catalog.lower(name) = ANY (%s) ORDER BY 1",
        (["configuration file", "command line", "environment variable", "global"], sorted(_DECIDE)),
    ).fetchall()
    return {str(name): str(value) for name, value in rows}


def as_role_settings(settings: Mapping[str, str], role: str) -> tuple[Setting, ...]:
    """Settings of a server as those of one role, for a server that has others."""
    return tuple(Setting(role, False, name, value) for name, value in settings.items())


_OWNER = """
WITH own AS (
  SELECT c.relowner, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_'
    AND n.nspname NOT IN ('information_schema', 'ops')
), mine AS (
  SELECT EXISTS (SELECT FROM own WHERE pg_catalog.pg_has_role(relowner, 'USAGE')) OR EXISTS (
    SELECT FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND pg_catalog.has_schema_privilege(oid, 'CREATE')
  ) OR pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS some
)
SELECT pg_catalog.pg_get_userbyid(COALESCE((SELECT relowner FROM own WHERE nspname = 'public' GROUP BY relowner
                 ORDER BY pg_catalog.count(*) DESC, relowner LIMIT 1), datdba))
FROM pg_catalog.pg_database, mine WHERE datname = pg_catalog.current_database() AND NOT mine.some
"""
"""Whom most of what stands in schema public belongs to, else whom the database does; no row where the connecting role
owns something or may make something."""


def owner_for(conn: psycopg.Connection[Any]) -> str | None:
    """Where the connecting role only reads: the role that changes to this database are made as. Else None."""
    row = conn.execute(_OWNER).fetchone()
    return str(row[0]) if row else None


def make_roles(scratch: psycopg.Connection[Any], around: Circumstances) -> None:
    """Make the roles with their attributes, memberships and settings on a scratch server, as its superuser."""
    me = scratch.info.user
    known = {row[0] for row in scratch.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()}
    words = {
        "rolsuper": "SUPERUSER",
        "rolinherit": "INHERIT",
        "rolcreaterole": "CREATEROLE",
        "rolcreatedb": "CREATEDB",
        "rolcanlogin": "LOGIN",
        "rolbypassrls": "BYPASSRLS",
        "rolreplication": "REPLICATION",
    }
    for role in around.roles:
        if role["rolname"] == me:
            continue  # it runs the scratch server, and cannot be made less
        attributes = " ".join(word if role[key] else f"NO{word}" for key, word in words.items())
        verb = "ALTER" if role["rolname"] in known else "CREATE"
        scratch.execute(sql.SQL(f"{verb} ROLE {{}} {attributes}").format(sql.Identifier(role["rolname"])))
    plain = scratch.info.server_version < 160000
    for group, member, options in around.memberships:
        words_for = (
            ("ADMIN OPTION" if "ADMIN TRUE" in options or options == "ADMIN OPTION" else "") if plain else options
        )
        option = sql.SQL(f" WITH {words_for}") if words_for else sql.SQL("")
        scratch.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(member)) + option)


def put_back_roles(scratch: psycopg.Connection[Any], around: Circumstances) -> None:
    """Make the scratch server's roles again what they are around the target: scripts change them for all databases.

    A role that a script made may own something in a clone: it keeps it, under another name.
    """
    now = read_circumstances(scratch)
    me = scratch.info.user
    wanted = {role["rolname"]: role for role in around.roles if role["rolname"] != me}
    there = {role["rolname"]: role for role in now.roles if role["rolname"] != me}
    for number, name in enumerate(sorted(there.keys() - wanted.keys())):
        if name.startswith(_GONE):
            continue
        other = f"{_GONE}{secrets.token_hex(4)}_{number}"
        scratch.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(other)))
    memberships = {one for one in now.memberships if not one[1].startswith(_GONE)}
    for group, member, _ in memberships - set(around.memberships):
        if {group, member} <= {*wanted, me}:
            scratch.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), sql.Identifier(member)))
    if any(there.get(name) != role for name, role in wanted.items()) or set(around.memberships) - memberships:
        make_roles(scratch, around)
    if {one for one in now.settings if not one.here} != {one for one in around.settings if not one.here}:
        for name in wanted:
            scratch.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(name)))
        for setting in around.settings:
            if not setting.here and setting.role and setting.name not in _NEED_LIBRARIES:
                with suppress(psycopg.Error):  # told of when the shadow was built
                    scratch.execute(_alter(setting, ""))


def apply_settings(
    scratch: psycopg.Connection[Any], around: Circumstances, database: str, only_database: bool = False
) -> list[str]:
    """Apply settings, owner and rights to a database of the scratch server; returns sentences on what could not be."""
    problems = []
    for setting in around.settings:
        if setting.name in _NEED_LIBRARIES or (only_database and not setting.here):
            continue
        try:
            scratch.execute(_alter(setting, database))
        except psycopg.Error as error:
            whose = f"role {setting.role}" if setting.role else "the database"
            problems.append(f"the setting {setting.name} of {whose} could not be copied ({error.sqlstate})")
    name = sql.Identifier(database)
    scratch.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(around.owner)))
    scratch.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    for statement in _grants(around.rights, name):
        scratch.execute(statement)
    return problems


def _alter(setting: Setting, database: str) -> sql.Composed:
    if setting.role is None:
        whose: sql.Composable = sql.SQL("DATABASE {}").format(sql.Identifier(database))
    else:
        whose = sql.SQL("ROLE {}").format(sql.Identifier(setting.role))
        if setting.here:
            whose = whose + sql.SQL(" IN DATABASE {}").format(sql.Identifier(database))
    # Settings that are lists are kept already quoted, item by item.
    value: sql.Composable = sql.SQL(setting.value) if setting.name in _LISTS else sql.Literal(setting.value)
    name = sql.SQL(".").join(sql.Identifier(part) for part in setting.name.split("."))
    return sql.SQL("ALTER {} SET {} TO {}").format(whose, name, value)


def _grants(rights: Sequence[tuple[str | None, str, bool]], database: sql.Identifier) -> list[sql.Composed]:
    statements = []
    for grantee, privilege, grantable in rights:
        to = sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee)
        option = sql.SQL(" WITH GRANT OPTION" if grantable and grantee is not None else "")
        statements.append(sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(sql.SQL(privilege), database, to, option))
    return statements
