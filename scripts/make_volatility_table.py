"""Writes the table of what is not immutable, from real servers: python scripts/make_volatility_table.py BIN... > FILE.

BIN: a folder of server programs (with initdb and postgres), one for each major version. Run from the project's folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.database.binaries import Binaries
from services.database.server import scratch_server

_FUNCTIONS = """
SELECT p.proname, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) t), p.provolatile::text,
       format_type(p.prorettype, NULL)
FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset
  AND p.prorettype NOT IN ('internal'::regtype, 'trigger'::regtype, 'event_trigger'::regtype, 'void'::regtype)
  AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]) AND NOT 'cstring'::regtype = ANY (p.proargtypes::oid[])
"""
_OPERATORS = """
SELECT o.oprname, format_type(NULLIF(o.oprleft, 0), NULL), format_type(o.oprright, NULL), p.provolatile::text
FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode WHERE p.provolatile <> 'i'
"""
_CASTS = """
SELECT format_type(c.castsource, NULL), format_type(c.casttarget, NULL), p.provolatile::text
FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc WHERE p.provolatile <> 'i'
"""
_TEXT_FORMS = """
SELECT format_type(t.oid, NULL), i.provolatile <> 'i', o.provolatile <> 'i'
FROM pg_type t JOIN pg_proc i ON i.oid = t.typinput JOIN pg_proc o ON o.oid = t.typoutput
WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'p') AND t.typelem = 0
  AND (i.provolatile <> 'i' OR o.provolatile <> 'i')
"""
_OF_TIME = ("date", "time", "interval", "timestamp")


def read(conn: psycopg.Connection[Any]) -> dict[str, dict[str, Any]]:
    """The facts of one server, each as one flat mapping."""
    functions: dict[str, dict[str, str]] = {}
    results: dict[str, dict[str, str]] = {}
    for name, arguments, volatility, result in conn.execute(_FUNCTIONS).fetchall():
        key = ", ".join(arguments)
        functions.setdefault(name, {})[key] = volatility
        if any(word in f"{key} {result}" for word in _OF_TIME):
            results.setdefault(name, {})[key] = result
    told = {name: forms for name, forms in functions.items() if set(forms.values()) != {"i"}}
    # Where no overload is immutable, which one it is does not matter.
    flat = {name: forms if "i" in forms.values() else max(forms.values()) for name, forms in told.items()}
    return {
        "functions": flat,
        "results": {
            name: forms if len(set(forms.values())) > 1 else next(iter(forms.values()))
            for name, forms in results.items()
        },
        "operators": {
            f"{left or ''} {name} {right}".strip(): kind for name, left, right, kind in conn.execute(_OPERATORS)
        },
        "casts": {f"{source} -> {target}": kind for source, target, kind in conn.execute(_CASTS)},
        "read": dict.fromkeys((name for name, reads, _ in conn.execute(_TEXT_FORMS) if reads), "s"),
        "written": dict.fromkeys((name for name, _, writes in conn.execute(_TEXT_FORMS) if writes), "s"),
    }


def merged(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """One table of all majors: a value that is the same everywhere stands once, else by major."""
    table: dict[str, Any] = {"majors": sorted(int(major) for major in found)}
    for part in next(iter(found.values())):
        table[part] = {}
        for name in sorted({name for facts in found.values() for name in facts[part]}):
            values = {major: facts[part].get(name) for major, facts in found.items()}
            same = all(value == next(iter(values.values())) for value in values.values())
            table[part][name] = next(iter(values.values())) if same else {"by_major": values}
    return table


def main(folders: list[str]) -> None:
    found = {}
    for folder in folders:
        version = Path(folder).resolve()
        binaries = Binaries(version, 0, "installed")
        with scratch_server(binaries=binaries) as server, psycopg.connect(server.dsn()) as conn:
            found[str(conn.info.server_version // 10000)] = read(conn)
    lines = [f"{json.dumps(part)}: {json.dumps(facts, separators=(',', ':'))}" for part, facts in merged(found).items()]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
