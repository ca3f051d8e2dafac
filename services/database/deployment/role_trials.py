"""Knows what the roles that come over REST can really read of what a deploy made, by trying it as each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql

from services.database.connect import connect
from services.database.execution import Cancelled, Stopped, never
from services.database.fingerprint import Fingerprint, difference
from services.errors import Unavailable
from services.verdict import Verdict, worst

REST_ROLES = ("anon", "authenticated", "service_role")
MOST_RELATIONS = 60
_TIMEOUT_MS = 2000
_READABLE = ("r", "p", "v", "m")


@dataclass(frozen=True, slots=True)
class RoleTrial:
    """One role's try to read one table or view. refused: the server said no to it, as rights are meant to work."""

    role: str
    object: str
    verdict: Verdict
    refused: bool
    message: str

    def to_json(self) -> dict[str, Any]:
        return {
            "role": self.role,
            "object": self.object,
            "verdict": self.verdict.value,
            "refused": self.refused,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class RoleTrials:
    """All tries; not_tried: what could not be tried, and why. Without any try the verdict is pass: none was due."""

    trials: tuple[RoleTrial, ...] = ()
    not_tried: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        return worst(trial.verdict for trial in self.trials) if self.trials else Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "trials": [trial.to_json() for trial in self.trials],
            "not_tried": list(self.not_tried),
        }


def changed_relations(before: Fingerprint, after: Fingerprint) -> list[tuple[str, str]]:
    """(schema, name) of the tables and views that a deploy made or changed, as the catalog's facts tell them.

    Names that had to be quoted are left out: a fact does not tell where such a name ends.
    """
    told = difference(before, after)
    found = set()
    for fact in (*told.added, *told.changed, *told.removed):
        kind, _, rest = fact.partition(" ")
        if kind in ("relation", "column", "policy", "view") and '"' not in rest:
            schema, _, name = rest.partition(".")
            found.add((schema, name.split(".")[0]))
    return sorted(place for place in found if after.facts.get(f"relation {place[0]}.{place[1]}", "")[:1] in _READABLE)


def try_as_roles(
    url: str, relations: Sequence[tuple[str, str]], *, roles: Sequence[str] = REST_ROLES, cancelled: Cancelled = never
) -> RoleTrials:
    """Read each relation as each role, on a fresh connection, in read-only transactions.

    A refusal for want of rights is how rights work, and passes; any other error is one that the app's users will meet.
    Raises as `connect`; Stopped when cancelled.
    """
    trials: list[RoleTrial] = []
    not_tried = [
        f"{schema}.{name}: more than {MOST_RELATIONS} were changed" for schema, name in relations[MOST_RELATIONS:]
    ]
    with connect(url, read_only=True) as conn:
        there = conn.execute("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY(%s)", (list(roles),))
        for (role,) in sorted(there.fetchall()):
            if not _may_act_as(conn, role):
                not_tried.append(f"as {role}: {conn.info.user} may not act as that role")
                continue
            for place in relations[:MOST_RELATIONS]:
                if cancelled():
                    raise Stopped
                trials.append(_try(conn, role, place))
    return RoleTrials(tuple(trials), tuple(not_tried))


def _may_act_as(conn: psycopg.Connection[Any], role: str) -> bool:
    try:
        with conn.transaction():
            conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    except errors.InsufficientPrivilege:
        return False
    return True


def _try(conn: psycopg.Connection[Any], role: str, place: tuple[str, str]) -> RoleTrial:
    name = ".".join(place)
    try:
        with conn.transaction():
            conn.execute(f"SET LOCAL statement_timeout = {_TIMEOUT_MS}; SET LOCAL lock_timeout = {_TIMEOUT_MS // 2}")
            conn.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            found = conn.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(*place))).fetchone()
    except errors.InsufficientPrivilege:
        return RoleTrial(role, name, Verdict.PASS, True, "may not read it")
    except (errors.QueryCanceled, errors.LockNotAvailable):
        return RoleTrial(role, name, Verdict.UNKNOWN, False, "it took too long to tell")
    except psycopg.Error as error:
        if conn.closed:
            raise Unavailable(
                "The connection was lost while reading as other roles.", "What they can read is not known.", "Verify."
            ) from error
        message = error.diag.message_primary or "the server refused it"
        return RoleTrial(role, name, Verdict.FAIL, False, f"reading fails: {message}")
    return RoleTrial(role, name, Verdict.PASS, False, "reads rows" if found else "reads it, and sees no row")
