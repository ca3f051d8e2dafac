"""The role `ops_reader`: which columns of an app it may read, and the SQL that makes it and takes it back."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.app_definition import AppDefinition
from services.database.scram import scram_verifier
from services.errors import NotUnderstood

ROLE = "ops_reader"
"""Its usual name. Roles whose names begin so are ours: their rights are no part of a catalog's fingerprint."""
RECEIPTS = "ops.deploy_receipts"
ALL_COLUMNS = ("*",)

_MARK = "Reads for the release cockpit; rights that PUBLIC had: "
_NAME = re.compile(r"ops_reader(?:_[a-z0-9_]{1,40})?")
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Readable:
    """columns: what the reader may see, by "schema.table"; private: what it must be refused, by table of public."""

    columns: Mapping[str, tuple[str, ...]]
    private: Mapping[str, tuple[str, ...]]


def readable(app: AppDefinition) -> Readable:
    """What the app's checks, numbers and verification read: columns that app.yaml names, never the private ones.

    A column that nobody declared is not among them: it may hold somebody's words.
    """
    wanted: dict[str, dict[str, None]] = {}
    for table, columns in [
        *((table.name, tuple(table.columns)) for table in app.tables),
        *((view.name, tuple(view.columns)) for view in app.analytics.views),
        *app.also_read.items(),
    ]:
        private = app.private.get(table, ())
        wanted.setdefault(table, {}).update({name: None for name in columns if name not in private})
    tables = {f"public.{table}": tuple(columns) for table, columns in wanted.items() if columns}
    return Readable({**tables, RECEIPTS: ALL_COLUMNS}, app.private)


def new_password() -> str:
    """A password for the reader, of 192 random bits, which needs no escaping in an address."""
    return secrets.token_urlsafe(24)


def reader_role_sql(app: AppDefinition, *, role: str = ROLE, password: str | None = None) -> str:
    """The SQL that makes the reader, or brings an existing one up to date with the tables that are there now.

    It runs as a plain owner of the tables who may create roles, on Postgres 15 and later, any number of times. It holds
    what the password is checked by, never the password. password None: the role keeps the password that it has.
    Raises NotUnderstood for a name that is not one of the reader's.
    """
    wanted = readable(app).columns
    return _filled(
        "reader_role.sql",
        role,
        verifier="NULL" if password is None else _literal(scram_verifier(password)),
        columns=_literal(_one_a_line(wanted)),
        policy=_literal(f"{role}_reads"),
    )


def take_back_sql(*, role: str = ROLE) -> str:
    """The SQL that removes the reader with all that was done for it. Raises as `reader_role_sql`."""
    return _filled("reader_take_back.sql", role)


def _filled(template: str, role: str, **values: str) -> str:
    if not _NAME.fullmatch(role):
        raise NotUnderstood(
            f"'{role}' is no name for the reading role.",
            "No SQL was written.",
            f"Call it {ROLE}, or {ROLE}_ and small letters, digits or underscores.",
        )
    text = (_HERE / template).read_text(encoding="utf-8")
    for name, value in {"name": role, "role": _literal(role), "mark": _literal(_MARK), **values}.items():
        text = text.replace(f"@{name}@", value)
    return text


def _literal(value: str) -> str:
    """A string as SQL, inside the script's dollar quotes. Raises NotUnderstood for what would end those."""
    if "$ops_reader$" in value or "\\" in value:
        raise NotUnderstood("The app declares a table or column by a name that the SQL cannot hold.")
    return "'" + value.replace("'", "''") + "'"


def _one_a_line(columns: Mapping[str, tuple[str, ...]]) -> str:
    lines = [f"        {json.dumps(table)}: {json.dumps(list(names))}" for table, names in sorted(columns.items())]
    return "{\n" + ",\n".join(lines) + "}"
