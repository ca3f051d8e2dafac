"""Knows the SQL of what hangs on tables: triggers, rules, policies; and of publications and default privileges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.database.definitions.draft import POLICY, PUBLICATION, REWRITE, TRIGGER, Draft
from services.database.definitions.kinds import add_owner
from services.database.definitions.relations import Relations
from services.database.definitions.rights import Roles, change_rights
from services.database.names import literal

_STATES = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}
_DEFAULTS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS", "L": "LARGE OBJECTS"}


def add_triggers(draft: Draft, found: Relations, rows: Iterable[Any]) -> None:
    """Triggers, save those that partitions have from their parents; and whether each one fires."""
    every = {row.oid: row for row in rows}
    keys: dict[int, str] = {}
    for row in every.values():
        table = found.rows[row.relation]
        if row.text is None:
            continue
        keys[row.oid] = draft.add(
            *("trigger", f"{row.name} on {table.name}", row.text, f"DROP TRIGGER {row.name} ON {table.name}"),
            at=(TRIGGER, row.oid, 0), oid=row.oid, part_of=found.keys[row.relation],
            named=f"TRIGGER {row.name} ON {table.name}",
        )  # fmt: skip
    for row in every.values():
        top = row
        while top.parent in every:
            top = every[top.parent]
        if row.state != ("O" if top is row else top.state) and top.oid in keys:
            table = found.rows[row.relation]
            text = f"ALTER TABLE ONLY {table.name} {_STATES[row.state]} TRIGGER {row.name}"
            drop = f"ALTER TABLE ONLY {table.name} ENABLE TRIGGER {row.name}"
            needs = [f"trigger state trigger {top.name} on {found.rows[top.relation].name}"] if top is not row else []
            identity = f"trigger {row.name} on {table.name}"
            draft.property_of(keys[top.oid], "trigger state", text, drop, identity=identity, needs=needs)


def add_rules(draft: Draft, found: Relations, rows: Iterable[Any]) -> None:
    for row in rows:
        table = found.rows.get(row.relation)
        if table is None:
            continue
        if row.text is None:
            draft.places[REWRITE, row.oid, 0] = found.keys[row.relation]
            continue
        whole = draft.add(
            *("rule", f"{row.name} on {table.name}", row.text.rstrip(";"), f"DROP RULE {row.name} ON {table.name}"),
            at=(REWRITE, row.oid, 0), oid=row.oid, part_of=found.keys[row.relation],
            named=f"RULE {row.name} ON {table.name}",
        )  # fmt: skip
        if row.state != "O":
            alter = f"ALTER TABLE {table.name}"
            draft.property_of(
                whole, "rule state", f"{alter} {_STATES[row.state]} RULE {row.name}", f"{alter} ENABLE RULE {row.name}"
            )


def add_policies(draft: Draft, found: Relations, rows: Iterable[Any]) -> None:
    for row in rows:
        table = found.rows[row.relation]
        text = f"CREATE POLICY {row.name} ON {table.name} AS {'PERMISSIVE' if row.permissive else 'RESTRICTIVE'}"
        text += f" FOR {_COMMANDS[row.command]} TO {', '.join(row.roles)}"
        text += f" USING ({row.using})" if row.using is not None else ""
        text += f" WITH CHECK ({row.check})" if row.check is not None else ""
        draft.add(
            *("policy", f"{row.name} on {table.name}", text, f"DROP POLICY {row.name} ON {table.name}"),
            at=(POLICY, row.oid, 0), oid=row.oid, part_of=found.keys[row.relation],
            named=f"POLICY {row.name} ON {table.name}",
        )  # fmt: skip


def add_publications(draft: Draft, found: Relations, rows: Iterable[Any]) -> None:
    """Publications, and each table and schema in one as a property of it."""
    for row in rows:
        named = f"PUBLICATION {row.name}"
        options = f"publish = {literal(row.publish)}, publish_via_partition_root = {str(row.via_root).lower()}"
        text = f"CREATE {named}{' FOR ALL TABLES' if row.all_tables else ''} WITH ({options})"
        whole = draft.add(
            *("publication", row.name, text, f"DROP {named}"), at=(PUBLICATION, row.oid, 0), named=named, oid=row.oid,
            facts={"options": options, "all_tables": row.all_tables},
        )  # fmt: skip
        add_owner(draft, whole, row.owner)
        for _, relation, columns, condition in row.tables or ():
            if relation in found.rows:
                table = found.rows[relation].name
                only = "" if found.rows[relation].kind == "p" else "ONLY "
                member = (
                    f"{only}{table}{f' ({columns})' if columns else ''}{f' WHERE ({condition})' if condition else ''}"
                )
                create, drop = f"ALTER {named} ADD TABLE {member}", f"ALTER {named} DROP TABLE {only}{table}"
                draft.property_of(
                    *(whole, "publication table", create, drop),
                    identity=f"{table} in {row.name}", needs=[found.keys[relation]], goes_with=[found.keys[relation]],
                )  # fmt: skip
        for _, space in row.schemas or ():
            draft.property_of(
                *(whole, "publication schema", f"ALTER {named} ADD TABLES IN SCHEMA {space}"),
                f"ALTER {named} DROP TABLES IN SCHEMA {space}", identity=f"{space} in {row.name}",
                needs=[f"schema {space}"], goes_with=[f"schema {space}"],
            )  # fmt: skip


def add_default_privileges(draft: Draft, roles: Roles, rows: Iterable[Any]) -> None:
    """What new objects of a role are granted to others by themselves."""
    for row in rows:
        where = f" IN SCHEMA {row.space}" if row.space else ""
        alter = f"ALTER DEFAULT PRIVILEGES FOR ROLE {row.role}{where}"
        rights, plain = roles.rights(row.acl), roles.rights(row.plain)
        create = tuple(f"{alter} {text}" for text in change_rights(plain, rights, _DEFAULTS[row.kind]))
        undo = tuple(f"{alter} {text}" for text in change_rights(rights, plain, _DEFAULTS[row.kind]))
        identity = f"{_DEFAULTS[row.kind].lower()} of {row.role}{f' in {row.space}' if row.space else ''}"
        draft.add(
            *("default privilege", identity, create, "; ".join(undo) or None),
            needs=[f"schema {row.space}"] if row.space else [], goes_with=[f"schema {row.space}"] if row.space else [],
            facts={"alter": alter, "rights": sorted(rights), "on": _DEFAULTS[row.kind], "plain": sorted(plain)},
        )  # fmt: skip


def default_grantees(roles: Mapping[str, str], rows: Iterable[Any]) -> Roles:
    """Who gets rights on new objects by default, as the default privileges say."""
    plain = Roles(roles, {}, frozenset())
    by_kind: dict[str, set[str]] = {}
    unsure: set[str] = set()
    for row in rows:
        by_kind.setdefault(row.kind, set()).update(who for who, _, _ in plain.rights(row.acl))
        if row.space is None:
            unsure.add(row.kind)
    return Roles(roles, {kind: frozenset(who) for kind, who in by_kind.items()}, frozenset(unsure))
