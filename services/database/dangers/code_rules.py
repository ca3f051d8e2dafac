"""Knows, by the parse tree, what is dangerous in code and rights that a script leaves behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.database.dangers.bodies import dynamic_of, literal_of, queries_of, unfiltered_writes
from services.database.dangers.table_rules import Told
from services.database.dangers.written import Item, Written, commands, full_name
from services.database.parser import enum_name, nodes, parse

_QUOTING = ("quote_ident", "quote_literal", "quote_nullable")
_STRANGERS = ("anon", "public")
_TRUE = ("true", "on", "1", "yes")


def dynamic_sql(item: Item, written: Written) -> Iterator[Told]:
    """EXECUTE of text that is put together with values that nothing quotes, in a function that somebody calls."""
    for body, language in _bodies(item) if item.kind == "create_function_stmt" else ():
        if language != "plpgsql":
            continue
        for expression in dynamic_of(body):
            if _unquoted(expression):
                message = f"EXECUTE {_short(expression)} puts values into SQL unquoted: whoever gives them gives SQL."
                yield "dynamic-sql", message, "format() with %I for names and %L for values, or EXECUTE ... USING."


def writes_all_rows(item: Item, written: Written) -> Iterator[Told]:
    """A body that updates or deletes all rows, each time it runs."""
    for body, language in _bodies(item):
        for table in unfiltered_writes(body, language):
            name = table if "." in table else f"public.{table}"
            if not written.is_new(name):
                what = "This block" if item.kind == "do_stmt" else "Each call of this function"
                fix = "Name the rows with WHERE, ones that a second run no longer finds."
                yield "writes-all-rows", f"{what} changes every row of {name}.", fix


def definer_search_path(item: Item, written: Written) -> Iterator[Told]:
    """SECURITY DEFINER without a search_path of its own."""
    if item.kind != "create_function_stmt":
        return
    options = {one.def_elem.defname: one.def_elem for one in item.node.options if one.def_elem.defname != "set"}
    sets = [one.def_elem.arg.variable_set_stmt.name for one in item.node.options if one.def_elem.defname == "set"]
    definer = "security" in options and options["security"].arg.boolean.boolval
    if definer and "search_path" not in sets:
        message = "It runs with its owner's rights and finds names by the caller's search_path: a caller can swap them."
        yield "definer-search-path", message, "Add SET search_path = '' and write every name with its schema."


def enum_value_used(item: Item, written: Written) -> Iterator[Told]:
    """A value added to an enum type is used before COMMIT."""
    if item.kind != "alter_enum_stmt" or not item.node.new_val or item.node.old_val:
        return
    later = written.items[written.items.index(item) + 1 :]
    for other in later:
        if any(
            const.HasField("sval") and const.sval.sval == item.node.new_val for const in nodes(other.node, "A_Const")
        ):
            place = f"line {other.statement.start_line} of {other.statement.file}"
            message = (
                f"{item.node.new_val!r} is used on {place}, in the same transaction: the server refuses it (55P04)."
            )
            yield "enum-value-used", message, "Add the value in a release of its own, before."
            return


def table_without_row_security(item: Item, written: Written) -> Iterator[Told]:
    """CREATE TABLE AS copies rows, but not who may see them."""
    if item.kind != "create_table_as_stmt" or enum_name(item.node, "objtype") != "OBJECT_TABLE":
        return
    relation = item.node.into.rel
    name = full_name(relation)
    if relation.relpersistence != "t" and name.startswith("public.") and name not in written.row_security:
        message = f"{name} gets rows of other tables, but none of their policies: row-level security is off."
        yield "copy-without-row-security", message, f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, in the same script."


def view_of_owner(item: Item, written: Written) -> Iterator[Told]:
    """A view that strangers are granted, and that asks with its owner's rights."""
    if item.kind != "view_stmt" or any(_invoker(one.def_elem) for one in item.node.options):
        return
    name = full_name(item.node.view)
    for other in written.items:
        if other.kind == "grant_stmt" and other.node.is_grant and _to_outside(other.node, ("authenticated",)):
            named = [full_name(one.range_var) for one in other.node.objects if one.HasField("range_var")]
            if name in named:
                message = f"Whoever may read {name} sees all rows of its tables, whatever their policies say."
                yield "view-of-owner", message, "CREATE VIEW ... WITH (security_invoker = true)."
                return


