"""Knows how to answer a question without what people wrote: private columns are masked where the rows are read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console import private_names
from services.console.allowed import DEEPEST, AsksCatalog
from services.console.catalog import Relation
from services.console.private_keys import has_private_key, private_keys
from services.console.question import Name, question_of
from services.database.names import identifier
from services.database.parser import deparse, new_tree, parse, walk
from services.errors import Refused

MASK = "•••"
_SERVERS_WORDS = """
    query statement rolconfig useconfig setconfig rolpassword passwd srvoptions umoptions ftoptions fdwoptions
    foreign_server_options foreign_table_options foreign_data_wrapper_options authorization_options option_value
    attfdwoptions subconninfo conninfo
"""
_OF_THE_SERVER = frozenset(_SERVERS_WORDS.split())
"""Columns of the server's own relations: what others ask for, with the values in it, and settings, where keys are."""

_MASKS = {"bytea": "", "uuid": "00000000-0000-0000-0000-000000000000"}
"""What stands for a value where a text cannot."""

_TEXT = re.compile(r"^(text|character varying|character|citext|name)\b")


@dataclass(frozen=True, slots=True)
class Privacy:
    """Which columns a person does not see. private: by "schema.table"; addresses: whether e-mails are shown."""

    private: Mapping[str, Sequence[str]]
    addresses: bool

    def hides(self, relation: Relation) -> frozenset[str]:
        """The columns of a table that are masked: its own, those of its parents and of its parts, whose rows are read
        through it, and those that are generated from a masked one."""
        named = {column for table in relation.family for column in self.private.get(table, ())}
        if relation.is_system:
            return frozenset(_OF_THE_SERVER.intersection(relation.columns))
        columns = zip(relation.columns, relation.types, strict=True)
        hidden = {column for column, kind in columns if self._is_hidden(column, kind, column in named)}
        while more := {made for made, source in relation.generated if source in hidden} - hidden:
            hidden |= more
        return frozenset(hidden.intersection(relation.columns))

    def judges(self, relation: Relation) -> dict[str, frozenset[str]]:
        """The other columns that are masked in the rows where a value has a private key: its own, or that of a column
        it is generated from; with those whose values are judged."""
        if relation.is_system:
            return {}
        hidden = self.hides(relation)
        keyed = relation.keyed - hidden
        sources = {column: {column} for column in keyed}
        for made, source in relation.generated:
            if source in keyed and made in relation.columns and made not in hidden:
                sources.setdefault(made, set()).add(source)
        return {column: frozenset(judged) for column, judged in sources.items()}

    def has_private_key(self, name: str) -> str:
        """An SQL condition on the values of a column of which nothing but its keys is judged."""
        declared = frozenset(column for columns in self.private.values() for column in columns)
        return has_private_key(name, private_keys(declared, addresses=self.addresses))

    def masks_in(self, relation: Relation) -> bool:
        """Whether anything of the relation may be masked."""
        return bool(self.hides(relation) or self.judges(relation))

    def _is_hidden(self, column: str, kind: str, named: bool) -> bool:
        if private_names.is_address(column, kind):
            return not self.addresses
        return named or private_names.is_private(column, kind)


def masked_sql(tree: Any, catalog: AsksCatalog, privacy: Privacy) -> tuple[str, tuple[str, ...]]:
    """The question's SQL with every private column masked at its table, and the masked columns by name.

    The mask stands where rows are read, so that no expression, condition or join sees what is behind it.
    Raises Refused where that cannot be done.
    """
    copy = new_tree()
    copy.CopyFrom(tree)
    masked: set[str] = set()
    _mask(copy, catalog, privacy, masked, 0)
    return _written(copy), tuple(sorted(masked))


def _written(tree: Any) -> str:
    """The SQL of a tree. Raises Refused where its text, read again, names anything that was not judged."""
    text = deparse(tree)
    again = parse(text)
    if again is not None:
        meant, read = question_of(tree), question_of(again)
        if (
            read.relations <= meant.relations
            and read.functions <= meant.functions
            and read.fields <= meant.fields
            and read.operators <= meant.operators
            and read.types <= meant.types
        ):
            return text
    raise Refused(
        "The question cannot be written anew for its masks.", "Nothing was asked.", "Write it in a simpler way."
    )


def is_private(relation: Relation, catalog: AsksCatalog, privacy: Privacy) -> bool:
    """Whether something private is read through this relation. Raises Refused where that cannot be told."""
    return _touches(relation, catalog, privacy, 0)


def _mask(tree: Any, catalog: AsksCatalog, privacy: Privacy, masked: set[str], depth: int) -> bool:
    """Mask in place; True where anything was."""
    question = question_of(tree)
    known = catalog.relations(question.relations)
    standing_in = {name: one for name, one in known.items() if _touches(one, catalog, privacy, depth)}
    if not standing_in:
        return False
    if clash := sorted(question.common_tables & {name[-1] for name in standing_in}):
        raise Refused(
            f"A WITH of the question bears the name of a table with masked columns: {', '.join(clash)}.",
            "Nothing was asked: which of the two is meant where could not be told.",
            "Give it another name.",
        )
    _refuse_samples(tree, standing_in)
    for node in _holders(tree):
        name = _name_of(node.range_var)
        if (relation := standing_in.get(name)) is not None:
            _stand_in(node, relation, catalog, privacy, masked, depth)
    _shorten_references(tree, standing_in)
    return True


