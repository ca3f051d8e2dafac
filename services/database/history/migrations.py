"""Knows a folder of timestamped migrations, and the table in which a target lists those that it has had."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from services.database.script import Script, load_scripts, split
from services.errors import NotUnderstood, Refused

_FILE = re.compile(r"^(?P<version>\d+)_(?P<name>.*)\.sql$")
_VERSION = re.compile(r"^\d{1,20}$")
_TAKE_BACK = (".down.sql", ".undo.sql")
_TIME = "%Y%m%d%H%M%S"
_TABLE = "supabase_migrations.schema_migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `VERSION_NAME.sql`; the version is a time as digits, and the file's name orders the migrations."""

    version: str
    name: str
    script: Script

    @property
    def statements(self) -> tuple[str, ...]:
        """Its statements without the semicolons that end them, as they are listed in the target."""
        return tuple(bare(statement.sql) for statement in split(self.script))


@dataclass(frozen=True, slots=True)
class Recorded:
    """One migration that a target has had. statements: None where only its version was listed."""

    version: str
    name: str | None
    statements: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Listing:
    """How a change is to be listed where a target keeps a list. ours: its version is only the time, which may move."""

    version: str
    name: str
    statements: tuple[str, ...]
    ours: bool = False


def bare(statement: str) -> str:
    """A statement without blanks around it and without the semicolon that ends it."""
    return statement.strip().removesuffix(";").rstrip()


def are_migrations(names: Collection[str]) -> bool:
    """True for the names of files that all are timestamped migrations, at least one."""
    return bool(names) and all(_FILE.match(name) for name in names)


def is_migrations_folder(folder: Path) -> bool:
    """True for a folder whose SQL files all are timestamped migrations, at least one."""
    return folder.is_dir() and are_migrations([file.name for file in folder.glob("*.sql")])


