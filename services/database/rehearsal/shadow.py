"""Knows how to build a shadow: a scratch server with a target's catalog, roles, settings and, if allowed, its rows."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any, Literal

import psycopg
from psycopg import sql

from services.database.connect import (
    ConnectionFacts,
    connect,
    inspect_connection,
    patient,
    refuse_transaction_pooler,
)
from services.database.dangers.by_effect import sizes_of
from services.database.execution import Cancelled, Emit, never, silent
from services.database.fingerprint import Fingerprint, catalog_fingerprint, difference
from services.database.rehearsal.catalog_copy import CopiedBy, NoShadow, catalog_dump, copy_catalog
from services.database.rehearsal.reach import ways_out
from services.database.rehearsal.roles import (
    Circumstances,
    apply_settings,
    as_role_settings,
    make_roles,
    owner_for,
    put_back_roles,
    read_circumstances,
    server_settings,
)
from services.database.rehearsal.row_copy import CopiedRows, copy_rows
from services.database.server import SUPERUSER, Server, find_binaries, scratch_server
from services.errors import Unavailable

RowPolicy = Literal["all", "sample", "none"]
ALL_ROWS_BYTES = 200 * 1024 * 1024
"""Databases up to this size are rehearsed with all their rows."""

_TEMPLATE = "shadow"
_ADMIN = "template1"
_POSTGRES = "ops_postgres"
"""The name that the scratch server's own database gets, so that a clone may be called postgres."""

_RESERVED = ("template0", "template1", _TEMPLATE, _POSTGRES)
_DUMP_S = 120
_OTHERS = "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> ALL (%s)"
"""Databases that a script made on the scratch server."""

_LEAVE_AS_IT_IS = "ALTER DATABASE {} SET default_transaction_read_only = on"
"""For the shadow itself: whatever is left in it, a position of a sequence or a dead row, each clone would have."""

_CLONES = 10

_PATIENCE = (
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL transaction_timeout = 0",
)
"""While the scratch server starts and takes the catalog over, the target's snapshot waits; the second from 17 on."""

_SERVER = {"autovacuum": "off"}
"""What is counted and timed is the script's own."""

_END_SESSIONS = (
    "SELECT pg_catalog.pg_terminate_backend(pid, 1000) FROM pg_catalog.pg_stat_activity"
    " WHERE datname = ANY (%s) AND pid <> pg_catalog.pg_backend_pid()"
)

_FILLED_VIEWS = """
WITH RECURSIVE uses AS (
  SELECT r.ev_class AS view, d.refobjid AS used FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
), deep(view, used, depth) AS (
  SELECT view, used, 1 FROM uses
  UNION SELECT deep.view, uses.used, depth + 1 FROM deep JOIN uses ON uses.view = deep.used
  WHERE depth < 50
)
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname NOT IN ('ops')
ORDER BY (SELECT COALESCE(pg_catalog.max(depth), 0) FROM deep WHERE deep.view = c.oid), 1, 2
"""
"""Materialized views that hold rows, those first on which others rest."""


@dataclass(slots=True)
class Shadow:
    """A running copy of a target. `clone` gives a fresh database of it; `unlike` lists what is not as in the target.

    target_fingerprint, fingerprint: the target's catalog, and the shadow's, in its own server's words.
    url: where the target is; sizes: how many rows its tables have of which the shadow lacks some, by estimate.
    lacking_locale: the target's, where this machine does not have it. copied_by: how the catalog came over; runs_as:
    the role that scripts run as, which is the connecting one unless that one only reads.
    """

    server: Server
    facts: ConnectionFacts
    around: Circumstances
    target_fingerprint: Fingerprint
    fingerprint: Fingerprint
    rows: CopiedRows
    policy: RowPolicy
    unlike: list[str] = field(default_factory=list)
    password: str = field(default="", repr=False)
    url: str = field(default="", repr=False)
    sizes: Mapping[str, int] = field(default_factory=dict)
    lacking_locale: str | None = None
    copied_by: CopiedBy = "pg_dump"
    runs_as: str = ""
    _made: int = 0
    _clones: list[str] = field(default_factory=list)
    _bearer: str | None = None

    def clone(self, *, roles_as_they_are: bool = False) -> str:
        """Make a fresh copy of the shadow; returns its name. Roles belong to all clones: they are put back as the
        target has them, unless an earlier clone still needs those that a script left."""
        self._made += 1
        name = f"{_TEMPLATE}_{self._made}"
        self._clones.append(name)
        if not roles_as_they_are:
            self.put_back_roles()
        with connect(self.as_superuser(_ADMIN)) as admin:
            made = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            admin.execute(made.format(sql.Identifier(name), sql.Identifier(_TEMPLATE)))
            apply_settings(admin, self.around, name, only_database=True)
        return name

    def put_back_roles(self) -> None:
        """Make the roles again what they are around the target."""
        with connect(self.as_superuser(_ADMIN)) as admin:
            put_back_roles(admin, self.around)

    def drop(self, name: str) -> None:
        """Drop one clone that is needed no more."""
        with connect(self.as_superuser(_ADMIN)) as admin:
            database = self.facts.database if name == self._bearer else name
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
        self._bearer = None if name == self._bearer else self._bearer
        self._clones.remove(name)

    @property
    def untouched(self) -> str:
        """The name of the shadow itself, which nothing may change."""
        return _TEMPLATE

    def drop_clones(self) -> None:
        """Drop all clones, so that a shadow that is used again and again does not grow."""
        with connect(self.as_superuser(_ADMIN)) as admin:
            self._clones = [str(row[0]) for row in admin.execute(_OTHERS, ([_TEMPLATE, _POSTGRES],)).fetchall()]
            self._bearer = None
            while self._clones:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self._clones.pop())))

    def url_of(self, name: str) -> str:
        """The URL on which the connecting role reaches a clone, which from now on bears the target's own name."""
        database = name
        if name != _TEMPLATE and self.facts.database not in _RESERVED:
            self._give_name(name)
            database = self.facts.database
        if self.runs_as == SUPERUSER:
            return patient(self.server.dsn(database))
        return patient(self.server.dsn(database, self.runs_as, self.password))

    def as_superuser(self, name: str = _TEMPLATE) -> str:
        """The URL of a clone, or of the untouched shadow, for looking at all of it."""
        return patient(self.server.dsn(self.facts.database if name == self._bearer else name))

    def _give_name(self, name: str) -> None:
        """Let one clone bear the target's name, which scripts spell out; nobody may be connected to it."""
        if self._bearer == name:
            return
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        target = sql.Identifier(self.facts.database)
        with connect(self.as_superuser(_ADMIN)) as admin:
            # A session that somebody left open would hold the name for ever.
            admin.execute(_END_SESSIONS, ([self.facts.database, name],))
            if self._bearer is not None:
                admin.execute(rename.format(target, sql.Identifier(self._bearer)))
            admin.execute(rename.format(sql.Identifier(name), target))
        self._bearer = name


