"""Knows the closed list of classes of failing statements: which SQLSTATE is which, in plain words, with a way out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class FailureClass:
    """One class: its id, what it means in plain words, and what to do about it."""

    id: str
    means: str
    fix: str


FAILURE_CLASSES: dict[str, FailureClass] = {
    one.id: one
    for one in (
        FailureClass("syntax", "The server cannot read the statement.", "Mend the SQL at this line."),
        FailureClass(
            "missing-relation",
            "A table or view that it names is not there.",
            "Create it first, or correct the name or schema.",
        ),
        FailureClass(
            "missing-column",
            "A column that it names is not there.",
            "Look at the real columns; add it or correct the name.",
        ),
        FailureClass(
            "missing-function",
            "No function or operator fits these argument types.",
            "Cast the arguments to one type, or correct the name.",
        ),
        FailureClass(
            "missing-object",
            "A type, role, extension or other object that it names is not there.",
            "Create it first, or correct the name.",
        ),
        FailureClass(
            "missing-schema", "A schema that it names is not there.", "Create the schema first, or correct the name."
        ),
        FailureClass(
            "type-mismatch",
            "A type does not fit: often uuid against varchar, or a function that returns another type.",
            "Cast explicitly, after looking at the real column types.",
        ),
        FailureClass(
            "not-immutable",
            "An index or generated column uses an expression whose result may change.",
            "Use the plain column, or (ts AT TIME ZONE 'UTC')::date for a day.",
        ),
        FailureClass(
            "exists-already",
            "An object of that name is there already.",
            "Use IF NOT EXISTS or OR REPLACE, or drop it first with IF EXISTS.",
        ),
        FailureClass(
            "view-columns",
            "CREATE OR REPLACE cannot rename, retype or drop a view's column.",
            "DROP VIEW IF EXISTS first, then create it and grant again.",
        ),
        FailureClass(
            "return-type",
            "CREATE OR REPLACE cannot change a function's return type or arguments.",
            "DROP FUNCTION IF EXISTS with its argument types first.",
        ),
        FailureClass(
            "raised",
            "The script stopped itself with RAISE EXCEPTION.",
            "Read its message: it names the condition that does not hold.",
        ),
        FailureClass(
            "wrong-kind",
            "The object is of another kind, such as a view where a table is wanted.",
            "Look at what it is, and use the statement for that kind.",
        ),
        FailureClass(
            "dependents",
            "Other objects depend on what is dropped or changed.",
            "Drop or change those first, or use CASCADE after looking at the blast radius.",
        ),
        FailureClass(
            "missing-row",
            "A row refers to another that is not there.",
            "Insert the referenced row first, or take the reference out.",
        ),
        FailureClass(
            "duplicate-row", "Two rows would have the same key.", "Use ON CONFLICT, or clean up the duplicates first."
        ),
        FailureClass(
            "null-value", "A column that must not be empty would be.", "Fill the column first, or give it a default."
        ),
        FailureClass(
            "check-violation",
            "A row breaks a CHECK constraint.",
            "Mend those rows first, or add the constraint NOT VALID.",
        ),
        FailureClass("bad-value", "A value does not fit its type or length.", "Look at the value; cast or shorten it."),
        FailureClass(
            "ambiguous",
            "A name could mean more than one thing.",
            "Qualify the column with its table, or the function with its types.",
        ),
        FailureClass("permission", "The role may not do this.", "Run it as the owner, or grant the right."),
        FailureClass(
            "not-in-transaction",
            "The statement cannot run inside a transaction.",
            "Take it out of the release and run it by itself: a deploy is one transaction.",
        ),
        FailureClass(
            "lock-timeout", "Another session held a lock for too long.", "Find the blocker, or try at a quieter time."
        ),
        FailureClass("timeout", "It took longer than allowed.", "Split the work, or raise the limit."),
        FailureClass("unsupported", "This server does not support it.", "Use another form, or another version."),
        FailureClass("connection", "The connection was lost.", "Look up the outcome by the deploy receipt."),
        FailureClass(
            "other", "The server refused it for a reason without a class of its own.", "Read the server's message."
        ),
    )
}
"""Closed and documented: docs and screens list exactly these."""

_ENUM_VALUE_TOO_EARLY = FailureClass(
    "not-in-transaction",
    "It uses an enum value that was added in the same transaction: the value can be used only after COMMIT.",
    "Put the ADD VALUE into an earlier release, or into a file of its own that is committed before.",
)
"""The same class in words of its own: here the statement may stay, and another one must go."""

_BY_STATE = {
    "42601": "syntax",
    "42P01": "missing-relation",
    "42703": "missing-column",
    "42883": "missing-function",
    "42704": "missing-object",
    "3F000": "missing-schema",
    "42804": "type-mismatch",
    "42846": "type-mismatch",
    "42P18": "type-mismatch",
    "42P07": "exists-already",
    "42701": "exists-already",
    "42710": "exists-already",
    "42723": "exists-already",
    "42P06": "exists-already",
    "42P04": "exists-already",
    "42P13": "return-type",
    "P0001": "raised",
    "P0004": "raised",
    "42809": "wrong-kind",
    "2BP01": "dependents",
    "23503": "missing-row",
    "23505": "duplicate-row",
    "23P01": "duplicate-row",
    "21000": "duplicate-row",
    "23502": "null-value",
    "23514": "check-violation",
    "44000": "check-violation",
    "42702": "ambiguous",
    "42725": "ambiguous",
    "42712": "ambiguous",
    "42P09": "ambiguous",
    "42501": "permission",
    "25001": "not-in-transaction",
    "2D000": "not-in-transaction",
    "55P03": "lock-timeout",
    "40P01": "lock-timeout",
    "57014": "timeout",
    "25P03": "timeout",
    "25P04": "timeout",
    "0A000": "unsupported",
}
_BY_STATE_CLASS = {"22": "bad-value", "08": "connection", "57": "connection"}


def classify(sqlstate: str | None, message: str) -> FailureClass:
    """The class of a server's error. Texts are looked at only where one SQLSTATE stands for several things."""
    if sqlstate is None:
        return FAILURE_CLASSES["connection"]
    if sqlstate == "55P04":
        return _ENUM_VALUE_TOO_EARLY
    if sqlstate == "42P17":
        return FAILURE_CLASSES["not-immutable" if "immutable" in message.lower() else "other"]
    if sqlstate == "42P16":
        about_view = re.search(r"\bview\b", message, re.IGNORECASE)
        return FAILURE_CLASSES["view-columns" if about_view else "other"]
    if sqlstate == "0A000" and message.startswith("cannot alter type of a column used"):
        return FAILURE_CLASSES["dependents"]
    if sqlstate == "42883" and message.startswith("operator"):
        return FAILURE_CLASSES["type-mismatch"]
    return FAILURE_CLASSES[_BY_STATE.get(sqlstate) or _BY_STATE_CLASS.get(sqlstate[:2], "other")]


