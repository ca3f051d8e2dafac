"""Standard check of triggers: a row is really inserted where one fires, and a sign-up made, then all is rolled back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec
from services.checks.standard.declared import Declared, declared_in
from services.checks.standard.functions import REACHES_OUT, TOO_BUSY, limit, told
from services.checks.standard.made_values import made_value
from services.checks.standard.release import release_of
from services.settings import Level
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    from psycopg.sql import Composed

SIGN_UP = "auth.users"
_IN_FUNCTION = re.compile(r"\bfunction (?P<name>[\w.\"]+)\(")
_SIGN_UP_VALUES = {
    "id": "uuid",
    "instance_id": "uuid",
    "created_at": "timestamp with time zone",
    "updated_at": "timestamp with time zone",
    "raw_app_meta_data": "jsonb",
    "raw_user_meta_data": "jsonb",
}

_TRIGGERS = """
select n.nspname || '.' || c.relname as place, c.relname::text as table, t.tgname::text as name,
       t.tgenabled in ('O', 'A') as on, t.tgtype & 4 > 0 as on_insert, coalesce(p.prosrc, '') as body
from pg_catalog.pg_trigger as t
join pg_catalog.pg_class as c on c.oid = t.tgrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_proc as p on p.oid = t.tgfoid
where not t.tgisinternal and (n.nspname = 'public' or n.nspname || '.' || c.relname = 'auth.users')
order by 1, 3
"""
_COLUMNS = """
select a.attname::text as name, pg_catalog.format_type(a.atttypid, a.atttypmod) as kind, a.attnotnull as required,
       a.atthasdef or a.attidentity <> '' as filled, a.attgenerated <> '' or a.attidentity = 'a' as made,
       coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ 'nextval', false) or a.attidentity <> '' as counts,
       exists (select from pg_catalog.pg_index as i where i.indrelid = a.attrelid and i.indisunique
               and a.attnum = any(i.indkey)) as in_key,
       (select format('%%s.%%s', f.confrelid::regclass, k.attname)
        from pg_catalog.pg_constraint as f
        join pg_catalog.pg_attribute as k on k.attrelid = f.confrelid and k.attnum = f.confkey[1]
        where f.conrelid = a.attrelid and f.contype = 'f' and f.conkey = array[a.attnum] limit 1) is not null as refers
