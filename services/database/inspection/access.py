"""Knows what visitors, signed-in people and the backend's role can read and write, by doing it and taking it back."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from services.database.inspection.catalog import Catalog, Relation, Routine
from services.database.inspection.error_kinds import BROKEN, function_in
from services.database.inspection.functions import call_of
from services.database.inspection.made_values import candidates, null_of
from services.database.inspection.probing import REACHES_OUT, Answer, Prober
from services.database.inspection.rows import RowMaker
from services.database.names import identifier, literal

_MOST_ROWS = 1000
_FEW = 50
_OWNER_COLUMNS = ("user_id", "owner_id", "owner", "author_id", "created_by", "profile_id", "account_id")
_RECURSION = "42P17"
_SENSITIVE = re.compile(
    r"e_?mail|passw|secret|(?:^|access_|refresh_|auth_|session_|api_|reset_)token$|phone|ssn|iban|birth|(?<!ip_)address",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who comes by the REST server. name: as we call them; claims: what their token says."""

    name: str
    role: str
    claims: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How far somebody came. state: "done", "refused", "broken" (it fails for everybody), or "unknown".

    rows: how many rows were reached; of_rows: how many there are (both up to a thousand, of_rows None where not
    counted); columns: what could be read; message: the server's words where it is broken or unknown.
    """

    state: str
    rows: int = 0
    of_rows: int | None = None
    columns: tuple[str, ...] = ()
    message: str = ""

    @property
    def allowed(self) -> bool:
        return self.state == "done" and self.rows > 0

    @property
    def sensitive(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if _SENSITIVE.search(name))


Key = tuple[str, str, str]
"""Object, caller's name, command."""

Matrix = dict[Key, Reach]


def callers(person: str) -> tuple[Caller, ...]:
    """Who is tried: a visitor, a signed-in person who owns rows, one who owns none, and the backend."""

    def claims(role: str, subject: str | None) -> str:
        told = {"role": role} | ({"sub": subject, "email": "somebody@example.com"} if subject else {})
        return json.dumps(told)

    return (
        Caller("anon", "anon", claims("anon", None)),
        Caller("stranger", "authenticated", claims("authenticated", str(uuid.uuid4()))),
        Caller("person", "authenticated", claims("authenticated", person)),
        Caller("service_role", "service_role", claims("service_role", None)),
    )


def some_person(prober: Prober, catalog: Catalog) -> str:
    """The id of somebody who is there, else a made-up one."""
    for place in ("auth.users", "public.users", "public.profiles"):
        relation = catalog.relations.get(place)
        if relation is not None and any(
            one.name == "id" and one.written == "uuid" for one in catalog.columns(relation)
        ):
            told = prober.attempt(f"SELECT id::text FROM {place} ORDER BY id LIMIT 1")
            if told.good and told.first:
                return told.first
    return str(uuid.uuid4())


def try_access(
    catalog: Catalog, prober: Prober, maker: RowMaker, relations: Iterable[Relation], routines: Iterable[Routine],
    person: str,
) -> Matrix:  # fmt: skip
    """What each caller reaches of each object. Empty tables get a row first, so that nothing seen means something."""
    found: Matrix = {}
    known = [one for one in callers(person) if one.role in prober.roles]
    if not known:
        return found
    wanted = [one for one in relations if not one.partition]
    catalog.prepare(wanted)
    with prober.apart():
        rows = {one.name: _own_row(catalog, prober, maker, one, person) for one in wanted if one.holds_rows}
        granted = _rights(catalog, {one.role for one in known}, wanted)
        for relation in wanted:
            count = prober.attempt(f"SELECT 1 FROM {relation.name} LIMIT {_MOST_ROWS}", sample=0)
            for caller in known:
                rights = granted.get((relation.oid, caller.role), _Rights())
                tried = _tried(catalog, prober, relation, caller, rights, rows.get(relation.name), count)
                for command, reach in tried:
                    found[relation.name, caller.name, command] = reach
        for routine in routines:
            if routine.kind == "f" and not routine.is_trigger and not REACHES_OUT.search(routine.body):
                for caller in known:
                    found[routine.name, caller.name, "execute"] = _called(catalog, prober, routine, caller)
    return found


def _own_row(
    catalog: Catalog, prober: Prober, maker: RowMaker, relation: Relation, person: str
) -> dict[str, str] | None:
    """The values of a row that could be inserted and would be the person's own, with one like it kept in the table."""
    types = {one.name: one.written for one in catalog.columns(relation)}
    owners = (*_OWNER_COLUMNS, *(one.name for one in catalog.columns(relation) if one.of_caller))
    owned = {name: f"{literal(person)}::{types[name]}" for name in owners
             if types.get(name) in ("uuid", "text") or types.get(name, "").startswith("character varying")}  # fmt: skip
    attempts: list[Mapping[str, str]] = [owned, {}] if owned else [{}]
    if not maker.has_rows(relation):
        for fixed in attempts:
            if prober.keep(maker.make(relation, fixed=fixed).statement or "SELECT 1 / 0").good:
                break
    for fixed in attempts:
        made = maker.make(relation, fixed=fixed)
        if not made.answer.good:
            continue
        columns = [one for one in catalog.columns(relation) if not one.made]
        shown = ", ".join(f"{identifier(one.name)}::text" for one in columns)
        told = prober.attempt(f"{made.statement} RETURNING {shown}")
        if not told.good or not told.rows:
            continue
        if made.parents:
            prober.keep(made.parents)
        # An owner is spelled out: by its default, each caller would insert a row of his own.
        filled = {one.name for one in columns if one.filled and one.name not in fixed}
        return {one.name: f"{literal(text)}::{one.written}" for one, text in zip(columns, told.rows[0], strict=True)
                if text is not None and one.name not in filled}  # fmt: skip
    return None