def rows_allowed(facts: ConnectionFacts) -> RowPolicy:
    """What may be copied by default: all rows of a small database on this machine, else none."""
    return "all" if facts.loopback and facts.size_bytes <= ALL_ROWS_BYTES else "none"


@contextmanager
def shadow(
    url: str,
    *,
    rows: RowPolicy | None,
    keep: Sequence[str] = (),
    stand_in: bool = False,
    on_disk: bool = False,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Iterator[Shadow]:
    """Build a shadow of the target behind `url`; it is gone when the block is left.

    The target is read in one read-only snapshot, and nothing is left there. rows None: see `rows_allowed`.
    keep: e-mails and texts that are copied as they are, because the scripts spell them out.
    stand_in: the scripts will be deployed through another address: where the connecting role only reads, they run as
    the owner. So they do, without any row, where the role may not even dump the catalog.
    on_disk: for times that are to be those of a disk; else it lies in memory where there is plenty.
    Raises NoShadow where none can be made that is like the target, Stopped when cancelled, and as `connect` does.
    """
    emit("phase", {"name": "shadow"})
    with connect(url, read_only=True, statement_timeout_s=_DUMP_S) as target:
        facts = inspect_connection(target, url)
        refuse_transaction_pooler(facts)
        try:
            binaries = find_binaries(facts.major)
        except Unavailable as error:
            raise NoShadow(error.what) from error
        target.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off")
        target.execute(_PATIENCE[facts.major >= 17])
        # The catalog is read while the scratch server starts.
        with (
            catalog_dump(url, target, binaries, cancelled) as dumped,
            scratch_server(
                binaries=binaries, options=_SERVER, needs_bytes=None if on_disk else _at_most(facts, rows)
            ) as server,
        ):
            emit("phase", {"name": "catalog"})
            yield _Building(target, server, facts, url, stand_in, keep, cancelled).built(rows, dumped)


def _at_most(facts: ConnectionFacts, rows: RowPolicy | None) -> int:
    """How many bytes a rehearsal may come to hold: the shadow, its clones, and what a script writes anew in them."""
    whole = (rows or rows_allowed(facts)) == "all"
    return _CLONES * (facts.size_bytes if whole else min(facts.size_bytes, ALL_ROWS_BYTES))


@dataclass(frozen=True, slots=True)
class _Building:
    """What a shadow is built from."""

    target: psycopg.Connection[Any]
    server: Server
    facts: ConnectionFacts
    url: str
    stand_in: bool
    keep: Sequence[str]
    cancelled: Cancelled

    def built(self, rows: RowPolicy | None, dumped: Callable[[], IO[bytes]]) -> Shadow:
        target, server = self.target, self.server
        if not server.cut_off and (ways := ways_out(target)):
            raise NoShadow(
                f"The target reaches other machines ({ways}), and only Linux can keep a rehearsal from acting there."
            )
        configured = server_settings(target)
        around = read_circumstances(target)
        fingerprint = catalog_fingerprint(target)
        with connect(patient(server.dsn(_ADMIN)), statement_timeout_s=_DUMP_S) as admin:
            admin.execute(sql.SQL("ALTER DATABASE postgres RENAME TO {}").format(sql.Identifier(_POSTGRES)))
            make_roles(admin, around)
            _refuse_missing_extensions(target, admin)
            lacking_locale = _make_database(target, admin)
            copied_by, unlike = copy_catalog(target, dumped, server, _TEMPLATE, self.cancelled)
            runs_as = owner_for(target) if self.stand_in or copied_by == "definitions" else None
            runs_as = runs_as or self.facts.user
            # As which nobody may log in there, perhaps.
            roles = tuple(
                {**one, "rolcanlogin": one["rolcanlogin"] or one["rolname"] == runs_as} for one in around.roles
            )
            around = replace(around, roles=roles, settings=around.settings + as_role_settings(configured, runs_as))
            password = _may_log_in(admin, runs_as)
            unlike += apply_settings(admin, around, _TEMPLATE)
        policy: RowPolicy = "none" if copied_by == "definitions" else rows or rows_allowed(self.facts)
        with connect(patient(server.dsn(_TEMPLATE))) as copy:
            copy.execute("SET default_transaction_read_only = off")  # The target's own may be on.
            own = catalog_fingerprint(copy)
            unlike += _differences(fingerprint, own, self.facts.major, server.binaries.version)
            copied = copy_rows(target, copy, policy, self.keep, self.cancelled)
            unlike += _fill_views(target, copy)
            copy.execute(sql.SQL(_LEAVE_AS_IT_IS).format(sql.Identifier(_TEMPLATE)))
            lacking = {name: rows for name, rows in sizes_of(target).items() if name in copied.incomplete}
        target.close()  # all is read: the target sees no more of us
        return Shadow(
            *(server, self.facts, around, fingerprint, own, copied, policy, unlike, password, self.url, lacking),
            lacking_locale=lacking_locale,
            copied_by=copied_by,
            runs_as=runs_as,
        )


def _may_log_in(admin: psycopg.Connection[Any], role: str) -> str:
    """Give the role a password of its own on the scratch server."""
    password = secrets.token_urlsafe(16)
    if role != SUPERUSER:
        admin.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
    return password


_LOCALE = """
SELECT pg_catalog.pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, datlocprovider::text,
       COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale')
FROM pg_catalog.pg_database d WHERE datname = pg_catalog.current_database()
"""


def _make_database(target: psycopg.Connection[Any], admin: psycopg.Connection[Any]) -> str | None:
    """Make the shadow's database with the target's encoding and locale; gives the locale if this machine lacks it."""
    row = target.execute(_LOCALE).fetchone()
    encoding, collate, ctype, provider, locale = row if row else ("UTF8", "C", "C", "c", None)
    made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}").format(
        sql.Identifier(_TEMPLATE), sql.Literal(encoding)
    )
    like = sql.SQL(" LC_COLLATE {} LC_CTYPE {}").format(sql.Literal(collate), sql.Literal(ctype))
    if provider != "c":
        word = "ICU_LOCALE" if provider == "i" else "BUILTIN_LOCALE"
        kind = "icu" if provider == "i" else "builtin"
        like += sql.SQL(f" LOCALE_PROVIDER {kind} {word} {{}}").format(sql.Literal(locale))
    try:
        admin.execute(made + like)
    except psycopg.Error:
        try:
            admin.execute(made + sql.SQL(" LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"))
        except psycopg.Error:
            admin.execute(made + sql.SQL(" LC_COLLATE 'C' LC_CTYPE 'C'"))
        return str(locale or collate)
    return None


