"""Knows which functions, operators, types and relations a question may use: those that cannot do more than read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from services.console.catalog import Relation, Routine
from services.console.question import Name, Question, question_of
from services.database.parser import parse
from services.errors import Refused

HARMLESS_THOUGH_VOLATILE = frozenset(
    {
        "clock_timestamp",
        "gen_random_uuid",
        "pg_column_size",
        "pg_database_size",
        "pg_indexes_size",
        "pg_relation_size",
        "pg_table_size",
        "pg_total_relation_size",
        "random",
        "timeofday",
    }
)
"""The server's own functions that are called volatile because their answer changes, not because they do anything."""

ACTS_THOUGH_STABLE = frozenset(
    {
        "txid_current",
        "pg_current_xact_id",
        "ts_stat",
        "ts_rewrite",
        "current_setting",
        "pg_show_all_settings",
        "pg_stat_get_activity",
        "pg_stat_get_backend_activity",
        "pg_prepared_statement",
        "pg_cursor",
        "pg_mcv_list_items",
    }
)
"""The server's own that are called stable and yet run SQL they are handed, use up a transaction id, tell what others
ask, or read settings, among which platforms keep keys."""

OF_A_REQUEST = "request."
"""How the settings begin that tell views and functions who asks, which is nobody here."""

HARMLESS_SETTINGS = frozenset({"role", "search_path", "server_version", "server_version_num", "timezone"})
"""What else views and functions may read."""

MAKES_ANY_TYPE = frozenset(
    {
        "populate_record",
        "pg_input_is_valid",
        "pg_input_error_info",
        *(f"{kind}_populate_record{more}" for kind in ("json", "jsonb") for more in ("", "set", "_valid")),
    }
)
"""Functions of the server and of hstore that make a value of a type that is told by a text or by another value."""

TELLS_OF_ROWS = frozenset(
    {"pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic", "pg_statistic_ext_data", "pg_largeobject"}
)
"""System relations that hold samples of what stands in private columns."""

TELLS_OF_SETTINGS = frozenset({"pg_settings", "pg_db_role_setting", "pg_user_mapping", "pg_user_mappings"})

OUR_OWN = frozenset(
    {"deploy_receipts", "deploy_steps", "snapshots", "snapshot_parts", "snapshot_definitions", "parked"}
)
"""Tables of the schema `ops` without anything of the app's rows; all others there are copies of such."""

DEEPEST = 8
"""How many views and bodies may lie one in another: what is deeper is not judged, but refused."""


class AsksCatalog(Protocol):
    """What is asked of a catalog here."""

    def relations(self, names: Iterable[Name]) -> dict[Name, Relation]: ...
    def routines(self, names: Iterable[Name]) -> list[Routine]: ...
    def operators(
        self, names: Iterable[Name], types: Iterable[Name], relations: Iterable[Relation], called: Iterable[Routine]
    ) -> list[Routine]: ...
    def behind_types(
        self, types: Iterable[Name], relations: Iterable[Relation], called: Iterable[Routine]
    ) -> list[Routine]: ...
    def checks(
        self, types: Iterable[Name], relations: Iterable[Relation], called: Iterable[Routine]
    ) -> list[tuple[str, str]]: ...