_RIGHTS = """
SELECT c.oid::int8, r.rolname::text,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
             AND NOT a.attisdropped AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')
             ORDER BY a.attnum),
       pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT'),
       pg_catalog.has_any_column_privilege(r.oid, c.oid, 'UPDATE'),
       pg_catalog.has_table_privilege(r.oid, c.oid, 'DELETE')
FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.pg_roles r
WHERE c.oid = ANY(%s::oid[]) AND r.rolname = ANY(%s)
  AND pg_catalog.has_schema_privilege(r.oid, c.relnamespace, 'USAGE')
"""


@dataclass(frozen=True, slots=True)
class _Rights:
    """What a role was granted on a relation. Without the right nobody gets as far as being tried."""

    columns: tuple[str, ...] = ()
    insert: bool = False
    update: bool = False
    delete: bool = False


def _rights(catalog: Catalog, roles: set[str], relations: list[Relation]) -> dict[tuple[int, str], _Rights]:
    rows = catalog.conn.execute(_RIGHTS, ([one.oid for one in relations], sorted(roles))).fetchall()
    return {(int(oid), str(role)): _Rights(tuple(columns), *more) for oid, role, columns, *more in rows}


def _tried(
    catalog: Catalog, prober: Prober, relation: Relation, caller: Caller, rights: _Rights,
    row: Mapping[str, str] | None, count: Answer,
) -> Iterator[tuple[str, Reach]]:  # fmt: skip
    def told(statement: str) -> Answer:
        return prober.attempt(statement, role=caller.role, claims=caller.claims)

    there = count.count if count.good else None
    refused = Reach("refused", message=f"permission denied for {relation.name}")
    listed = ", ".join(map(identifier, rights.columns))
    limited = f"SELECT {listed} FROM {relation.name} LIMIT {_MOST_ROWS}"
    seen = f"SELECT pg_catalog.count(*) FROM ({limited}) AS seen"
    yield "select", _reach(told(seen), there, rights.columns) if rights.columns else refused
    if not relation.holds_rows:
        return
    if row is not None:
        names = ", ".join(map(identifier, row))
        values = f"({names}) VALUES ({', '.join(row.values())})" if row else "DEFAULT VALUES"
        insert = f"INSERT INTO {relation.name} {values}; SET CONSTRAINTS ALL IMMEDIATE; SELECT 1"
        yield "insert", _written(told(insert), None) if rights.insert else refused
    some = ""
    if there is None or there >= _FEW:
        some = f" WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM {relation.name} LIMIT {_FEW})"
    changed = _updatable(catalog, relation)
    if changed and rights.update:
        done = told(_counted(f"UPDATE {relation.name} SET {changed} = {changed}{some}"))
        if done.sqlstate == "42501" or _none_of(done, there):
            # Whoever may not read, or sees no row, may still overwrite.
            done = told(_counted(f"UPDATE {relation.name} SET {changed} = DEFAULT"))
        yield "update", _written(done, there)
    else:
        yield "update", refused
    if rights.delete:
        done = told(_counted(f"DELETE FROM {relation.name}{some}"))
        if some and (done.sqlstate == "42501" or _none_of(done, there)):
            done = told(_counted(f"DELETE FROM {relation.name}"))
        yield "delete", _written(done, there)
    else:
        yield "delete", refused


def _none_of(done: Answer, there: int | None) -> bool:
    """True where no row was reached of those there are: a condition that reads them takes SELECT policies as well."""
    return done.good and not int(done.first or 0) and there != 0


def _counted(statement: str) -> str:
    return f"WITH done AS ({statement} RETURNING 1) SELECT pg_catalog.count(*) FROM done"


def _updatable(catalog: Catalog, relation: Relation) -> str:
    """A column to set to itself: one outside of keys, where there is one."""
    keys = {name for one in catalog.rules(relation) if one.kind in "uf" for name in one.columns}
    columns = sorted((one for one in catalog.columns(relation) if not one.made), key=lambda one: one.name in keys)
    return identifier(columns[0].name) if columns else ""


def _reach(answer: Answer, of_rows: int | None, columns: tuple[str, ...] = ()) -> Reach:
    if answer.good:
        return Reach("done", int(answer.first or 0), of_rows, columns)
    if answer.says_nothing:
        return Reach("unknown", message=f"not told in time ({answer.sqlstate})")
    state = answer.sqlstate or ""
    if state == "42501":
        return Reach("refused", message=answer.message)
    if state in BROKEN or state == _RECURSION:
        return Reach("broken", message=f"{answer.message} ({state})")
    # It was stopped by the row's own rules, behind all rights.
    return Reach("done", 1, of_rows, columns)


def _written(answer: Answer, of_rows: int | None) -> Reach:
    """A trigger that fails is told of by the rows that fire it: here it counts that rights led as far as to it."""
    reach = _reach(answer, of_rows)
    return Reach("done", 1, of_rows) if reach.state == "broken" and function_in(answer) else reach


def _called(catalog: Catalog, prober: Prober, routine: Routine, caller: Caller) -> Reach:
    values = [(candidates(oid, catalog.types) or [null_of(oid, catalog.types)])[0] for oid in routine.arguments]
    if routine.variadic and values:
        values[-1] = f"VARIADIC {values[-1]}"
    answer = prober.attempt(call_of(routine, values), role=caller.role, claims=caller.claims)
    if answer.says_nothing:
        return Reach("unknown", message=f"not told in time ({answer.sqlstate})")
    denied = answer.sqlstate == "42501" and re.match(r"permission denied for (function|schema)", answer.message)
    return Reach("refused", message=answer.message) if denied else Reach("done", 1)