def _fill_views(target: psycopg.Connection[Any], copy: psycopg.Connection[Any]) -> list[str]:
    """Fill the materialized views that are filled in the target; gives sentences on those that could not be."""
    problems = []
    for schema, name in target.execute(_FILLED_VIEWS).fetchall():
        try:
            copy.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(schema, name)))
        except psycopg.Error as error:
            problems.append(f"the materialized view {schema}.{name} could not be filled ({error.sqlstate})")
    return problems


def _refuse_missing_extensions(target: psycopg.Connection[Any], admin: psycopg.Connection[Any]) -> None:
    used = {row[0] for row in target.execute("SELECT extname FROM pg_catalog.pg_extension").fetchall()}
    have = {row[0] for row in admin.execute("SELECT name FROM pg_catalog.pg_available_extensions").fetchall()}
    if missing := sorted(used - have):
        raise NoShadow(f"The scratch server lacks the extension {', '.join(missing)}, which the target uses.")


def _differences(target: Fingerprint, copy: Fingerprint, target_major: int, copy_major: int) -> list[str]:
    """In which ways the shadow's catalog is not the target's; how a newer server words definitions does not count."""
    found = difference(target, copy)
    same_server = target_major == copy_major
    changed = [
        name
        for name in found.changed
        if not name.startswith("extension ") and (same_server or name.startswith(("column ", "policy ", "trigger ")))
    ]
    names = [*found.added, *found.removed, *changed]
    if not names:
        return []
    return [f"the shadow's catalog differs from the target's in {len(names)} facts, such as {', '.join(names[:3])}"]
