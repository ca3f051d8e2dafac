"""Knows how to read all definitions of a database: one query for each kind of object, whatever their number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import RowFactory, namedtuple_row, tuple_row

from services.database.definitions import attached, constraints, kinds, relations, seldom
from services.database.definitions.definition import Definitions
from services.database.definitions.draft import TYPE, Draft
from services.database.fingerprint import bare_search_path

_FOLDER = Path(__file__).parent / "queries"
_SCOPE = (_FOLDER / "scope.sql").read_text()
_QUERIES = {file.stem: file.read_text() for file in sorted(_FOLDER.glob("*.sql")) if file.stem != "scope"}
_WITHOUT_SCOPE = frozenset({"comments", "dependencies", "publications"})


def read_definitions(conn: psycopg.Connection[Any]) -> Definitions:
    """The definition of every object outside system schemas, extensions and our own schema `ops`.

    Takes no lock above AccessShare. Objects of kinds that are not written here (operator classes, languages, foreign
    servers ...) are named, with the kind "cannot be written". What a definition says is read by the server's own
    functions with an empty search_path, so it means the same wherever it is run.
    """
    with bare_search_path(conn):
        rows = {name: _rows(conn, name) for name in _QUERIES}
        quoted = dict(
            conn.execute("SELECT rolname, pg_catalog.quote_ident(rolname) FROM pg_catalog.pg_roles").fetchall()
        )
    return _definitions(rows, quoted, conn.info.server_version // 10000)


def _rows(conn: psycopg.Connection[Any], name: str) -> list[Any]:
    query = _QUERIES[name] if name in _WITHOUT_SCOPE else f"{_SCOPE}{_QUERIES[name]}"
    # The one long list of all is taken apart by position.
    shape: RowFactory[Any] = tuple_row if name == "dependencies" else namedtuple_row
    with conn.cursor(row_factory=shape) as cursor:
        return cursor.execute(query).fetchall()


def _definitions(rows: dict[str, list[Any]], quoted: dict[str, str], major: int) -> Definitions:
    draft = Draft()
    roles = attached.default_grantees(quoted, rows["default_privileges"])
    found = relations.relations_of(rows["relations"], rows["columns"], rows["constraints"])
    kinds.add_schemas(draft, roles, rows["schemas"])
    kinds.add_extensions(draft, rows["extensions"])
    seldom.add_collations(draft, rows["collations"])
    seldom.add_text_search(draft, rows["text_search"])
    kinds.add_types(draft, roles, rows["types"])
    relations.add_relations(draft, roles, found, rows["sequences"], major)
    kinds.add_routines(draft, roles, rows["routines"])
    seldom.add_operators(draft, rows["operators"])
    seldom.add_casts(draft, rows["casts"])
    types = {row.oid: draft.places[TYPE, row.oid, 0] for row in rows["types"]}
    constraints.add_constraints(draft, found, types, rows["constraints"])
    constraints.add_indexes(draft, found, rows["indexes"])
    attached.add_triggers(draft, found, rows["triggers"])
    attached.add_rules(draft, found, rows["rules"])
    attached.add_policies(draft, found, rows["policies"])
    kinds.add_statistics(draft, dict(found.keys), rows["statistics"])
    attached.add_publications(draft, found, rows["publications"])
    kinds.add_event_triggers(draft, rows["event_triggers"])
    attached.add_default_privileges(draft, roles, rows["default_privileges"])
    kinds.add_unwritable(draft, rows["unwritable"])
    constraints.tie_propagated(draft, found)
    _place_types(draft, found, rows["type_places"])
    draft.tie(rows["dependencies"])
    kinds.add_comments(draft, rows["comments"])
    return draft.finish()


def _place_types(draft: Draft, found: relations.Relations, rows: list[Any]) -> None:
    for row in rows:
        if row.relation in found.keys and (TYPE, row.oid, 0) not in draft.places:
            draft.places[TYPE, row.oid, 0] = found.keys[row.relation]
    for row in rows:
        if row.element and (TYPE, row.element, 0) in draft.places:
            draft.places[TYPE, row.oid, 0] = draft.places[TYPE, row.element, 0]