def opened_to_strangers(item: Item, written: Written) -> Iterator[Told]:
    """Rights, policies and switches that open a table."""
    if item.kind == "grant_stmt" and item.node.is_grant and enum_name(item.node, "objtype") == "OBJECT_TABLE":
        names = [full_name(one.range_var) for one in item.node.objects if one.HasField("range_var")]
        to = _to_outside(item.node)
        if to and not all(name in written.row_security for name in names):
            fix = "Grant to authenticated or service_role, and let policies choose the rows."
            yield "granted-to-strangers", f"Everybody with the public key has these rights ({to}).", fix
    elif item.kind == "create_policy_stmt" and item.node.cmd_name != "select" and item.node.permissive:
        if any(_is_true(getattr(item.node, part)) for part in ("qual", "with_check")):
            message = "This policy lets everyone it names write any row."
            yield (
                "policy-always-true",
                message,
                "Compare the row with the caller, such as user_id = (SELECT auth.uid()).",
            )
    elif item.kind == "alter_table_stmt":
        for command in commands(item.node):
            if enum_name(command, "subtype") == "AT_DisableRowSecurity":
                message = f"Every grant on {full_name(item.node.relation)} now shows all rows."
                yield "row-security-off", message, "Leave it on and write the policy that is missing."


def password_in_script(item: Item, written: Written) -> Iterator[Told]:
    """A password in clear text stands in the file, the history and the server's log."""
    if item.kind in ("create_role_stmt", "alter_role_stmt"):
        for one in item.node.options:
            if one.def_elem.defname == "password" and one.def_elem.arg.HasField("string"):
                message = (
                    f"The password of {item.node.role if item.kind == 'create_role_stmt' else 'a role'} is in the file."
                )
                yield "password-in-script", message, "Set it by hand (psql's \\password), outside of any script."


def own_transaction(item: Item, written: Written) -> Iterator[Told]:
    """COMMIT and ROLLBACK inside a change that is one transaction."""
    if item.kind == "transaction_stmt" and item.statement.control in ("commit", "begin", "rollback"):
        word = str(item.statement.control).rpartition(".")[2].upper()
        message = f"Its own {word}: a deploy is one transaction that we open, verify and close."
        yield "transaction-inside", message, "Take BEGIN and COMMIT out of the script."


def _bodies(item: Item) -> Iterator[tuple[str, str]]:
    """(body, language) of a DO block or a function that the statement makes."""
    if item.kind == "do_stmt":
        parts = {one.def_elem.defname: one.def_elem.arg for one in item.node.args}
        language = parts["language"].string.sval if "language" in parts else "plpgsql"
        yield parts["as"].string.sval, language
    elif item.kind == "create_function_stmt":
        parts = {one.def_elem.defname: one.def_elem.arg for one in item.node.options}
        if "as" in parts and "language" in parts:
            yield parts["as"].list.items[0].string.sval, parts["language"].string.sval.lower()


def bodies_as_items(item: Item) -> Iterator[tuple[Any, str]]:
    """The statements inside a DO block, as parse trees with their kinds."""
    if item.kind != "do_stmt":
        return
    for body, language in _bodies(item):
        texts = [*queries_of(body, language)]
        texts += [text for one in dynamic_of(body) if (text := literal_of(one)) is not None]
        for text in texts:
            tree = parse(text)
            for one in tree.stmts if tree is not None else ():
                kind = str(one.stmt.WhichOneof("node"))
                yield getattr(one.stmt, kind), kind


def _unquoted(expression: str) -> bool:
    tree = parse(f"SELECT {expression}")
    if tree is None:
        return False
    for call in nodes(tree, "FuncCall"):
        if call.funcname[-1].string.sval == "format" and call.args:
            first = call.args[0]
            if first.HasField("a_const") and re.search(r"%(?:\d+\$)?-?\d*s", first.a_const.sval.sval):
                return True
    return any(_joins_bare(one) for one in nodes(tree, "A_Expr"))


def _joins_bare(expression: Any) -> bool:
    if not expression.name or expression.name[-1].string.sval != "||":
        return False
    return any(side.HasField("column_ref") for side in (expression.lexpr, expression.rexpr))


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 60 else plain[:57] + "..."


def _invoker(option: Any) -> bool:
    return option.defname == "security_invoker" and (not option.HasField("arg") or option.arg.string.sval in _TRUE)


def _to_outside(grant: Any, more: tuple[str, ...] = ()) -> str:
    named = [
        "public" if enum_name(one.role_spec, "roletype") == "ROLESPEC_PUBLIC" else one.role_spec.rolename
        for one in grant.grantees
    ]
    return ", ".join(name for name in named if name in (*_STRANGERS, *more))


def _is_true(node: Any) -> bool:
    return bool(node.HasField("a_const") and node.a_const.HasField("boolval") and node.a_const.boolval.boolval)
