"""Faults of PulseCheck's tables, views, functions and rows."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from apps.pulsecheck.twin import table_statements as say
from apps.pulsecheck.twin.table_change import ASIDE, PUBLIC, Tables, by_statements, replacement, table_fault
from services.sandbox.fault import Fault

FUNCTION = "public.get_user_tier_info(text)"
LOG = "ai_usage_logs"


# -- a column of another type: its checks are made for the type, so they go and come back -----------------------


def _change_type(tables: Tables) -> Any:
    table, column = tables.named("journal_entries"), sql.Identifier(say.RETYPED)
    checks = tables.conn.execute(say.CHECKS_OF_COLUMN, ["public.journal_entries", say.RETYPED]).fetchall()
    for name, _definition in checks:
        tables.conn.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, sql.Identifier(name)))
    tables.conn.execute(sql.SQL("ALTER TABLE {} ALTER {} TYPE numeric(4, 1)").format(table, column))
    return [list(one) for one in checks]


def _change_type_back(tables: Tables, checks: Any) -> None:
    table, column = tables.named("journal_entries"), sql.Identifier(say.RETYPED)
    tables.conn.execute(sql.SQL("ALTER TABLE {} ALTER {} TYPE integer").format(table, column))
    for name, definition in checks:
        add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
        tables.conn.execute(add.format(table, sql.Identifier(name), sql.SQL(definition)))


# -- a table that was dropped, with the views on it ---------------------------------------------------------------


def _drop_table(tables: Tables) -> Any:
    tables.conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(ASIDE)))
    views = [row[0] for row in tables.conn.execute(say.VIEWS_ON, [f"{PUBLIC}.ai_feedback"]).fetchall()]
    _move(tables, views, PUBLIC, ASIDE)
    return views


def _bring_table_back(tables: Tables, views: Any) -> None:
    _move(tables, views, ASIDE, PUBLIC)
    tables.conn.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(ASIDE)))


def _move(tables: Tables, views: list[str], start: str, end: str) -> None:
    for kind, name in [("TABLE", "ai_feedback"), *(("VIEW", view) for view in views)]:
        statement = sql.SQL("ALTER {} {} SET SCHEMA {}")
        tables.conn.execute(statement.format(sql.SQL(kind), sql.Identifier(start, name), sql.Identifier(end)))


# -- what is replaced: how it is made as it is ------------------------------------------------------------------


def _function_as_it_is(tables: Tables) -> str:
    return _literal(tables.value("SELECT pg_get_functiondef(%s::regprocedure)", FUNCTION))


def _view_as_it_is(tables: Tables) -> str:
    """With {ai_feedback} for the one table that may be elsewhere when the view is made again."""
    tables.conn.execute("SET LOCAL search_path = ''")
    name = f"{tables.schema('beta_user_engagement')}.beta_user_engagement"
    told = str(tables.value("SELECT pg_get_viewdef(%s::regclass)", name))
    where = f"{tables.schema('ai_feedback')}.ai_feedback"
    return say.VIEW + _literal(told).replace(where, "{ai_feedback}")


def _literal(statement: object) -> str:
    """Braces of the statement itself stay what they are."""
    return str(statement).replace("{", "{{").replace("}", "}}")


# -- rows ---------------------------------------------------------------------------------------------------------


def _take_recent_rows(tables: Tables) -> Any:
    tables.conn.execute("SET LOCAL session_replication_role = replica")
    taken = {}
    for table, recent in say.RECENT.items():
        name = tables.named(table)
        found = sql.SQL("WITH gone AS (DELETE FROM {} WHERE {} RETURNING *) SELECT json_agg(gone)::text FROM gone")
        row = tables.conn.execute(found.format(name, sql.SQL(recent))).fetchone()
        taken[table] = row[0] if row and row[0] else "[]"
    return taken


def _give_recent_rows_back(tables: Tables, taken: Any) -> None:
    tables.conn.execute("SET LOCAL session_replication_role = replica")
    for table in reversed(say.RECENT):
        name = tables.named(table)
        statement = sql.SQL("INSERT INTO {} SELECT * FROM json_populate_recordset(NULL::{}, {}) ON CONFLICT DO NOTHING")
        tables.conn.execute(statement.format(name, name, sql.Literal(taken[table])))
    tables.conn.execute("SET LOCAL session_replication_role = origin")
    if tables.value(say.TRIGGER_IS_ON):
        _balance(tables)


def _balance(tables: Tables) -> None:
    tables.run(say.BALANCE)


def _switch_trigger_on(tables: Tables, _known: Any) -> None:
    tables.run("ALTER TABLE {ai_usage_logs} ENABLE TRIGGER USER")
    _balance(tables)


FUNCTION_VERSIONS = {
    "tiers-wrong": _literal(say.TIERS_WRONG),
    "tier-function-broken": _literal(say.TIER_FUNCTION_BROKEN),
}

FAULTS: tuple[Fault, ...] = (
    by_statements(
        "column-renamed",
        "journal_entries.mood_level is called mood_score now: the app can neither write entries nor sum them up.",
        "ALTER TABLE {journal_entries} RENAME COLUMN mood_level TO mood_score",
        "ALTER TABLE {journal_entries} RENAME COLUMN mood_score TO mood_level",
        in_rest=True,
    ),
    table_fault(
        "column-type-changed",
        "journal_entries.energy_level is numeric(4,1) now, without its check, where the app counts on an integer.",
        _change_type,
        _change_type_back,
        in_rest=True,
    ),
    table_fault(
        "table-missing",
        "ai_feedback was dropped with the views on it: feedback is lost, and a new start of the build fails.",
        _drop_table,
        _bring_table_back,
        needs="ai_feedback",
        in_rest=True,
    ),
    replacement(
        "tiers-wrong",
        "get_user_tier_info no longer knows the premium tier: people who pay are told beta or free.",
        FUNCTION_VERSIONS,
        _function_as_it_is,
        needs=LOG,
    ),
    replacement(
        "tier-function-broken",
        "get_user_tier_info fails with 42804 when it is called: it returns varchar(50) where it declares text.",
        FUNCTION_VERSIONS,
        _function_as_it_is,
        needs=LOG,
    ),
    by_statements(
        "sign-up-broken",
        "A trigger on new accounts writes a column that users does not have: nobody can sign up (42703).",
        say.SIGN_UP_BROKEN,
        say.SIGN_UP_MENDED,
    ),
    table_fault(
        "quota-trigger-off",
        "The trigger that keeps the daily quotas is switched off: calls are logged and not counted.",
        lambda tables: tables.run("ALTER TABLE {ai_usage_logs} DISABLE TRIGGER USER"),
        _switch_trigger_on,
        needs=LOG,
    ),
    replacement(
        "view-fan-out",
        "beta_user_engagement joins entries with calls: calls, tokens and cost are multiplied.",
        {"view-fan-out": say.VIEW + say.FAN_OUT},
        _view_as_it_is,
        needs="beta_user_engagement",
    ),
    by_statements(
        "release-readable-by-anon",
        "Row-level security of the release's tables is off, and anybody with the public key may read them.",
        say.READABLE,
        say.NOT_READABLE,
        needs=LOG,
    ),
    table_fault(
        "usage-stale",
        "No AI call has been logged for days: the history ends three days ago.",
        _take_recent_rows,
        _give_recent_rows_back,
        needs=LOG,
    ),
)
