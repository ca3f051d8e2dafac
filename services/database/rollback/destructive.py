"""Knows what a statement says it will do to objects and rows that are there: drop, delete, change, rename; or that it
does not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from services.database.parser import deparse, enum_name, new_tree, parse, walk
from services.database.rollback.deeds import (
    Block,
    Call,
    Deed,
    Drop,
    DropOwned,
    DropRole,
    Make,
    MakeFunction,
    Named,
    Opaque,
    Rename,
    Rows,
    SearchPath,
    Truncate,
    TypeName,
)

_DROPPED = {
    "OBJECT_TABLE": "table",
    "OBJECT_FOREIGN_TABLE": "table",
    "OBJECT_VIEW": "table",
    "OBJECT_MATVIEW": "table",
    "OBJECT_INDEX": "table",
    "OBJECT_SEQUENCE": "table",
    "OBJECT_TYPE": "type",
    "OBJECT_DOMAIN": "type",
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "function",
    "OBJECT_ROUTINE": "function",
    "OBJECT_AGGREGATE": "function",
    "OBJECT_TRIGGER": "pg_trigger",
    "OBJECT_POLICY": "pg_policy",
    "OBJECT_RULE": "pg_rewrite",
    "OBJECT_SCHEMA": "schema",
    "OBJECT_EXTENSION": "extension",
    "OBJECT_OPERATOR": "operator",
    "OBJECT_CAST": "cast",
    "OBJECT_OPCLASS": "operator class",
    "OBJECT_OPFAMILY": "operator family",
    "OBJECT_COLLATION": "collation",
    "OBJECT_CONVERSION": "conversion",
    "OBJECT_LANGUAGE": "language",
    "OBJECT_FDW": "foreign-data wrapper",
    "OBJECT_FOREIGN_SERVER": "server",
    "OBJECT_EVENT_TRIGGER": "event trigger",
    "OBJECT_PUBLICATION": "publication",
    "OBJECT_STATISTIC_EXT": "statistics object",
    "OBJECT_TSPARSER": "text search parser",
    "OBJECT_TSDICTIONARY": "text search dictionary",
    "OBJECT_TSTEMPLATE": "text search template",
    "OBJECT_TSCONFIGURATION": "text search configuration",
    "OBJECT_TRANSFORM": "transform",
    "OBJECT_ACCESS_METHOD": "access method",
}
"""Kinds of relation share one name space and one word, "table"; the rare ones are in the server's own words."""

_OF_TABLE = {
    "AT_DropColumn": "column",
    "AT_DropConstraint": "constraint",
    "AT_DropIdentity": "identity",
    "AT_DropExpression": "expression",
    "AT_DropNotNull": "not null",
    "AT_ColumnDefault": "default",
}


def deeds_of(sql: str) -> Iterator[Deed]:
    """What one statement does to what is there, in the order in which it does it."""
    parsed = parse(sql)
    if parsed is None or not parsed.stmts:
        yield Opaque("a statement that cannot be read")
        return
    for item in parsed.stmts:
        kind = str(item.stmt.WhichOneof("node"))
        yield from _deeds(kind, getattr(item.stmt, kind))


def _deeds(kind: str, node: Any) -> Iterator[Deed]:
    if kind == "drop_stmt":
        yield _drop(node)
    elif kind == "alter_table_stmt":
        yield from _alterations(node)
    elif kind == "truncate_stmt":
        tables = tuple((names_of(one.range_var), not one.range_var.inh) for one in node.relations)
        yield Truncate(tables, _cascades(node))
    elif kind == "do_stmt":
        yield _block(node)
    elif kind in _OTHERS:
        yield from _OTHERS[kind](node)
    else:
        yield from _rows_and_calls(kind, node)


def _drop(node: Any) -> Deed:
    kind = _DROPPED.get(enum_name(node, "remove_type"))
    if kind is None:
        return Opaque("a DROP of a rare kind")
    objects = tuple(_object(item) for item in node.objects)
    if kind == "transform":
        objects = tuple(Named(one.names[:1], (TypeName(one.names[1:]),)) for one in objects)
    return Drop(kind, objects, _cascades(node))


