"""The truth about a script: psql runs it, twice, on a fresh copy of the base with all its rows on a real server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from services.database.script import Script, load_scripts
from services.sandbox.postgres import OWNER, SKELETON, Cluster
from tests.corpus.bases import BASES, Base
from tests.corpus.script_files import CorpusScript

_SAID = re.compile(r"^(?:psql:[^\n]*?:(?P<line>\d+): )?(?:ERROR|FATAL):  (?P<state>[0-9A-Z]{5}): ", re.M)
_NUMBERS = count(1)
_PSQL_S = 120


@dataclass(frozen=True)
class RunTruth:
    """How one run of psql ended: fine, or with the SQLSTATE and line of the first error; line None at COMMIT."""

    failed: bool
    sqlstate: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Truth:
    """Both runs of a script; `second` is None where the first failed."""

    first: RunTruth
    second: RunTruth | None


class Twins:
    """A server with Supabase's roles, the bases on it, and a fresh twin of one of them for each script."""

    def __init__(self, cluster: Cluster, folder: Path, *, mark: str = "corpus") -> None:
        self.cluster = cluster
        self.folder = folder
        self.mark = mark
        self._made: set[str] = set()

    def url(self, base: str) -> str:
        """The owner's address of a base, which is made when it is first asked for."""
        name = f"{self.mark}_{base}"
        if base not in self._made:
            self._create(name, "template0" if BASES[base].locale else SKELETON, BASES[base])
            with psycopg.connect(self.cluster.dsn(OWNER, name)) as owner:
                owner.execute(BASES[base].sql.encode())
            self._made.add(base)
        return self.cluster.dsn(OWNER, name)

    def truth(self, script: CorpusScript) -> Truth:
        """What psql says of the script, on a twin that is gone afterwards."""
        self.url(script.base)
        with self.twin(script.base) as url:
            file = self._file(script, url, for_psql=True)
            first = self._psql(url, file)
            return Truth(first, None if first.failed else self._psql(url, file))

    def scripts(self, script: CorpusScript) -> list[Script]:
        """The script for its base, as the product reads it from a file."""
        return load_scripts(self._file(script, self.url(script.base), for_psql=False))

    def _file(self, script: CorpusScript, url: str, *, for_psql: bool) -> Path:
        file = self.folder / f"{script.name}.sql"
        database = str(conninfo_to_dict(url)["dbname"])
        file.write_bytes(script.text_on(database, for_psql=for_psql).encode())
        return file

    @contextmanager
    def twin(self, base: str) -> Iterator[str]:
        """A fresh copy of a base, as its owner reaches it. Roles and databases that a script makes go with it."""
        name = f"{self.mark}_twin_{next(_NUMBERS)}"
        with psycopg.connect(self.cluster.server.dsn(), autocommit=True) as admin:
            roles = self._roles(admin)
            databases = self._databases(admin)
            self._create(name, f"{self.mark}_{base}", BASES[base])
            try:
                yield self.cluster.dsn(OWNER, name)
            finally:
                for extra in self._databases(admin) - databases:
                    admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(extra)))
                for role in self._roles(admin) - roles:
                    admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    def drop(self) -> None:
        """Drop the bases."""
        with psycopg.connect(self.cluster.server.dsn(), autocommit=True) as admin:
            for base in self._made:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(f"{self.mark}_{base}")))
        self._made.clear()

    def _create(self, name: str, template: str, base: Base) -> None:
        with psycopg.connect(self.cluster.server.dsn(), autocommit=True) as admin:
            made = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(OWNER)
            )
            admin.execute(made + sql.SQL(" LOCALE {}").format(base.locale) if base.locale else made)
            # A copy of a database has its catalog and rows, but not what is set for it.
            for setting in base.settings:
                admin.execute(sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(name)) + sql.SQL(setting))

    def _psql(self, url: str, file: Path) -> RunTruth:
        program = self.cluster.server.binaries.tool("psql")
        command = [str(program), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        ran = subprocess.run(
            [*command, "-d", url, "-f", str(file)],
            env={**environment, "PGCLIENTENCODING": "UTF8"},
            capture_output=True,
            timeout=_PSQL_S,
            check=False,
        )
        said = ran.stderr.decode(errors="replace")
        if ran.returncode == 0:
            return RunTruth(failed=False)
        error = _SAID.search(said)
        if error is None:
            raise RuntimeError(f"psql ended with {ran.returncode} on {file.name}: {said}")
        return RunTruth(True, error["state"], int(error["line"]) if error["line"] else None)

    @staticmethod
    def _roles(admin: psycopg.Connection) -> set[str]:
        return {str(row[0]) for row in admin.execute("SELECT rolname FROM pg_roles").fetchall()}

    @staticmethod
    def _databases(admin: psycopg.Connection) -> set[str]:
        return {str(row[0]) for row in admin.execute("SELECT datname FROM pg_database").fetchall()}