def _touches(relation: Relation, catalog: AsksCatalog, privacy: Privacy, depth: int) -> bool:
    """Whether something private is read through this relation."""
    if relation.is_system:
        return privacy.masks_in(relation)
    if relation.kind in ("v", "m"):
        tree = parse(relation.definition or "")
        if tree is None or depth > DEEPEST:
            raise _cannot(relation)
        below = catalog.relations(question_of(tree).relations).values()
        behind = any(_touches(one, catalog, privacy, depth + 1) for one in below)
        if behind and relation.kind == "m":
            raise Refused(
                f"{relation.schema}.{relation.name} is a stored view over columns that are masked.",
                "Nothing was asked: what it stores cannot be masked.",
                "Ask its tables.",
            )
        return behind
    return privacy.masks_in(relation)


def _holders(tree: Any) -> list[Any]:
    """Every node of the tree that holds a table's name in FROM."""
    found = []
    for field, value in tree.ListFields():
        if field.message_type is not None:
            for message in [value] if hasattr(value, "ListFields") else value:
                if message.DESCRIPTOR.name == "Node" and message.WhichOneof("node") == "range_var":
                    found.append(message)
                else:
                    found += _holders(message)
    return found


def _refuse_samples(tree: Any, standing_in: Mapping[Name, Relation]) -> None:
    for _, node in walk(tree):
        if node.DESCRIPTOR.name == "RangeTableSample" and _name_of(node.relation.range_var) in standing_in:
            raise Refused(
                "TABLESAMPLE cannot be used on a table with masked columns.", "Nothing was asked.", "Use LIMIT."
            )


def _name_of(range_var: Any) -> Name:
    return (range_var.schemaname, range_var.relname) if range_var.schemaname else (range_var.relname,)


def _stand_in(
    node: Any, relation: Relation, catalog: AsksCatalog, privacy: Privacy, masked: set[str], depth: int
) -> None:
    """Put a subselect with masked columns where the table stands, under the same name."""
    var = node.range_var
    alias, names, inherits = var.alias.aliasname or var.relname, list(var.alias.colnames), var.inh
    if relation.kind == "v" and not relation.is_system:
        inner = parse(relation.definition or "")
        if inner is None:
            raise _cannot(relation)
        _mask(inner, catalog, privacy, masked, depth + 1)
        body = inner.stmts[0].stmt.select_stmt
    else:
        body = _masked_select(relation, privacy, masked, only=not inherits)
    shell = parse("SELECT FROM (SELECT) AS a")
    subselect = shell.stmts[0].stmt.select_stmt.from_clause[0] if shell is not None else None
    if subselect is None:
        raise _cannot(relation)
    subselect.range_subselect.subquery.select_stmt.CopyFrom(body)
    subselect.range_subselect.alias.aliasname = alias
    subselect.range_subselect.alias.colnames.extend(names)
    node.CopyFrom(subselect)


def _masked_select(relation: Relation, privacy: Privacy, masked: set[str], *, only: bool) -> Any:
    hidden = privacy.hides(relation)
    judges = privacy.judges(relation)
    columns = []
    for column, kind in zip(relation.columns, relation.types, strict=True):
        name = identifier(column)
        if column in hidden:
            columns.append(f"{_expression(name, kind)} AS {name}")
        elif sources := judges.get(column):
            found = " OR ".join(privacy.has_private_key(identifier(source)) for source in sorted(sources))
            columns.append(f"CASE WHEN {found} THEN {_expression(name, kind)} ELSE {name} END AS {name}")
        else:
            columns.append(name)
    masked.update(f"{relation.schema}.{relation.name}.{column}" for column in hidden.union(judges))
    place = identifier(relation.schema, relation.name)
    tree = parse(f"SELECT {', '.join(columns)} FROM {'ONLY ' if only else ''}{place}")
    if tree is None:
        raise _cannot(relation)
    return tree.stmts[0].stmt.select_stmt


def _expression(name: str, kind: str) -> str:
    """A value of the column's type that tells only whether there is one."""
    if _TEXT.match(kind) and not kind.endswith("]"):
        shown = f"'{MASK}'::{kind}"
    elif kind in ("json", "jsonb"):
        shown = f"'\"{MASK}\"'::{kind}"
    elif kind in ("text[]", "character varying[]"):
        shown = f"ARRAY['{MASK}']::{kind}"
    elif kind in ("json[]", "jsonb[]"):
        shown = f"ARRAY['\"{MASK}\"']::{kind}"
    elif (value := "{}" if kind.endswith("]") else _MASKS.get(kind)) is not None:
        shown = f"'{value}'::{kind}"
    else:
        return f"NULL::{kind}"
    return f"CASE WHEN {name} IS NULL THEN NULL ELSE {shown} END"


def _shorten_references(tree: Any, standing_in: Mapping[Name, Relation]) -> None:
    """public.users.id becomes users.id: what stands in for the table has no schema."""
    known = {(one.schema, one.name) for one in standing_in.values()}
    for _, node in walk(tree):
        if node.DESCRIPTOR.name == "ColumnRef" and len(node.fields) >= 3:
            words = [field.string.sval for field in node.fields]
            if (words[0], words[1]) in known:
                del node.fields[0]


def _cannot(relation: Relation) -> Refused:
    return Refused(
        f"What is private in {relation.schema}.{relation.name} cannot be masked.",
        "Nothing was asked.",
        "Ask its tables instead of the view.",
    )
