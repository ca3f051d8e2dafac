"""Knows which functions will fail when next called: those that stay while something goes that their text names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from services.database.rollback.catalog import Catalog
from services.database.rollback.losses import Loss
from services.database.rollback.playing import Played
from services.database.rollback.string_bodies import Body, Names, read_body

_BODIES = """
SELECT p.oid::bigint, l.lanname::text, p.prosrc, p.proname::text,
       (SELECT pg_catalog.substr(set, 13) FROM pg_catalog.unnest(p.proconfig) AS set WHERE set LIKE 'search_path=%%')
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_language l ON l.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ops')
"""
_DEFINITIONS = """
SELECT p.oid::bigint, pg_catalog.pg_get_functiondef(p.oid), pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname,
       pg_catalog.pg_get_function_identity_arguments(p.oid))
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = ANY (%s)
"""
_WORD = re.compile(r"\w+")


def breaking(conn: psycopg.Connection[Any], played: Played) -> list[Loss]:
    """The functions that will break. One whose language cannot be read, and whose text has such a word, is unknown."""
    lost = _Lost(played)
    words = lost.words()
    if not words:
        return []
    bodies = {
        oid: (language, text, name, _path(path), set(_WORD.findall(text.lower())))
        for oid, language, text, name, path in conn.execute(_BODIES).fetchall()
        if not lost.function(oid) and name not in played.replaced
    }
    found: dict[int, Loss] = {}
    while words:  # then those that call what breaks
        wanted = [oid for oid, body in bodies.items() if oid not in found and words & body[-1]]
        words = set()
        for oid, definition, identity in conn.execute(_DEFINITIONS, (wanted,)).fetchall() if wanted else ():
            language, text, name, path, _ = bodies[oid]
            body = read_body(definition, language, text)
            if not body.known:
                found[oid] = Loss("function", identity, None, None, "unknown")
            elif lost.breaks(body, path, oid):
                found[oid] = Loss("function", identity, None, None, "breaks")
                words |= set(_WORD.findall(name.lower()))
        lost.broken(oid for oid, loss in found.items() if loss.effect == "breaks")
    return sorted(found.values(), key=lambda loss: loss.object)


def _path(setting: str | None) -> tuple[str, ...] | None:
    if setting is None:
        return None
    return ("pg_catalog", *(part.strip().strip('"') for part in setting.split(",") if part.strip().strip('"')))


class _Lost:
    """What the names of before no longer find."""

    def __init__(self, played: Played) -> None:
        catalog = played.catalog
        self._catalog: Catalog = catalog
        by_class: dict[int, set[int]] = {}
        for kind, oid, column in played.fallen:
            if column == 0:
                by_class.setdefault(kind, set()).add(oid)
        self._relations = by_class.get(catalog.classes["pg_class"], set()) | {
            oid for oid, column in played.renamed if column is None
        }
        self._functions = set(by_class.get(catalog.classes["pg_proc"], ()))
        self._types = by_class.get(catalog.classes["pg_type"], set())
        self._columns = {(oid, column) for oid, column in played.renamed if column is not None}
        self._columns |= {
            (oid, catalog.first.columns[oid, column])
            for _, oid, column in played.fallen
            if column and (oid, column) in catalog.first.columns
        }

    def function(self, oid: int) -> bool:
        return oid in self._functions

    def broken(self, oids: Iterable[int]) -> None:
        """These functions are there, and calling them is of no use."""
        self._functions.update(oids)

    def words(self) -> set[str]:
        """The words, in lower case, without one of which no text can name what is lost."""
        first = self._catalog.first
        names = {name for (_, name), oid in first.relations.items() if oid in self._relations}
        names |= {name for (_, name), some in first.functions.items() if any(self.function(one.oid) for one in some)}
        names |= {name for (_, name), one in first.types.items() if one.oid in self._types}
        names |= {column for _, column in self._columns}
        return {word for name in names for word in _WORD.findall(name.lower())}

    def breaks(self, body: Body, path: Sequence[str] | None, oid: int) -> bool:
        """Whether the text names something that is lost, found as the function itself would find it."""
        places = path if path is not None else self._catalog.first.path
        return (
            any(self._relation_is_lost(names, places) for names in body.relations)
            or any(self._column_is_lost(names, column, places, oid) for names, column in body.columns)
            or any(self._type_is_lost(names, places) for names in body.types)
            or any(self._function_is_lost(names, count, places) for names, count in body.functions)
        )

    def _relation_is_lost(self, names: Names, places: Sequence[str]) -> bool:
        oid = self._relation(names, places)
        if oid is None or oid not in self._relations:
            return False
        now = self._catalog
        # Another one may answer to the name by now.
        return not any(
            (place, names[-1]) in now.by_name or (place, names[-1]) in now.made for place in _in(names, places)
        )

    def _relation(self, names: Names, places: Sequence[str]) -> int | None:
        first = self._catalog.first.relations
        return next((first[place, names[-1]] for place in _in(names, places) if (place, names[-1]) in first), None)

    def _column_is_lost(self, names: Names, column: str, places: Sequence[str], function: int) -> bool:
        if names == ("new",):
            attached = (one for some in self._catalog.attached.values() for one in some)
            return any((one.relation, column) in self._columns for one in attached if one.function == function)
        oid = self._relation(names, places)
        return oid is not None and (oid, column) in self._columns

    def _type_is_lost(self, names: Names, places: Sequence[str]) -> bool:
        first = self._catalog.first.types
        oid = next((first[place, names[-1]].oid for place in _in(names, places) if (place, names[-1]) in first), None)
        return oid in self._types

    def _function_is_lost(self, names: Names, count: int, places: Sequence[str]) -> bool:
        first = self._catalog.first.functions
        could = [one for place in _in(names, places) for one in first.get((place, names[-1]), ()) if one.takes(count)]
        return bool(could) and all(self.function(one.oid) for one in could)


def _in(names: Names, places: Sequence[str]) -> Iterable[str]:
    return (names[-2],) if len(names) > 1 else places
