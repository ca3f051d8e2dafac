"""Knows whether functions and procedures still work: checked by the server, by its extension, and by being called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg

from services.database.inspection.catalog import Catalog, Relation, Routine
from services.database.inspection.error_kinds import Kind, kind_of
from services.database.inspection.finding import InspectionFinding, broken, passed, unclear
from services.database.inspection.made_values import candidates, null_of
from services.database.inspection.probing import REACHES_OUT, Answer, Prober
from services.database.inspection.unreached import missing_in_body

_MOST_ROWS = 200
_CHECK_S = 5
_MAKES_TABLE = re.compile(r"\b(?:create\b[^;]*\btable|into\s+temp)", re.IGNORECASE)


def check_functions(
    catalog: Catalog, prober: Prober, routines: Iterable[Routine], admin: psycopg.Connection[Any]
) -> list[InspectionFinding]:
    """One finding for each routine. admin: a superuser's session, which asks plpgsql_check where the server has it."""
    wanted = list(routines)
    checked = _by_extension(admin, catalog, [one for one in wanted if one.language == "plpgsql"])
    ids = _existing_ids(catalog, prober)
    found = []
    for routine in wanted:
        if (error := checked.get(routine.oid)) and not _about_own_table(routine, error):
            state, _, message = error.partition(" ")
            found.append(broken("function", routine.name, f"It fails when it is called: {message} ({state}).", state))
            continue
        found.append(_tried(catalog, prober, routine, ids, checked_through=checked.get(routine.oid) == ""))
    return found


def _about_own_table(routine: Routine, error: str) -> bool:
    """plpgsql_check runs nothing, so a table that the body makes is not there for it: the calls decide."""
    return error.startswith("42P01") and _MAKES_TABLE.search(routine.body) is not None


def _tried(
    catalog: Catalog, prober: Prober, routine: Routine, ids: Sequence[str], *, checked_through: bool
) -> InspectionFinding:
    if routine.language == "sql" and not routine.standard_body:
        answer = _recreated(prober, routine)
        if kind_of(answer, routine.body, has_arguments=False) is Kind.BROKEN:
            said = f"It fails when it is called: {answer.message} ({answer.sqlstate})."
            return broken("function", routine.name, said, answer.sqlstate or "")
    if missing := missing_in_body(catalog, routine):
        return broken("function", routine.name, f"Its body names {missing}, which is not there.", "body")
    if routine.is_trigger:
        return _of_trigger(catalog, routine, checked_through=checked_through)
    if REACHES_OUT.search(routine.body):
        return unclear("function", routine.name, "It acts outside the database, so it was not called.", "reaches-out")
    return _judged(routine, list(_calls(catalog, prober, routine, ids)), checked_through=checked_through)


def _of_trigger(catalog: Catalog, routine: Routine, *, checked_through: bool) -> InspectionFinding:
    if checked_through:
        return passed("function", routine.name, "plpgsql_check finds nothing wrong with it.")
    if any(one.function == routine.oid for one in catalog.triggers):
        return passed("function", routine.name, "What its body names is there; it is tried by the tables it fires on.")
    return unclear("function", routine.name, "No trigger calls it, so it could not be tried.", "no-trigger")


def _recreated(prober: Prober, routine: Routine) -> Answer:
    """Have the server read the whole body again: for a body in SQL it checks every statement."""
    return prober.attempt(routine.definition, path=prober.search_paths.get(routine.owner))


def _calls(catalog: Catalog, prober: Prober, routine: Routine, ids: Sequence[str]) -> Iterator[Answer]:
    """Call it in several ways, until one is answered and NULLs were tried too."""
    seen = set()
    for values in _argument_lists(catalog, routine, ids):
        statement = call_of(routine, values)
        if statement in seen:
            continue
        seen.add(statement)
        answer = prober.attempt(statement, role=_caller(prober, routine))
        if answer.sqlstate == "42501" and not routine.definer:
            # Who calls it may have rights that its owner lacks.
            answer = prober.attempt(statement, path=prober.search_paths.get(routine.owner))
        yield answer
        if answer.says_nothing:
            return


def _caller(prober: Prober, routine: Routine) -> str | None:
    return routine.owner if routine.owner in prober.roles else None


def call_of(routine: Routine, values: Sequence[str]) -> str:
    """The statement that calls a routine and reads all of its answer."""
    given = ", ".join(values)
    if routine.kind == "p":
        return f"CALL {routine.call}({given}); SET CONSTRAINTS ALL IMMEDIATE"
    # The whole row is counted, so that no column of it is left out as not needed.
    rows = f"SELECT answer FROM {routine.call}({given}) AS answer LIMIT {_MOST_ROWS}"
    return f"SELECT pg_catalog.count(answer) FROM ({rows}) AS answers; SET CONSTRAINTS ALL IMMEDIATE"