def _object(item: Any) -> Named:
    kind = item.WhichOneof("node")
    if kind == "string":
        return Named((item.string.sval,))
    if kind == "type_name":
        return Named(_type(item.type_name).names)
    if kind == "list":
        parts = list(item.list.items)
        if all(part.WhichOneof("node") == "type_name" for part in parts):  # a cast: from, to
            return Named((_type(parts[0].type_name).text(),), tuple(_type(part.type_name) for part in parts[1:]))
        return Named(tuple(_word(part) for part in parts))
    function = item.object_with_args
    names = tuple(part.string.sval for part in function.objname)
    if function.args_unspecified:
        return Named(names, None)
    return Named(names, tuple(_type(argument.type_name) for argument in function.objargs))


def _word(part: Any) -> str:
    return _type(part.type_name).text() if part.WhichOneof("node") == "type_name" else str(part.string.sval)


def _type(type_name: Any) -> TypeName:
    return TypeName(tuple(part.string.sval for part in type_name.names), len(type_name.array_bounds) > 0)


def _alterations(node: Any) -> Iterator[Deed]:
    names, only = names_of(node.relation), not node.relation.inh
    if enum_name(node, "objtype") == "OBJECT_TYPE":
        only = False
    for item in node.cmds:
        command = item.alter_table_cmd
        what = enum_name(command, "subtype")
        kind = _OF_TABLE.get(what)
        if kind and not (kind == "default" and command.HasField("def")):
            yield Drop(kind, (Named((*names, command.name)),), _cascades(command), only)
        elif what == "AT_AlterColumnType":
            yield Rows("changed", names, only, None, whole=True, columns=(command.name,))


def _domain(node: Any) -> Iterator[Deed]:
    if node.subtype == "X":
        names = tuple(part.string.sval for part in node.type_name)
        yield Drop("domain constraint", (Named((*names, node.name)),), _cascades(node))


def _publication(node: Any) -> Iterator[Deed]:
    if enum_name(node, "action") != "AP_DropObjects":
        return
    for item in node.pubobjects:
        given = item.publication_obj_spec
        publication = (TypeName((node.pubname,)),)
        if given.HasField("pubtable"):
            named = Named(names_of(given.pubtable.relation), publication)
            yield Drop("publication relation", (named,), cascade=False)
        else:
            yield Drop("publication namespace", (Named((given.name,), publication),), cascade=False)


def _rename(node: Any) -> Iterator[Deed]:
    kind = enum_name(node, "rename_type")
    if not node.HasField("relation") or kind not in ("OBJECT_COLUMN", "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"):
        return
    yield Rename(names_of(node.relation), node.subname if kind == "OBJECT_COLUMN" else None, node.newname, None)


def _move(node: Any) -> Iterator[Deed]:
    if node.HasField("relation"):
        yield Rename(names_of(node.relation), None, None, node.newschema)


def _made(relation: Any) -> Iterator[Deed]:
    yield Make(names_of(relation))


def _roles(node: Any) -> tuple[str, ...]:
    return tuple(
        item.role_spec.rolename
        or {"ROLESPEC_SESSION_USER": "session_user"}.get(enum_name(item.role_spec, "roletype"), "current_user")
        for item in node.roles
    )


def _setting(node: Any) -> Iterator[Deed]:
    if node.name == "search_path":
        yield SearchPath(tuple(item.a_const.sval.sval for item in node.args))


def _mapping(node: Any) -> Iterator[Deed]:
    role = node.user.rolename or {"ROLESPEC_PUBLIC": "public"}.get(enum_name(node.user, "roletype"), "current_user")
    yield Drop("user mapping", (Named((role,), (TypeName((node.servername,)),)),), cascade=False)


def _block(node: Any) -> Deed:
    language, body = "plpgsql", ""
    for item in node.args:
        if item.def_elem.defname == "language":
            language = item.def_elem.arg.string.sval
        elif item.def_elem.defname == "as":
            body = item.def_elem.arg.string.sval
    return Block(language, body)


_OTHERS: dict[str, Callable[[Any], Iterator[Deed]]] = {
    "drop_owned_stmt": lambda node: iter((DropOwned(_roles(node), _cascades(node)),)),
    "drop_role_stmt": lambda node: iter((DropRole(_roles(node)),)),
    "drop_user_mapping_stmt": _mapping,
    "drop_subscription_stmt": lambda node: iter((Opaque(f"DROP SUBSCRIPTION {node.subname}"),)),
    "alter_domain_stmt": _domain,
    "alter_publication_stmt": _publication,
    "rename_stmt": _rename,
    "alter_object_schema_stmt": _move,
    "create_stmt": lambda node: _made(node.relation),
    "create_table_as_stmt": lambda node: _made(node.into.rel),
    "view_stmt": lambda node: _made(node.view),
    "create_seq_stmt": lambda node: _made(node.sequence),
    "create_function_stmt": lambda node: iter((MakeFunction(tuple(one.string.sval for one in node.funcname)),)),
    "variable_set_stmt": _setting,
}


