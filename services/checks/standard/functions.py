"""Standard check of a release's functions: each is really called, inside a transaction that is rolled back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from services.checks.context import CheckContext, NotTried
from services.checks.registry import CheckSpec
from services.checks.standard.declared import declared_in
from services.checks.standard.made_values import made_value
from services.checks.standard.release import release_of
from services.clients.redaction import redact
from services.settings import Level
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    from services.checks.standard.declared import Declared

STATEMENT_S = 4
LOCK_MS = 500
# What a rollback does not take back.
REACHES_OUT = re.compile(
    r"\b(?:dblink\w*|http_\w+|net\.http\w*|pg_(?:terminate|cancel)_backend|lo_export|pg_file_\w+|to\s+program)\b",
    re.IGNORECASE,
)
_SEQUENCES = re.compile(r"\b(?:nextval|setval)\s*\(", re.IGNORECASE)
# Answers to what we made up, which say nothing about the function: a refusal by its own words, or by the data.
_ABOUT_ARGUMENTS = ("P0", "22", "23")
TOO_BUSY = ("57014", "55P03", "40P01", "40001")


@dataclass(frozen=True, slots=True)
class Function:
    """A function that is there: its name, the types of its arguments, and what its body does outside transactions."""

    name: str
    arguments: tuple[str, ...]
    reaches_out: bool
    sequences: bool


@dataclass(frozen=True, slots=True)
class Call:
    """What a call came to. sqlstate: None where it answered; message: the server's words, without any row's data;
    made_up: it was given arguments, which the function may have refused."""

    name: str
    sqlstate: str | None
    message: str = ""
    made_up: bool = True

    @property
    def verdict(self) -> Verdict:
        if self.sqlstate is None:
            return Verdict.PASS
        about_ours = self.made_up and self.sqlstate.startswith(_ABOUT_ARGUMENTS)
        unclear = about_ours or self.sqlstate in TOO_BUSY or self.sqlstate == "25006"
        return Verdict.UNKNOWN if unclear else Verdict.FAIL


_THERE = """
select p.proname::text as name,
       array(select pg_catalog.format_type(t.type, null)
             from unnest(p.proargtypes::oid[]) with ordinality as t (type, place)
             where t.place <= p.pronargs - p.pronargdefaults order by t.place) as arguments,
       p.prosrc as body
from pg_catalog.pg_proc as p
where p.pronamespace = to_regnamespace('public') and p.prokind = 'f' and p.proname = any(%s)
  and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
order by 1, 2
"""


def function_probe(context: CheckContext) -> Finding:
    """Every function that the release declares answers when it is called; nothing of that stays."""
    declared = declared_in(release_of(context).deploy)
    if not declared.functions:
        raise NotTried("The release declares no function, so there is nothing to call.")
    with context.database(as_owner=True, read_only=False) as conn:
        there = {str(row[0]) for row in conn.execute(_NAMES, (list(declared.functions),)).fetchall()}
        tables = conn.execute(_TABLES, (list(declared.tables),)).fetchall()
        functions = [
            Function(
                row["name"],
                tuple(row["arguments"]),
                bool(REACHES_OUT.search(row["body"] or "")),
                bool(_SEQUENCES.search(row["body"] or "")),
            )
            for row in conn.cursor(row_factory=dict_row).execute(_THERE, (list(declared.functions),)).fetchall()
        ]
        calls = call_all(conn, [one for one in functions if not one.reaches_out])
    return judged(declared, there, functions, calls, released=bool(tables) or bool(there))


_NAMES = (
    "select distinct proname::text from pg_catalog.pg_proc where pronamespace = to_regnamespace('public')"
    " and proname = any(%s)"
)
_TABLES = (
    "select relname from pg_catalog.pg_class where relnamespace = to_regnamespace('public')"
    " and relname = any(%s) limit 1"
)


def call_all(conn: psycopg.Connection[Any], functions: Iterable[Function]) -> list[Call]:
    """Call each function in a savepoint of one transaction, which is rolled back."""
    with conn.transaction(force_rollback=True):
        limit(conn)
        return [_called(conn, one) for one in functions]


def limit(conn: psycopg.Connection[Any]) -> None:
    """Until the transaction ends: no statement takes long, and nobody waits behind us."""
    conn.execute(f"set local statement_timeout = '{STATEMENT_S}s'".encode())
    conn.execute(f"set local lock_timeout = '{LOCK_MS}ms'".encode())


def _called(conn: psycopg.Connection[Any], function: Function) -> Call:
    # The whole row is counted, so that no column of it is left out as not needed.
    arguments = ", ".join(made_value(kind) for kind in function.arguments)
    query = sql.SQL("select count(answer) from public.{} ({}) as answer").format(
        sql.Identifier(function.name),
        sql.SQL(arguments),
    )
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return Call(function.name, error.sqlstate, told(error), bool(function.arguments))
    return Call(function.name, None)


def told(error: psycopg.Error) -> str:
    """The server's words where they name objects (class 42), else the condition's name: values are people's."""
    if (error.sqlstate or "").startswith("42"):
        return redact(error.diag.message_primary or "")[:200]
    return type(error).__name__


def judged(
    declared: Declared, there: set[str], functions: Sequence[Function], calls: Sequence[Call], *, released: bool
) -> Finding:
    """there: names that the database has; released: anything of the release is there at all."""
    missing = [name for name in declared.functions if name not in there]
    failed = [call for call in calls if call.verdict is Verdict.FAIL]
    unclear = [call for call in calls if call.verdict is Verdict.UNKNOWN]
    skipped = [one.name for one in functions if one.reaches_out]
    facts: dict[str, Any] = {
        "called": [call.name for call in calls],
        "failed": [{"name": call.name, "code": call.sqlstate, "message": call.message} for call in failed],
        "code": failed[0].sqlstate if failed else None,
        "missing": missing,
        "unclear": {call.name: call.sqlstate for call in unclear},
        "skipped": skipped,
        "sequences_may_advance": any(one.sequences for one in functions),
        "rolled_back": True,
    }
    if not released:
        return Finding(
            Verdict.UNKNOWN, "Nothing of the release is in the database, so there is nothing to call.", facts
        )
    if failed:
        first = failed[0]
        said = f"{first.name} fails when it is called: {first.message} ({first.sqlstate})."
        return Finding(Verdict.FAIL, said, facts, link="supabase_sql_editor")
    if missing:
        return Finding(Verdict.FAIL, f"Not there: {', '.join(missing)}.", facts, link="supabase_sql_editor")
    if unclear or skipped:
        named = ", ".join([*(f"{one.name} ({one.sqlstate})" for one in unclear), *skipped])
        return Finding(Verdict.UNKNOWN, f"Whether these work could not be told by a call: {named}.", facts)
    return Finding(Verdict.PASS, f"{len(calls)} functions of the release answered; all was rolled back.", facts)


SPECS = (
    CheckSpec(
        "function-probe",
        "The release's functions answer",
        "Each function of the release is really called, and all of it rolled back.",
        function_probe,
        ("during", "after", "day"),
        ("database",),
        ("deploy_url",),
        Level.DEPLOY,
        lane="rows",
    ),
)