@dataclass(frozen=True, slots=True)
class Said:
    """What the server said beside its message. Never shown as it is: details may hold values of rows.

    position: 1-based character in the statement that was sent. source: the server's own function that refused it.
    inside: it was refused inside a function or block that the statement called.
    """

    detail: str = ""
    hint: str = ""
    position: int | None = None
    relation: str | None = None
    column: str | None = None
    constraint: str | None = None
    source: str = ""
    inside: bool = False

    @classmethod
    def of(cls, error: psycopg.Error) -> Said:
        told = error.diag
        place = f"{told.schema_name}.{told.table_name}" if told.schema_name and told.table_name else None
        return cls(
            told.message_detail or "",
            told.message_hint or "",
            int(told.statement_position) if told.statement_position else None,
            place,
            told.column_name,
            told.constraint_name,
            told.source_function or "",
            bool(told.context),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in a run of scripts; `line` is None where no statement failed but COMMIT did.

    suggestion: what would help here, in words or as SQL, made from the real catalog; None where nothing is known.
    """

    file: str
    line: int | None
    sqlstate: str | None
    message: str
    failure_class: FailureClass
    said: Said = field(default_factory=Said, repr=False, compare=False)
    suggestion: str | None = None

    @classmethod
    def of(cls, file: str, line: int | None, error: psycopg.Error) -> Failure:
        message = error.diag.message_primary or "The connection was lost."
        return cls(file, line, error.sqlstate, message, classify(error.sqlstate, message), Said.of(error))

    @property
    def wants_no_transaction(self) -> bool:
        """True if the server refused the statement only because it came inside a transaction block."""
        return self.sqlstate == "25001" and self.said.source == "PreventInTransactionBlock"

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "line": self.line,
            "sqlstate": self.sqlstate,
            "message": self.message,
            "class": self.failure_class.id,
            "means": self.failure_class.means,
            "fix": self.failure_class.fix,
            "suggestion": self.suggestion,
        }