def require_allowed(question: Question, catalog: AsksCatalog, is_private: Callable[[Relation], bool]) -> None:
    """Raise Refused, naming it, for the first thing in the question, or in a view that it reads, that may do more.

    is_private: whether something is masked in a relation. A mask does not reach into the body of a function, so none
    that reads such a relation may be called.
    """
    _Judge(catalog, is_private).question(question, _Place("", 0, False))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something is judged. through: in words; depth: how many views and bodies lie before it; in_body: whether
    one of them is a function's; settings_changed: that function is run with settings of its own; reads_requests: the
    settings that are read here are harmless."""

    through: str
    depth: int
    in_body: bool
    settings_changed: bool = False
    reads_requests: bool = False

    def within(self, through: str, *, body: bool = False, settings_changed: bool = False) -> _Place:
        changed = self.settings_changed or settings_changed
        return _Place(f" (through {through})", self.depth + 1, self.in_body or body, changed)


class _Judge:
    """Walks a question and what it calls, each view and function once."""

    def __init__(self, catalog: AsksCatalog, is_private: Callable[[Relation], bool]) -> None:
        self._catalog = catalog
        self._is_private = is_private
        self._views: set[tuple[int, bool]] = set()
        self._bodies: set[tuple[int, bool]] = set()
        self._checks: set[tuple[str, str]] = set()

    def question(self, question: Question, place: _Place) -> None:
        if place.depth > DEEPEST:
            raise _no(f"{place.through.strip()} reaches too deep to be judged")
        if place.settings_changed and question.relations:
            # What a name stands for is known for the settings of our session alone.
            raise _no(f"a function with settings of its own reads tables{place.through}")
        place = replace(place, reads_requests=place.depth > 0 and all(map(_is_harmless, question.settings)))
        relations = self._catalog.relations(question.relations)
        behind_dots = _called_like_columns(question, relations)
        called = self._catalog.routines(question.functions)
        called += [one for one in self._catalog.routines(behind_dots) if one.of_one]
        for routine in called:
            self._routine(routine, place)
        # The name of a type may be written as that of a function, and makes a value of it all the same.
        types = question.types | question.functions | behind_dots
        known = [one for one in relations.values() if not one.is_system]
        behind_operators = self._catalog.operators(question.operators, types, known, called)
        for routine in behind_operators:
            self._routine(routine, place, " by an operator")
        self._types(types, known, [*called, *behind_operators], place)
        for relation in relations.values():
            self._relation(relation, place)

    def _types(
        self,
        types: frozenset[Name],
        relations: list[Relation],
        called: list[Routine],
        place: _Place,
    ) -> None:
        """Judge what runs by itself where a value of a type is made: of types that are named, of columns, arguments."""
        for routine in self._catalog.behind_types(types, relations, called):
            if not (routine.of_extension and routine.language in ("c", "internal") and routine.volatility != "v"):
                self._routine(routine, place, " by a type")
        for domain, condition in self._catalog.checks(types, relations, called):
            if (domain, condition) not in self._checks:
                self._checks.add((domain, condition))
                tree = parse(f"SELECT {condition}")
                if tree is None:
                    raise _no(f"the check of {domain} cannot be read")
                self.question(question_of(tree), place.within(f"the domain {domain}"))

    def _relation(self, relation: Relation, place: _Place) -> None:
        through = place.through
        name = f"{relation.schema}.{relation.name}"
        if relation.is_system:
            if relation.name in TELLS_OF_ROWS:
                raise _no(f"{relation.name} holds samples of private columns")
            if relation.name in TELLS_OF_SETTINGS:
                raise _no(f"{relation.name} holds settings, among which platforms keep keys")
        elif relation.schema == "ops" and relation.name not in OUR_OWN:
            raise _no(f"{name} holds copies of rows, private ones too, where none can be masked{through}")
        elif relation.kind == "t" or relation.schema.startswith("pg_toast"):
            raise _no(f"{name} holds long values of another table, private ones too, where none can be masked{through}")
        elif relation.is_foreign:
            raise _no(f"{name} is or has a foreign table: reading it does something elsewhere{through}")
        elif place.in_body and self._is_private(relation):
            raise _no(f"a function reads {name}, where what is private cannot be masked{through}")
        elif relation.kind in ("v", "m") and relation.definition:
            self._view(relation, name, place)

    def _view(self, relation: Relation, name: str, place: _Place) -> None:
        """A stored view too: what it holds is what the functions in it have told."""
        key = (relation.oid, place.in_body)
        if key in self._views:
            return
        self._views.add(key)
        tree = parse(relation.definition or "")
        if tree is None:
            raise _no(f"the definition of {name} cannot be read")
        self.question(question_of(tree), place.within(name))

    def _routine(self, routine: Routine, place: _Place, called: str = "") -> None:
        through = f"{called and ', and is called'}{called}{place.through}"
        name = routine.name if routine.schema == "pg_catalog" else f"{routine.schema}.{routine.name}"
        if routine.name in MAKES_ANY_TYPE or routine.of_cstring:
            raise _no(f"{name}() makes a value of any type, whose checks may call anything{through}")
        if routine.schema == "pg_catalog":
            if routine.volatility == "v" and routine.name not in HARMLESS_THOUGH_VOLATILE:
                raise _no(f"{name}() may do more than read{through}")
            reads_settings = routine.name == "current_setting" and place.reads_requests
            if not reads_settings and (routine.name in ACTS_THOUGH_STABLE or "_to_xml" in routine.name):
                raise _no(f"{name}() does more than it says{through}")
            return
        if routine.of_extension and routine.language in ("c", "internal") and routine.volatility == "i":
            return
        if routine.volatility == "v":
            raise _no(f"{name}() is marked as one that may write{through}")
        if routine.definer:
            raise _no(f"{name}() runs with the rights of its owner{through}")
        if routine.language != "sql" or routine.body is None:
            raise _no(f"{name}() is written in {routine.language}: what it does cannot be told{through}")
        changed = place.settings_changed or routine.has_settings
        if (routine.oid, changed) not in self._bodies:
            self._bodies.add((routine.oid, changed))
            inside = place.within(f"{name}()", body=True, settings_changed=changed)
            self.question(_body(routine.body, name), inside)
            if routine.defaults:
                self.question(_body(f"SELECT {routine.defaults}", name), inside)


def _is_harmless(setting: str | None) -> bool:
    name = (setting or "").lower()
    return name in HARMLESS_SETTINGS or name.startswith(OF_A_REQUEST)


def _called_like_columns(question: Question, relations: Mapping[Name, Relation]) -> frozenset[Name]:
    """Names behind a dot that may be functions: the server calls f(x) for x.f where x has no column f."""

    def is_column(before: str, name: str) -> bool:
        stands_for = [relations.get(table) for table in question.tables.get(before, ())]
        return bool(stands_for) and all(one is not None and name in one.columns for one in stands_for)

    return frozenset((name,) for before, name in question.fields if name and not is_column(before, name))


def _body(body: str, name: str) -> Question:
    text = body.strip().removeprefix("BEGIN ATOMIC").removesuffix("END") if body.startswith("BEGIN ATOMIC") else body
    if text.lstrip().upper().startswith("RETURN "):
        text = "SELECT " + text.lstrip()[len("RETURN ") :]
    tree = parse(_without_parameters(text))
    if tree is None:
        raise _no(f"the body of {name}() cannot be read")
    return question_of(tree)


def _without_parameters(text: str) -> str:
    """A body's $1 is an argument, which may be anything: it is judged as NULL."""
    return re.sub(r"\$\d+", "NULL", text)


def _no(what: str) -> Refused:
    return Refused(
        f"The console only reads: {what}.",
        "Nothing was asked.",
        "Ask for columns and the server's own functions; what must be called goes through a release.",
    )