def _rows_and_calls(kind: str, node: Any) -> Iterator[Deed]:
    """DELETE, UPDATE and MERGE, wherever they stand in the statement, and the functions that it calls."""
    if kind == "call_stmt":
        yield Call(tuple(part.string.sval for part in node.funccall.funcname), len(node.funccall.args))
        return
    if kind not in ("select_stmt", "insert_stmt", "delete_stmt", "update_stmt", "merge_stmt"):
        return
    if kind == "select_stmt" and node.HasField("into_clause"):
        yield Make(names_of(node.into_clause.rel))
    for _, part in walk(node):
        name = type(part).__name__
        if name in ("DeleteStmt", "UpdateStmt"):
            yield _rows(name, part)
        elif name == "MergeStmt":
            yield from _merged(part)
        elif name == "FuncCall":
            yield Call(tuple(word.string.sval for word in part.funcname), len(part.args))
        elif name == "InsertStmt" and _updates_on_conflict(part):
            yield Rows("changed", names_of(part.relation), only=False, select=None)


def _updates_on_conflict(insert: Any) -> bool:
    clause = insert.on_conflict_clause
    return insert.HasField("on_conflict_clause") and enum_name(clause, "action") == "ONCONFLICT_UPDATE"


def _rows(name: str, node: Any) -> Deed:
    update = name == "UpdateStmt"
    sets = tuple(item.res_target.name for item in node.target_list) if update else ()
    others = node.from_clause if update else node.using_clause
    conditions = [node.where_clause] if node.HasField("where_clause") else []
    return _found(node, "changed" if update else "deleted", sets, list(others), conditions)


def _merged(node: Any) -> Iterator[Deed]:
    for item in node.merge_when_clauses:
        clause = item.merge_when_clause
        effect = {"CMD_DELETE": "deleted", "CMD_UPDATE": "changed"}.get(enum_name(clause, "command_type"))
        if effect:
            conditions = [node.join_condition, *([clause.condition] if clause.HasField("condition") else [])]
            sets = tuple(one.res_target.name for one in clause.target_list)
            yield _found(node, effect, sets, [node.source_relation], conditions)


def _found(node: Any, effect: str, sets: tuple[str, ...], others: list[Any], conditions: list[Any]) -> Rows:
    """The rows as a query: the same tables, under the same conditions."""
    tree = new_tree()
    tree.CopyFrom(parse("SELECT"))
    select = tree.stmts[0].stmt.select_stmt
    select.from_clause.add().range_var.CopyFrom(node.relation)
    for other in others:
        select.from_clause.add().CopyFrom(other)
    if len(conditions) == 1:
        select.where_clause.CopyFrom(conditions[0])
    elif conditions:
        both = select.where_clause.bool_expr
        both.boolop = 1
        for one in conditions:
            both.args.add().CopyFrom(one)
    functions = tuple(
        tuple(word.string.sval for word in part.funcname) for _, part in walk(tree) if type(part).__name__ == "FuncCall"
    )
    before = ""
    if node.HasField("with_clause"):
        named = new_tree()
        named.CopyFrom(parse("SELECT"))
        named.stmts[0].stmt.select_stmt.with_clause.CopyFrom(node.with_clause)
        before = deparse(named).removesuffix("SELECT").strip()
    return Rows(
        effect,
        names_of(node.relation),
        not node.relation.inh,
        deparse(tree).removeprefix("SELECT").strip(),
        node.relation.alias.aliasname or node.relation.relname,
        columns=sets,
        functions=functions,
        before=before,
    )


def _cascades(node: Any) -> bool:
    return enum_name(node, "behavior") == "DROP_CASCADE"


def names_of(relation: Any) -> tuple[str, ...]:
    """(schema, name) or (name,) of a relation in a parse tree."""
    return (relation.schemaname, relation.relname) if relation.schemaname else (relation.relname,)
