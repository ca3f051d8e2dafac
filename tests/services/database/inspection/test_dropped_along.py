"""What a CASCADE takes along is told, unless a statement names it or what it was part of is gone as well."""

from __future__ import annotations

import pytest

from services.database.fingerprint import Fingerprint
from services.database.inspection.dropped_along import dropped_along

BEFORE = Fingerprint.of(
    {
        "schema shop": "owner a",
        "relation shop.orders": "r",
        "relation shop.lines": "r",
        "relation shop.totals": "v",
        "view shop.totals": "SELECT 1",
        'view shop."Best sellers"': "SELECT 1",
        "function shop.spent(integer, text)": "body",
        "policy shop.orders.own": "USING (true)",
        "trigger shop.lines.touch": "CREATE TRIGGER touch",
        "constraint shop.lines.of_order": "FOREIGN KEY (order_id) REFERENCES shop.orders(id)",
        "constraint shop.lines.positive": "CHECK (n > 0)",
        "index shop.by_day": "CREATE INDEX by_day",
    }
)


def without(*facts: str) -> Fingerprint:
    return Fingerprint.of({name: fact for name, fact in BEFORE.facts.items() if name not in facts})


def told(*gone: str, sql: str = "ALTER TABLE shop.orders DROP COLUMN total CASCADE") -> list[str]:
    return [one.object for one in dropped_along(BEFORE, without(*gone), [sql])]


@pytest.mark.parametrize(
    ("gone", "name"),
    [
        (("view shop.totals", "relation shop.totals"), "shop.totals"),
        (('view shop."Best sellers"',), 'shop."Best sellers"'),
        (("function shop.spent(integer, text)",), "shop.spent(integer, text)"),
        (("policy shop.orders.own",), "shop.orders.own"),
        (("trigger shop.lines.touch",), "shop.lines.touch"),
        (("constraint shop.lines.of_order",), "shop.lines.of_order"),
    ],
)
def test_what_no_statement_names_is_told(gone: tuple[str, ...], name: str) -> None:
    assert told(*gone) == [name]


@pytest.mark.parametrize(
    ("gone", "sql"),
    [
        (("view shop.totals", "relation shop.totals"), "DROP VIEW shop.totals"),
        (('view shop."Best sellers"',), 'DROP VIEW shop."Best sellers"'),
        (("policy shop.orders.own",), "DROP POLICY own ON shop.orders"),
        (("constraint shop.lines.of_order",), "ALTER TABLE shop.lines DROP COLUMN order_id"),
    ],
)
def test_what_a_statement_names_is_not_told(gone: tuple[str, ...], sql: str) -> None:
    assert told(*gone, sql=sql) == []


def test_parts_of_what_is_gone_and_other_facts_are_not_told() -> None:
    assert told("relation shop.orders", "policy shop.orders.own", "index shop.by_day") == []
    assert told("constraint shop.lines.positive") == []
    assert told("schema shop", "view shop.totals", "relation shop.totals") == []
