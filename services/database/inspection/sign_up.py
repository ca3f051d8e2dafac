"""Knows whether people can still sign up: a person is inserted into auth.users as the Auth service does it."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass

from services.database.inspection.catalog import Catalog
from services.database.inspection.error_kinds import function_in
from services.database.inspection.finding import InspectionFinding, broken, passed, unclear
from services.database.inspection.probing import REACHES_OUT, Answer, Prober
from services.database.names import identifier, literal

PEOPLE = "auth.users"
AUTH = "supabase_auth_admin"
# What a sign-up form may send along; some triggers read a name from it, and some forms send none.
_METADATA = ("{}", '{"full_name": "Made Up", "name": "Made Up", "username": "made_up", "avatar_url": ""}')
_WRITTEN = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid)::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) > 0
"""
_MOST_TABLES = 200


@dataclass(frozen=True, slots=True)
class SignUp:
    """What one sign-up came to. wrote: the tables that got rows by it, auth.users left out."""

    answer: Answer
    wrote: frozenset[str]
    outside: bool = False


def sign_up(catalog: Catalog, prober: Prober) -> SignUp | None:
    """Sign a made-up person up, and forget it; None where there is no auth.users."""
    people = catalog.relations.get(PEOPLE)
    if people is None:
        return None
    triggers = [catalog.routine_by_oid.get(one.function) for one in catalog.triggers_of(people)]
    if any(one is not None and REACHES_OUT.search(one.body) for one in triggers):
        return SignUp(Answer("", "a trigger acts outside the database, so nobody was signed up"), frozenset(), True)
    role = AUTH if AUTH in prober.roles else people.owner
    columns = {one.name for one in catalog.columns(people) if not one.made}
    tried = SignUp(Answer("57014"), frozenset())
    for metadata in _METADATA:
        before = _rows(prober.attempt(_WRITTEN, role=role, sample=_MOST_TABLES))
        statement = f"{_person(columns, metadata)}; SET CONSTRAINTS ALL IMMEDIATE; {_WRITTEN}"
        answer = prober.attempt(statement, role=role, sample=_MOST_TABLES)
        after = _rows(answer)
        wrote = frozenset(name for name, count in after.items() if count > before.get(name, 0)) - {PEOPLE}
        tried = SignUp(answer, wrote)
        if answer.good:
            return tried
    return tried


def _rows(answer: Answer) -> dict[str, int]:
    return {str(name): int(count or 0) for name, count in answer.rows}


def _person(columns: set[str], metadata: str) -> str:
    mark = secrets.token_hex(6)
    values = {
        "instance_id": "'00000000-0000-0000-0000-000000000000'",
        "id": f"'{uuid.uuid4()}'",
        "aud": "'authenticated'",
        "role": "'authenticated'",
        "email": f"'made_up_{mark}@example.com'",
        "encrypted_password": f"'{mark}'",
        "raw_app_meta_data": """'{"provider": "email", "providers": ["email"]}'""",
        "raw_user_meta_data": literal(metadata),
        "created_at": "now()",
        "updated_at": "now()",
    }
    used = {name: value for name, value in values.items() if name in columns}
    return f"INSERT INTO {PEOPLE} ({', '.join(map(identifier, used))}) VALUES ({', '.join(used.values())})"


def compare_sign_ups(before: SignUp | None, after: SignUp | None) -> list[InspectionFinding]:
    """What to tell of two sign-ups, before and after a change; where both failed the same is old."""
    if after is None:
        lost = broken("sign-up", PEOPLE, "auth.users is gone: nobody can sign up.", "gone")
        return [lost] if before is not None else []
    if after.outside or after.answer.says_nothing:
        return [unclear("sign-up", PEOPLE, f"Not tried: {after.answer.message or 'no time was left'}.", "not-tried")]
    worked = before is None or before.answer.good
    if not after.answer.good:
        function = function_in(after.answer)
        where = f" in {function}" if function else ""
        said = f"A sign-up fails{where}: {after.answer.message} ({after.answer.sqlstate})."
        state = after.answer.sqlstate or ""
        return [broken("sign-up", PEOPLE, said, state)] if worked else []
    lost_rows = sorted(before.wrote - after.wrote) if before is not None else []
    if lost_rows:
        said = f"A sign-up no longer writes a row of {', '.join(lost_rows)}."
        return [broken("sign-up", PEOPLE, said, "profile-missing")]
    wrote = f", and wrote {', '.join(sorted(after.wrote))} too" if after.wrote else ""
    return [passed("sign-up", PEOPLE, f"A sign-up went through{wrote}.")]
