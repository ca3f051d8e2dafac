"""Knows which objects the words of a DROP mean, as the server would find them: addresses in its dependency records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from services.database.rollback.catalog import Catalog, Column, Constraint, Function, Relation
from services.database.rollback.deeds import Drop, DropOwned, Named, TypeName
from services.database.rollback.dependency_walk import Address

_ATTACHED = ("pg_trigger", "pg_policy", "pg_rewrite")
_OF_COLUMNS = ("column", "identity", "expression", "default", "not null")
_INHERITED_CHECKS = ("c", "n")

_OWNED = """
SELECT classid::bigint, objid::bigint, objsubid FROM pg_catalog.pg_shdepend
WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  AND refobjid IN (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ANY (%(roles)s)
                   OR (rolname = current_user AND 'current_user' = ANY (%(roles)s))
                   OR (rolname = session_user AND 'session_user' = ANY (%(roles)s)))
  AND (deptype = 'o' OR (deptype = 'r' AND (SELECT pg_catalog.cardinality(polroles) = 1 FROM pg_catalog.pg_policy
                                            WHERE oid = objid))
       OR (classid = 'pg_catalog.pg_default_acl'::pg_catalog.regclass AND NOT EXISTS (
             SELECT FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) x
             WHERE d.oid = objid AND (d.defaclnamespace = 0 OR x.grantee <> refobjid))))
"""


def seeds_of(catalog: Catalog, conn: psycopg.Connection[Any], drop: Drop) -> list[Address]:
    """The addresses that one statement drops by name; none for what is not there: then there is nothing to lose."""
    return [address for named in drop.objects for address in _seeds(catalog, conn, drop, named)]


def seeds_owned(conn: psycopg.Connection[Any], drop: DropOwned) -> list[Address]:
    """The addresses of all that the roles own in this database, and of the policies that are for one of them only."""
    return [(a, b, c) for a, b, c in conn.execute(_OWNED, {"roles": list(drop.roles)}).fetchall()]


def _seeds(catalog: Catalog, conn: psycopg.Connection[Any], drop: Drop, named: Named) -> Iterator[Address]:
    names = named.names
    if drop.kind == "table":
        if not catalog.unmake(names) and (relation := catalog.relation(names)):
            yield catalog.address("pg_class", relation.oid)
    elif drop.kind == "type":
        if found := catalog.type(names):
            yield catalog.address("pg_type", found.oid)
    elif drop.kind == "function":
        yield from (catalog.address("pg_proc", one.oid) for one in _functions(catalog, named))
    elif drop.kind == "schema":
        if (oid := catalog.schemas.get(names[0])) is not None:
            yield catalog.address("pg_namespace", oid)
    elif drop.kind == "extension":
        if (oid := catalog.extensions.get(names[0])) is not None:
            yield catalog.address("pg_extension", oid)
    elif drop.kind in _ATTACHED:
        if relation := catalog.relation(names[:-1]):
            own = (one for one in catalog.attached[relation.oid] if one.name == names[-1])
            yield from ((one.catalog, one.oid, 0) for one in own if one.catalog == catalog.classes[drop.kind])
    elif drop.kind in (*_OF_COLUMNS, "constraint"):
        if relation := catalog.relation(names[:-1]):
            yield from _of_table(catalog, drop, relation, names[-1])
    elif drop.kind == "domain constraint":
        if domain := catalog.type(names[:-1]):
            own_checks = (one for one in catalog.constraints.values() if one.domain == domain.oid)
            yield from (catalog.address("pg_constraint", one.oid) for one in own_checks if one.name == names[-1])
    else:
        yield from _asked(conn, drop.kind, named)


def _functions(catalog: Catalog, named: Named) -> list[Function]:
    found = catalog.functions_named(named.names)
    if named.arguments is None:
        return found[:1]
    wanted = " ".join(str(_type_oid(catalog, one)) for one in named.arguments)
    return [one for one in found if one.arguments == wanted][:1]


def _type_oid(catalog: Catalog, name: TypeName) -> int:
    found = catalog.type(name.names)
    return 0 if found is None else found.array if name.is_array else found.oid


def _of_table(catalog: Catalog, drop: Drop, relation: Relation, name: str) -> Iterator[Address]:
    if drop.kind == "constraint":
        yield from _constraints(catalog, relation.oid, name, only=drop.only)
        return
    for column in _columns(catalog, relation.oid, name, only=drop.only or drop.kind != "column"):
        if drop.kind == "column":
            yield catalog.address("pg_class", column.relation, column.number)
        elif drop.kind == "identity":
            address = catalog.address("pg_class", column.relation, column.number)
            rows = catalog.graph.needing(address)
            yield from (row.dependent for row in rows if row.kind == "i" and row.dependent[0] == address[0])
        elif drop.kind == "not null":
            yield from _not_null(catalog, column)
        else:
            defaults = (one for one in catalog.attached[column.relation] if one.type == column.number and not one.name)
            yield from ((one.catalog, one.oid, 0) for one in defaults)


def _columns(catalog: Catalog, oid: int, name: str, *, only: bool) -> Iterator[Column]:
    """The column, and those that children have from it alone."""
    column = catalog.columns[oid].get(name)
    if column is None:
        return
    yield column
    seen = {oid: 1}
    waiting = [] if only else list(catalog.children.get(oid, ()))
    while waiting:
        child = waiting.pop(0)
        theirs = catalog.columns[child].get(name)
        seen[child] = seen.get(child, 0) + 1
        # Each parent that loses it takes one from the count; what was declared by the child itself stays.
        if theirs is not None and not theirs.is_local and seen[child] == theirs.inherited:
            yield theirs
            waiting += catalog.children.get(child, ())


def _constraints(catalog: Catalog, oid: int, name: str, *, only: bool) -> Iterator[Address]:
    own = [one for one in catalog.constraints.values() if one.relation == oid and one.name == name]
    yield from (catalog.address("pg_constraint", one.oid) for one in own)
    if only or not any(one.kind in _INHERITED_CHECKS for one in own):
        return
    for child in catalog.children.get(oid, ()):
        theirs = next((one for one in catalog.constraints.values() if _is(one, child, name)), None)
        if theirs is not None and not theirs.is_local and theirs.inherited == 1:
            yield from _constraints(catalog, child, name, only=False)


def _is(constraint: Constraint, relation: int, name: str) -> bool:
    return constraint.relation == relation and constraint.name == name and constraint.kind in _INHERITED_CHECKS


def _not_null(catalog: Catalog, column: Column) -> Iterator[Address]:
    for one in catalog.constraints.values():
        if one.kind == "n" and one.relation == column.relation and one.columns == [column.number]:
            yield from _constraints(catalog, column.relation, one.name, only=False)


def _asked(conn: psycopg.Connection[Any], kind: str, named: Named) -> Iterator[Address]:
    """Rare kinds: the server finds them itself."""
    arguments: Sequence[str] = [one.text() for one in named.arguments or ()]
    if kind in ("publication relation", "publication namespace", "transform", "user mapping"):
        arguments = [one.names[-1] for one in named.arguments or ()]
    try:
        with conn.transaction():
            row = conn.execute(
                "SELECT classid::bigint, objid::bigint, objsubid FROM pg_catalog.pg_get_object_address(%s, %s, %s)",
                (kind, list(named.names), list(arguments)),
            ).fetchone()
    except psycopg.errors.Error as error:
        if error.sqlstate is None:
            raise
        return
    if row is not None:
        yield (row[0], row[1], row[2])
