"""Knows our rules over the parse tree of scripts, for what neither a run nor the bought linter tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from services.database.dangers import code_rules, table_rules
from services.database.dangers.lint_finding import LintFinding
from services.database.dangers.table_rules import Told
from services.database.dangers.written import Catalog, Item, Written, read
from services.database.script import Script

Rule = Callable[[Item, Written], Iterator[Told]]

RULES: tuple[Rule, ...] = (
    table_rules.missing_where,
    table_rules.volatile_default,
    table_rules.required_without_default,
    table_rules.rename_in_use,
    table_rules.drop_cascade,
    table_rules.truncate,
    table_rules.seed_without_conflict,
    table_rules.not_immutable_expression,
    table_rules.refresh_blocks,
    code_rules.dynamic_sql,
    code_rules.writes_all_rows,
    code_rules.definer_search_path,
    code_rules.enum_value_used,
    code_rules.table_without_row_security,
    code_rules.view_of_owner,
    code_rules.opened_to_strangers,
    code_rules.password_in_script,
    code_rules.own_transaction,
)
_IN_BLOCKS = ("writes_all_rows", "missing_where", "truncate")


def rule_findings(scripts: Sequence[Script], catalog: Catalog | None = None) -> list[LintFinding]:
    """Findings in the order of the scripts, on the line where the statement begins (from 1).

    catalog: the server's major and the types of columns that are there, where they are known.
    """
    written = read(scripts, catalog or Catalog())
    found = [
        LintFinding(item.statement.file, item.statement.start_line, *told)
        for item in written.items
        for rule in RULES
        for told in rule(item, written)
    ]
    for item in written.items:
        found += _inside(item, written)
    return list(dict.fromkeys(found))


def _inside(item: Item, written: Written) -> Iterator[LintFinding]:
    """What stands in a DO block runs at once, and is judged as if it stood by itself."""
    for node, kind in code_rules.bodies_as_items(item):
        inner = Item(item.statement, kind, node)
        for rule in RULES:
            if rule.__name__ not in _IN_BLOCKS and rule is not code_rules.enum_value_used:
                for told in rule(inner, written):
                    yield LintFinding(item.statement.file, item.statement.start_line, *told)