def load_migrations(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a folder in the order of their names; files of other names are none.

    Raises NotUnderstood where there is none or a file cannot be read, and as `migrations_of`.
    """
    named = [file for file in sorted(folder.glob("*.sql")) if _FILE.match(file.name)]
    if not named:
        raise NotUnderstood(
            f"The folder {folder} has no migration.", do="Name migrations like 20260131120000_add_notes.sql."
        )
    return migrations_of([load_scripts(file)[0] for file in named])


def migrations_of(scripts: Iterable[Script]) -> tuple[Migration, ...]:
    """Scripts with such names as migrations, in the order of their names.

    Raises NotUnderstood where two have one version, or a version is too long to be listed.
    """
    named = [(script, match) for script in scripts if (match := _FILE.match(script.file))]
    found = [Migration(match["version"], match["name"], script) for script, match in named]
    found.sort(key=_order)
    for one in found:
        if not _VERSION.match(one.version):
            raise NotUnderstood(
                f"The version of {one.script.file} has {len(one.version)} digits, and a target's list has room for 20.",
                "It could be run, and never be listed as had.",
                "Name it like 20260131120000_add_notes.sql.",
                one.script.file,
            )
        if one.script.file.lower().endswith(_TAKE_BACK):
            raise NotUnderstood(
                f"{one.script.file} is named like one that takes a migration back.",
                "It would be run like the others: all of a folder are, one after another.",
                "Move such files out of the folder; the way back is derived when a migration is deployed.",
                place=one.script.file,
            )
    for one, next_one in pairwise(found):
        if one.version == next_one.version:
            raise NotUnderstood(
                f"Two migrations have the version {one.version}: {one.script.file} and {next_one.script.file}.",
                "A target lists a version once, so it could not tell which of them it has had.",
                "Give one of them another time.",
                place=next_one.script.file,
            )
    return tuple(found)


def by_name(version: str, name: str | None = None) -> str:
    """What orders migrations: their files' names as text, as Supabase's command line runs them.

    So a date alone comes after every time of its day, and 10 before 2.
    """
    return f"{version}_{name or ''}"


def _order(migration: Migration | Recorded) -> str:
    return by_name(migration.version, migration.name)


def version_at(now: datetime) -> str:
    """The version of a change that has none of its own: the time, in UTC, as digits."""
    return now.strftime(_TIME)


def recorded(conn: psycopg.Connection[Any]) -> tuple[Recorded, ...] | None:
    """The migrations that the target lists, in the order of their names; None where it keeps no list.

    Raises Refused where the list may not be read.
    """
    if not keeps_history(conn):
        return None
    columns = _columns(conn)
    wanted = ", ".join(name if name in columns else f"NULL AS {name}" for name in ("version", "name", "statements"))
    try:
        rows = conn.execute(f"SELECT {wanted} FROM {_TABLE}").fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise Refused(
            f"This role may not read {_TABLE}.",
            "Which migrations the target has had is not known.",
            "Use the role that applies migrations, or grant it SELECT.",
        ).because("permission") from error
    found = [Recorded(str(row[0]), row[1], tuple(row[2]) if row[2] else None) for row in rows]
    return tuple(sorted(found, key=_order))


def keeps_history(conn: psycopg.Connection[Any]) -> bool:
    """True where the target has the table in which migrations are listed."""
    return bool(_columns(conn))


def _columns(conn: psycopg.Connection[Any]) -> frozenset[str]:
    # Asked of the catalog, where a missing right on the schema does not hide the table.
    rows = conn.execute(
        "SELECT a.attname::text FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE n.nspname = 'supabase_migrations' AND c.relname = 'schema_migrations' AND c.relkind IN ('r', 'p', 'v')"
    ).fetchall()
    return frozenset(row[0] for row in rows)


def pending(conn: psycopg.Connection[Any], migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """Those that the target has not had, in order; all of them where it keeps no list."""
    had = {one.version for one in recorded(conn) or ()}
    return tuple(migration for migration in migrations if migration.version not in had)


def record(conn: psycopg.Connection[Any], version: str, name: str, statements: Sequence[str]) -> bool:
    """List a migration as had, inside the transaction that makes its change; False where the target keeps no list.

    Raises Refused where the target lists that version already, so that one change is never listed twice.
    """
    if not _VERSION.match(version):
        raise NotUnderstood(f"{version!r} is no version of a migration.", do="A version is a time as digits.")
    columns = _columns(conn)
    if not columns:
        return False
    values: dict[str, Any] = {"version": version, "name": name, "statements": [bare(text) for text in statements]}
    given = {column: value for column, value in values.items() if column in columns}
    places = ", ".join(f"%({column})s" for column in given)
    # The list may be one that somebody made by hand, without a key.
    written = conn.execute(
        f"INSERT INTO {_TABLE} ({', '.join(given)}) SELECT {places}"
        f" WHERE NOT EXISTS (SELECT FROM {_TABLE} WHERE version = %(version)s) ON CONFLICT DO NOTHING",
        given,
    )
    if written.rowcount != 1:
        raise Refused(
            f"The target lists the version {version} already.",
            "Somebody else may have made this change meanwhile; nothing was listed.",
            "Look at what the target lists, and give the migration another time if it is another one.",
        ).because("listed")
    return True


def refuse_unwritable_list(conn: psycopg.Connection[Any]) -> None:
    """Raises Refused where there is a list in which our role may not write: a change would have to go unlisted."""
    if not keeps_history(conn):
        return
    row = conn.execute(
        "SELECT pg_catalog.has_schema_privilege('supabase_migrations', 'USAGE')"
        f" AND pg_catalog.has_table_privilege('{_TABLE}', 'INSERT')"
    ).fetchone()
    if row is None or not row[0]:
        raise Refused(
            f"The role {conn.info.user!r} may not write to {_TABLE}, where the target lists its migrations.",
            "Nothing was changed.",
            f"Deploy as the role that applies migrations, or GRANT SELECT, INSERT, DELETE ON {_TABLE} to this one.",
        ).because("permission")


def list_changes(conn: psycopg.Connection[Any], listings: Iterable[Listing]) -> tuple[str, ...]:
    """List changes inside the transaction that makes them; returns their versions, none where there is no list.

    A version that is only the time moves on by a second where another change has it. Raises as `record`.
    """
    listed = []
    for one in listings:
        version = _free(conn, one.version) if one.ours else one.version
        if record(conn, version, one.name, one.statements):
            listed.append(version)
    return tuple(listed)


def _free(conn: psycopg.Connection[Any], version: str) -> str:
    had = {one.version for one in recorded(conn) or ()}
    moment = datetime.strptime(version, _TIME).replace(tzinfo=UTC)
    while version_at(moment) in had:
        moment += timedelta(seconds=1)
    return version_at(moment)


def take_out(conn: psycopg.Connection[Any], version: str) -> bool:
    """Take a version out of the list, inside the transaction that takes its change back; True if it was there."""
    if not keeps_history(conn):
        return False
    return conn.execute(f"DELETE FROM {_TABLE} WHERE version = %s", (version,)).rowcount > 0
