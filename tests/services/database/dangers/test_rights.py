"""Who is let in by a change of rights, as facts: pure, so that each rule is tried by itself."""

from __future__ import annotations

from typing import Any

import pytest

from services.database.dangers.reach import Level, reach
from services.database.dangers.rights import opened

SCHEMA = {("schema", "public"): {"owner": "postgres", "rights": [["anon", "USAGE"], ["authenticated", "USAGE"]]}}


def table(**more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    fact = {"schema": "public", "kind": "r", "owner": "postgres", "rls": True, "forced": False, "invoker": False,
            "columns": None, "rights": [["authenticated", "SELECT"]], "column_rights": None}  # fmt: skip
    return {**SCHEMA, ("relation", "public.t"): {**fact, **more}}


def policy(name: str = "own", **more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    fact = {"relation": "public.t", "command": "r", "permissive": True, "roles": ["authenticated"],
            "using": "(owner = auth.uid())", "check": None}  # fmt: skip
    return {("policy", f"public.t.{name}"): {**fact, **more}}


def function(**more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    fact = {"schema": "public", "owner": "postgres", "definer": True, "path": True, "trigger": False, "callers": None}
    return {("function", "public.f()"): {**fact, **more}}


def role(name: str, **more: bool) -> dict[tuple[str, str], dict[str, Any]]:
    powers = ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION", "LOGIN")
    return {("role", name): {**dict.fromkeys(powers, False), **more}}


def member(one: str, of: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {("member", f"{one} in {of}"): {"member": one, "role": of}}


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (table(), None),
        (table(rls=False), Level.ALL),
        (table() | policy(), Level.SOME),
        (table() | policy(using="true"), Level.ALL),
        (table() | policy(using="true", roles=["public"]), Level.ALL),
        (table() | policy(using="true", roles=["service_role"]), None),
        (table() | policy(using="true", command="w"), None),
        (table() | policy(using="true", command="*"), Level.ALL),
        (table() | policy(using="true") | policy("narrow", permissive=False), Level.SOME),
        (table(rights=None, column_rights=[["authenticated", "SELECT"]], rls=False), Level.ALL),
        (table(rights=[["public", "SELECT"]], rls=False), Level.ALL),
        (table(rights=[["authenticated", "INSERT"]], rls=False), None),
        (table(kind="v", rls=False), Level.ALL),
        (table(kind="v", rls=False, invoker=True), None),
        (table(schema="private", rls=False), None),
    ],
)
def test_what_a_stranger_reaches(facts: dict[Any, Any], level: Level | None) -> None:
    assert reach(facts).get(("public.t", "authenticated", "r")) == level


@pytest.mark.parametrize(
    ("before", "after", "objects"),
    [
        (table(), table(), []),
        (table(), table(rls=False), ["public.t", "public.t"]),
        (table(rights=None), table(rights=None, rls=False), ["public.t"]),
        (table(forced=True), table(), ["public.t"]),
        (table(), table(rights=[["authenticated", "SELECT"], ["authenticated", "TRUNCATE"]]), ["public.t"]),
        (SCHEMA, table(rights=[["authenticated", "TRUNCATE"]]), []),
        (SCHEMA, table(rls=False), ["public.t"]),
        (SCHEMA, table() | policy(), []),
        (table() | policy(), table() | policy(using="true"), ["public.t"]),
        (table() | policy(using="true"), table() | policy(), []),
        (table() | policy(), table(), ["public.t"]),
        (table() | policy(), table() | policy("other"), []),
        (table() | policy(using="true"), table(), []),
        (table() | policy() | policy("narrow", permissive=False), table() | policy(), ["public.t"]),
        (table(kind="v", rls=False, columns=["a"]), table(kind="v", rls=False, columns=["a", "b"]), ["public.t"]),
        (table(kind="v", rls=False, columns=["a", "b"]), table(kind="v", rls=False, columns=["a"]), []),
        (table(), table(owner="anon"), ["public.t"]),
        (table() | role("chief", CREATEROLE=True), table(owner="chief") | role("chief", CREATEROLE=True), []),
        (table() | role("clerk"), table(owner="clerk") | role("clerk"), ["public.t"]),
        ({}, function(), []),
        ({}, function(path=False), ["public.f()"]),
        ({}, function(callers=["public"]), ["public.f()"]),
        ({}, function(callers=["public"], definer=False), []),
        ({}, function(callers=["public"], trigger=True), []),
        (function(callers=["anon"]), function(callers=["anon"]), []),
        (function(definer=False, callers=["anon"]), function(callers=["anon"]), ["public.f()"]),
        (function(), function(path=False), ["public.f()"]),
        (role("a"), role("a", BYPASSRLS=True), ["a"]),
        (role("a", LOGIN=True), role("a"), []),
        ({}, role("a"), []),
        ({}, role("a", LOGIN=True), ["a"]),
        (role("a") | role("b"), role("a") | role("b") | member("a", "b"), ["a"]),
        (role("a"), role("a") | member("a", "pg_read_all_data"), ["a"]),
        (role("a"), role("a") | role("new") | member("me", "new"), []),
        (SCHEMA, {("schema", "public"): {"owner": "postgres", "rights": [["public", "CREATE"]]}}, ["public"]),
        ({}, {("default", "p in public (r)"): {"kind": "r", "rights": [["anon", "SELECT"]]}}, ["p in public (r)"]),
        ({}, {("default", "p in public (f)"): {"kind": "f", "rights": [["anon", "EXECUTE"]]}}, ["p in public (f)"]),
        ({}, {("default", "p in public (S)"): {"kind": "S", "rights": [["anon", "USAGE"]]}}, []),
    ],
)
def test_what_a_change_opens(before: dict[Any, Any], after: dict[Any, Any], objects: list[str]) -> None:
    assert [one.object for one in opened(before, after, connected_as="me")] == objects