def _argument_lists(catalog: Catalog, routine: Routine, ids: Sequence[str]) -> Iterator[list[str]]:
    """Arguments to call with: likely ones, ids that are there, others, all NULL; then without those that may lack."""
    oids = routine.arguments
    choices = [candidates(oid, catalog.types) or [null_of(oid, catalog.types)] for oid in oids]
    likely = [values[0] for values in choices]
    if routine.variadic and likely:
        likely[-1] = f"VARIADIC {likely[-1]}"
    yield likely
    if not oids:
        return
    names = [catalog.types[oid].name if oid in catalog.types else "" for oid in oids]
    for one in ids:
        there = [
            f"uuid '{one}'"
            if name == "uuid"
            else f"'{one}'::{name}"
            if name in ("text", "character varying")
            else value
            for name, value in zip(names, likely, strict=True)
        ]
        yield there
    for place in (1, 2, 3):
        others = [values[min(place, len(values) - 1)] for values in choices]
        yield [f"VARIADIC {one}" if routine.variadic and n == len(others) - 1 else one for n, one in enumerate(others)]
    nulls = [null_of(oid, catalog.types) for oid in oids]
    yield [f"VARIADIC {one}" if routine.variadic and n == len(nulls) - 1 else one for n, one in enumerate(nulls)]
    if routine.defaults:
        yield likely[: len(likely) - routine.defaults]


def _judged(routine: Routine, answers: Sequence[Answer], *, checked_through: bool) -> InspectionFinding:
    has_arguments = bool(routine.arguments)
    kinds = [kind_of(answer, routine.body, has_arguments=has_arguments) for answer in answers]
    if Kind.BROKEN in kinds:
        worst = answers[kinds.index(Kind.BROKEN)]
        said = f"It fails when it is called: {worst.message} ({worst.sqlstate})."
        return broken("function", routine.name, said, worst.sqlstate or "")
    if Kind.REFUSED in kinds and routine.definer:
        refused = answers[kinds.index(Kind.REFUSED)]
        said = f"It runs with its owner's rights, and those do not suffice: {refused.message}."
        return broken("function", routine.name, said, "42501")
    if Kind.GOOD in kinds:
        return passed("function", routine.name, f"It answered {kinds.count(Kind.GOOD)} of {len(kinds)} calls.")
    if checked_through:
        return passed("function", routine.name, "plpgsql_check finds nothing wrong with it.")
    last = answers[-1]
    return unclear(
        "function",
        routine.name,
        f"No call was answered: {last.sqlstate}. That may be our arguments.",
        last.sqlstate or "",
    )


def _existing_ids(catalog: Catalog, prober: Prober) -> list[str]:
    """Ids of rows that are there, for arguments that may name one: of a person first."""
    found: list[str] = []
    people = sorted(
        (
            one
            for one in catalog.relations.values()
            if one.holds_rows and one.table in ("users", "profiles", "accounts")
        ),
        key=lambda one: (one.schema != "auth", one.name),
    )
    for relation in people[:3]:
        ids = [one for one in catalog.columns(relation) if one.name == "id" and one.written == "uuid"]
        if not ids:
            continue
        told = prober.attempt(f"SELECT id::text FROM {relation.name} ORDER BY id LIMIT 1")
        if told.good and told.first and told.first not in found:
            found.append(told.first)
    return found


def _by_extension(admin: psycopg.Connection[Any], catalog: Catalog, routines: Sequence[Routine]) -> dict[int, str]:
    """What plpgsql_check says of each routine: "" where it finds no error. Empty where the server does not have it."""
    have = admin.execute("SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'plpgsql_check'").fetchone()
    if have is None or not routines:
        return {}
    found: dict[int, str] = {}
    with admin.transaction(force_rollback=True):
        admin.execute(f"SET LOCAL statement_timeout = '{_CHECK_S}s'; CREATE SCHEMA IF NOT EXISTS ops_check")
        if admin.execute("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'plpgsql_check'").fetchone() is None:
            admin.execute("CREATE EXTENSION plpgsql_check SCHEMA ops_check")
        row = admin.execute(
            "SELECT pg_catalog.format('%I', n.nspname) FROM pg_catalog.pg_extension e"
            " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'plpgsql_check'"
        ).fetchone()
        where = str(row[0]) if row else "ops_check"
        for routine in routines:
            for relation in _relations_of(catalog, routine):
                if told := _checked(admin, where, routine, relation):
                    found[routine.oid] = told
                    break
                found.setdefault(routine.oid, "")
    return found


def _relations_of(catalog: Catalog, routine: Routine) -> list[Relation | None]:
    """On which tables a routine is checked: a trigger's function on each that it fires on, any other on none."""
    if not routine.is_trigger:
        return [None]
    fires = [catalog.by_oid.get(one.relation) for one in catalog.triggers if one.function == routine.oid]
    return [one for one in fires if one is not None] if routine.returns == "trigger" else []


def _checked(admin: psycopg.Connection[Any], where: str, routine: Routine, relation: Relation | None) -> str:
    query = (
        "SELECT sqlstate || ' ' || message"
        f" FROM {where}.plpgsql_check_function_tb({routine.oid}::pg_catalog.regprocedure,"
        f" relid => {relation.oid if relation else 0}::pg_catalog.regclass, fatal_errors => false,"
        " other_warnings => false, performance_warnings => false, extra_warnings => false, security_warnings => false)"
        " WHERE level = 'error' ORDER BY lineno LIMIT 1"
    )
    with admin.transaction(force_rollback=True):
        row = admin.execute(query).fetchone()
    return str(row[0]) if row else ""