from pg_catalog.pg_attribute as a
left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that is there. place: its table with the schema; on: it fires; body: what its function does."""

    place: str
    table: str
    name: str
    on: bool
    on_insert: bool
    body: str


@dataclass(frozen=True, slots=True)
class Tried:
    """One row that was inserted. sqlstate: None where it went in; function: in which the error was raised."""

    place: str
    sqlstate: str | None
    function: str = ""
    message: str = ""
    counts: bool = False

    @property
    def verdict(self) -> Verdict:
        """An error raised inside a trigger's function is the trigger's; any other is about the row that we made up."""
        if self.sqlstate is None:
            return Verdict.PASS
        deliberate = self.sqlstate == "P0001" or self.sqlstate in TOO_BUSY or self.sqlstate == "25006"
        return Verdict.FAIL if self.function and not deliberate else Verdict.UNKNOWN


def trigger_probe(context: CheckContext) -> Finding:
    """A row goes into every table that has a trigger, a sign-up goes through, and no trigger is off."""
    declared = declared_in(release_of(context).deploy) if context.app.default_release else Declared((), (), ())
    with context.database(as_owner=True, read_only=False) as conn:
        cursor = conn.cursor(row_factory=dict_row)
        triggers = [Trigger(**row) for row in cursor.execute(_TRIGGERS).fetchall()]
        there = {
            str(row["relname"])
            for row in cursor.execute(
                "select relname::text from pg_catalog.pg_class where relnamespace = to_regnamespace('public')"
                " and relname = any(%s)",
                ([*declared.tables, *(table for _, table in declared.triggers)],),
            ).fetchall()
        }
        skipped = sorted({one.place for one in triggers if REACHES_OUT.search(one.body)})
        places = sorted({one.place for one in triggers if one.on and one.on_insert} - {SIGN_UP, *skipped})
        tried = insert_all(conn, places, None if SIGN_UP in skipped else context.marker)
    return judged(declared, triggers, there, tried, skipped)


def insert_all(conn: psycopg.Connection[Any], places: Sequence[str], sign_up_as: str | None) -> list[Tried]:
    """Insert one row into each place, and one person into auth.users; each in a savepoint, and all rolled back."""
    with conn.transaction(force_rollback=True):
        limit(conn)
        tried = [_tried(conn, place, _columns(conn, place), None) for place in places]
        people = _columns(conn, SIGN_UP)
        if people and sign_up_as is not None:
            tried.append(_tried(conn, SIGN_UP, people, sign_up_as))
        return tried


def _columns(conn: psycopg.Connection[Any], place: str) -> list[dict[str, Any]]:
    return conn.cursor(row_factory=dict_row).execute(_COLUMNS, (place,)).fetchall()


def _tried(
    conn: psycopg.Connection[Any], place: str, columns: Sequence[Mapping[str, Any]], sign_up_as: str | None
) -> Tried:
    counts = any(column["counts"] for column in columns)
    try:
        with conn.transaction(force_rollback=True):
            if sign_up_as is not None:
                conn.execute(_sign_up(columns, sign_up_as))
            elif conn.execute(_copy(place, columns)).rowcount == 0:
                conn.execute(_new(place, columns))
            # What waits for the end of a transaction would never be tried: this one has no end but the rollback.
            conn.execute("set constraints all immediate")
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        inside = _IN_FUNCTION.search(error.diag.context or "")
        return Tried(place, error.sqlstate, inside["name"] if inside else "", told(error), counts)
    return Tried(place, None, counts=counts)


def _copy(place: str, columns: Sequence[Mapping[str, Any]]) -> Composed:
    """A row like one that is there, so that it keeps every rule; what has to be unique in it is new."""
    used = [one for one in columns if not one["made"] and not (one["in_key"] and one["filled"])]
    values = [
        sql.SQL(made_value(one["kind"])) if one["in_key"] and not one["refers"] else sql.Identifier(one["name"])
        for one in used
    ]
    return sql.SQL("insert into {} ({}) select {} from {} limit 1").format(
        _table(place), _names(used), sql.SQL(", ").join(values), _table(place)
    )


def _new(place: str, columns: Sequence[Mapping[str, Any]]) -> Composed:
    """A row of an empty table: only what has to be filled."""
    used = [one for one in columns if one["required"] and not one["filled"] and not one["made"]]
    if not used:
        return sql.SQL("insert into {} default values").format(_table(place))
    values = sql.SQL(", ").join(sql.SQL(made_value(one["kind"])) for one in used)
    return sql.SQL("insert into {} ({}) values ({})").format(_table(place), _names(used), values)


def _sign_up(columns: Sequence[Mapping[str, Any]], marker: str) -> Composed:
    """A person as Auth would write one, marked and of no real address."""
    there = {str(one["name"]) for one in columns}
    values = {name: made_value(kind) for name, kind in _SIGN_UP_VALUES.items()}
    values |= {"aud": "'authenticated'", "role": "'authenticated'", "email": f"'{marker}@example.com'"}
    used = {name: value for name, value in values.items() if name in there}
    return sql.SQL("insert into auth.users ({}) values ({})").format(
        sql.SQL(", ").join(sql.Identifier(name) for name in used),
        sql.SQL(", ").join(sql.SQL(value) for value in used.values()),
    )


def _table(place: str) -> sql.Identifier:
    schema, _, name = place.partition(".")
    return sql.Identifier(schema, name)


def _names(columns: Sequence[Mapping[str, Any]]) -> Composed:
    return sql.SQL(", ").join(sql.Identifier(one["name"]) for one in columns)


def judged(
    declared: Declared, triggers: Sequence[Trigger], there: set[str], tried: Sequence[Tried], skipped: Sequence[str]
) -> Finding:
    """there: which of the release's tables the database has; skipped: places whose triggers act outside of it."""
    known = {(one.name, one.table) for one in triggers}
    missing = [
        f"{name} on {table}" for name, table in declared.triggers if table in there and (name, table) not in known
    ]
    off = [f"{one.name} on {one.table}" for one in triggers if not one.on]
    failed = [one for one in tried if one.verdict is Verdict.FAIL]
    unclear = [one for one in tried if one.verdict is Verdict.UNKNOWN]
    facts: dict[str, Any] = {
        "tried": [one.place for one in tried],
        "sign_up": next((one.sqlstate is None for one in tried if one.place == SIGN_UP), None),
        "failed": [
            {"table": one.place, "code": one.sqlstate, "function": one.function, "message": one.message}
            for one in failed
        ],
        "code": failed[0].sqlstate if failed else None,
        "off": off,
        "missing": missing,
        "unclear": {one.place: one.sqlstate for one in unclear},
        "skipped": list(skipped),
        "sequences_may_advance": any(one.counts for one in tried),
        "rolled_back": True,
    }
    if failed:
        first = failed[0]
        what = "A sign-up" if first.place == SIGN_UP else f"An insert into {first.place}"
        said = f"{what} fails in {first.function}: {first.message} ({first.sqlstate})."
        return Finding(Verdict.FAIL, said, facts, link="supabase_sql_editor")
    if off or missing:
        said = "; ".join([*(f"{name} is off" for name in off), *(f"{name} is not there" for name in missing)])
        return Finding(Verdict.FAIL, f"Trigger {said}.", facts, link="supabase_sql_editor")
    if declared.triggers and not there:
        said = "The release's triggers are not in the database, so there is nothing of them to try."
        return Finding(Verdict.UNKNOWN, said, facts)
    if unclear or skipped:
        named = ", ".join([*(f"{one.place} ({one.sqlstate})" for one in unclear), *skipped])
        return Finding(Verdict.UNKNOWN, f"No row could be made up for: {named}.", facts)
    if not tried:
        return Finding(Verdict.UNKNOWN, "There is no trigger and no sign-up to try.", facts)
    rows = len(tried) - (facts["sign_up"] is not None)
    people = " and a sign-up" if facts["sign_up"] else ""
    return Finding(Verdict.PASS, f"{rows} inserts that fire triggers{people} went through; all rolled back.", facts)


SPECS = (
    CheckSpec(
        "trigger-probe",
        "Triggers and sign-up work",
        "A row into each table with a trigger, and a sign-up, really inserted and rolled back; no trigger is off.",
        trigger_probe,
        ("during", "after", "day"),
        ("database",),
        ("deploy_url",),
        Level.DEPLOY,
        lane="rows",
    ),
)
