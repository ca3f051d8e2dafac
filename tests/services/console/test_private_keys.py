"""The server finds a key of JSON private where a column of that name, and of the value's type, is; however deep."""

from __future__ import annotations

import json

import psycopg
import pytest

from services.console.private_keys import has_private_key, private_keys
from services.console.private_names import is_address, is_private
from services.database.server import Server
from tests.services.console.test_private_names import NO_VALUES, NUMBERS, PRIVATE, SHOWN

MAILS = "email userEmail useremail UserEMail e_mail mail email_address"
NAMES = [*f"{PRIVATE} {SHOWN} {NUMBERS} {MAILS} XPHONEs myPHONENumber API-Key hash2".split(), *NO_VALUES, "auth key"]
VALUES = {'"x"': "text", "5": "numeric", "-1.5": "numeric", "{}": "jsonb", "[1]": "jsonb", "true": "boolean"}


@pytest.mark.parametrize("addresses", [False, True])
def test_keys_are_judged_as_columns_are(postgres_server: Server, addresses: bool) -> None:
    query = f"SELECT at, {has_private_key('value', private_keys(frozenset(), addresses=addresses))} FROM asked"
    asked = [(name, value, kind) for name in NAMES for value, kind in VALUES.items()]
    texts = [json.dumps({"at": 1, "in": [[{name: json.loads(value)}], "x"]}) for name, value, _ in asked]
    with psycopg.connect(postgres_server.dsn()) as conn:
        conn.execute("CREATE TEMP TABLE asked (at serial, value jsonb)")
        conn.execute("INSERT INTO asked (value) SELECT value::jsonb FROM unnest(%s::text[]) AS value", (texts,))
        found = {asked[at - 1] for at, is_found in conn.execute(query.encode()).fetchall() if is_found}
    assert found == {
        (name, value, kind)
        for name, value, kind in asked
        if ((not addresses and kind != "boolean") if is_address(name, kind) else is_private(name, kind))
    }
