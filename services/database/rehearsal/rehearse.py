"""Knows what a deploy would do to a target, by really doing it on a shadow, measured, and then once more."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.database.connect import connect
from services.database.dangers.by_effect import Danger, Measured, blocking, losses, security
from services.database.execution import Cancelled, Emit, Stopped, never, run_sql, silent
from services.database.failure_classes import Failure
from services.database.fingerprint import Fingerprint, catalog_fingerprint
from services.database.inspection.advisors import SecurityFinding, new_findings, security_findings
from services.database.rehearsal.masking import literals
from services.database.rehearsal.measure import StatementEffects, effects, measure
from services.database.rehearsal.shadow import NoShadow, RowPolicy, Shadow, shadow
from services.database.script import Script, Statement, read_scripts
from services.errors import NotUnderstood
from services.verdict import Verdict

_STATEMENT_S = 300
_PART_OF_MAIL = re.compile(r"'[^']*(?:%[^']*@|@[^']*%)[^']*'")
_NEEDS_NO_TRANSACTION = "cannot run inside a transaction block"


@dataclass(frozen=True, slots=True)
class RehearsedStatement:
    """One statement as it ran on the shadow. `lock`: the strongest it took on what was there before; `ms` there."""

    file: str
    line: int
    sql: str
    lock: str | None
    rows_scanned: int
    rewrites: tuple[str, ...]
    rows_written: int
    ms: float

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "line": self.line,
            "sql": self.sql,
            "lock": self.lock,
            "rows_scanned": self.rows_scanned,
            "rewrites": list(self.rewrites),
            "rows_written": self.rows_written,
            "ms": round(self.ms, 2),
        }


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal found. The verdict is `fail` if the first or the second run failed, `unknown` with a reason.

    `before`: the target's catalog as it was read; a deploy is bound to it. `after`: the shadow's after the first run.
    `apart`: places of statements that cannot run in a transaction. `took_ms` is milliseconds.
    """

    failure: Failure | None
    second_run: Failure | None
    unknown_because: tuple[str, ...]
    statements: tuple[RehearsedStatement, ...]
    dangers: tuple[Danger, ...]
    security: tuple[SecurityFinding, ...]
    notices: tuple[str, ...]
    took_ms: float
    before: Fingerprint | None = None
    after: Fingerprint | None = None
    rollback_failure: Failure | None = None
    rollback_restores: bool | None = None
    apart: tuple[tuple[str, int], ...] = ()

    @property
    def verdict(self) -> Verdict:
        if self.failure or self.second_run:
            return Verdict.FAIL
        return Verdict.UNKNOWN if self.unknown_because else Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        """The result as the command line prints it."""
        return {
            "verdict": self.verdict.value,
            "failure": self.failure.to_json() if self.failure else None,
            "second_run": self.second_run.to_json() if self.second_run else None,
            "unknown_because": list(self.unknown_because),
            "statements": [statement.to_json() for statement in self.statements],
            "dangers": [danger.to_json() for danger in self.dangers],
            "security": [finding.to_json() for finding in self.security],
            "took_ms": round(self.took_ms, 1),
        }


@dataclass(slots=True)
class _Run:
    """One run of all statements on a clone."""

    failure: Failure | None = None
    measured: list[Measured] = field(default_factory=list)
    statements: list[RehearsedStatement] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def rehearse(
    url: str,
    scripts: Sequence[Script],
    *,
    rows: RowPolicy | None = None,
    rollback: Sequence[Script] = (),
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Rehearsal:
    """Run the scripts on a shadow of the target, as `psql -1 -v ON_ERROR_STOP=1` would, then all of it once more.

    rows: "all", "sample" or "none" of the target's rows; None decides by size and place (see `rows_allowed`).
    rollback: scripts to try after the first run, on a clone of their own.
    Raises NotUnderstood for scripts without a statement, and as `connect` does; Stopped when cancelled.
    """
    started = time.monotonic()
    read = read_scripts(scripts)
    if read.unsupported:
        reasons = tuple(f"{odd.file}:{odd.line}: {odd.what}" for odd in read.unsupported)
        return _unknown(reasons, started)
    if not read.statements:
        raise NotUnderstood("The scripts hold no statement.", "Nothing was run.", "Write the SQL to run.")
    try:
        with shadow(url, rows=rows, keep=literals(script.sql for script in scripts), emit=emit) as copy:
            return rehearse_on(
                copy, read.statements, rollback=rollback, started=started, emit=emit, cancelled=cancelled
            )
    except NoShadow as error:
        return _unknown((str(error),), started)


def _unknown(reasons: tuple[str, ...], started: float) -> Rehearsal:
    return Rehearsal(None, None, reasons, (), (), (), (), (time.monotonic() - started) * 1000)


def rehearse_on(
    copy: Shadow,
    statements: Sequence[Statement],
    *,
    rollback: Sequence[Script] = (),
    started: float | None = None,
    emit: Emit = silent,
    cancelled: Cancelled = never,
) -> Rehearsal:
    """The same on a shadow that is there already; it can be used for many rehearsals. started: monotonic seconds."""
    started = time.monotonic() if started is None else started
    emit("phase", {"name": "first-run"})
    name, apart, first = _first_run(copy, statements, emit, cancelled)
    dangers, findings, after, second = blocking(first.measured), [], None, None
    if first.failure is None:
        with connect(copy.as_superuser()) as untouched, connect(copy.as_superuser(name)) as changed:
            dangers = losses(untouched, changed, first.measured) + dangers
            findings = new_findings(security_findings(untouched), security_findings(changed))
            after = catalog_fingerprint(changed)
        emit("phase", {"name": "second-run"})
        second = _run(copy.url_of(name), statements, apart, silent, cancelled, measured=False).failure
    failure, restores = None, None
    if first.failure is None and rollback:
        failure, restores = _try_rollback(copy, statements, apart, rollback, cancelled)
    return Rehearsal(
        first.failure,
        second,
        tuple(copy.unlike + list(copy.rows.problems) + _missing_rows(copy, first) + _masked_rows(copy, first)),
        tuple(first.statements),
        tuple(dangers + security(findings)),
        tuple(findings),
        tuple(first.notices),
        (time.monotonic() - started) * 1000,
        copy.target_fingerprint,
        after,
        failure,
        restores,
        tuple((statements[index].file, statements[index].line) for index in sorted(apart)),
    )


def _first_run(
    copy: Shadow, statements: Sequence[Statement], emit: Emit, cancelled: Cancelled
) -> tuple[str, set[int], _Run]:
    """Run on a fresh clone; where the server wants a statement outside a transaction, begin again with it apart."""
    apart: set[int] = set()
    while True:
        name = copy.clone()
        done = _run(copy.url_of(name), statements, apart, emit, cancelled)
        at = len(done.statements)
        refused = done.failure is not None and _NEEDS_NO_TRANSACTION in done.failure.message
        if not refused or done.failure is None or done.failure.sqlstate != "25001" or at in apart:
            return name, apart, done
        apart.add(at)


def _run(
    url: str,
    statements: Sequence[Statement],
    apart: set[int],
    emit: Emit,
    cancelled: Cancelled,
    *,
    measured: bool = True,
) -> _Run:
    done = _Run()

    def heard(notice: psycopg.errors.Diagnostic) -> None:
        done.notices.append(notice.message_primary or "")
        emit("notice", {"message": notice.message_primary or "", "severity": notice.severity or "NOTICE"})

    with connect(url, statement_timeout_s=_STATEMENT_S) as conn:
        conn.add_notice_handler(heard)
        conn.execute("BEGIN")
        base = before = measure(conn) if measured else {}
        for index, statement in enumerate(statements):
            if cancelled():
                raise Stopped
            if index in apart:
                conn.execute("COMMIT")
            started = time.monotonic()
            try:
                run_sql(conn, statement.sql, cancelled=cancelled)
            except psycopg.Error as error:
                done.failure = Failure.of(statement.file, statement.line, error)
                return done
            ms = (time.monotonic() - started) * 1000
            if index in apart:
                conn.execute("BEGIN")
            after = measure(conn) if measured else {}
            effect = effects(base, before, after)
            before = after
            done.measured.append((statement, effect))
            done.statements.append(_told(statement, effect, ms))
            emit("statement", {"index": index + 1, "of": len(statements), **done.statements[-1].to_json()})
        try:
            conn.execute("COMMIT")
        except psycopg.Error as error:
            done.failure = Failure.of(statements[-1].file, None, error)
    return done


def _told(statement: Statement, effect: StatementEffects, ms: float) -> RehearsedStatement:
    return RehearsedStatement(
        statement.file,
        statement.line,
        statement.sql,
        effect.lock,
        effect.rows_scanned,
        tuple(effect.rewrites),
        effect.rows_written,
        ms,
    )


def _missing_rows(copy: Shadow, first: _Run) -> list[str]:
    """Statements that looked at, or wrote to, a table whose rows the shadow does not have."""
    reasons = []
    for statement, done in first.measured:
        for effect in done.effects:
            looked = effect.scans or effect.rows_scanned or effect.inserted or effect.updated or effect.deleted
            if effect.relation in copy.rows.incomplete and (looked or effect.rewritten):
                reasons.append(
                    f"{statement.file}:{statement.line}: it depends on rows of {effect.relation},"
                    f" which were not all copied (rows: {copy.policy})"
                )
    return list(dict.fromkeys(reasons))


def _masked_rows(copy: Shadow, first: _Run) -> list[str]:
    """Statements that search rows for a part of an e-mail: those were replaced on the shadow."""
    if not copy.rows.rows:
        return []
    return [
        f"{statement.file}:{statement.line}: it looks for parts of e-mails, which were replaced on the shadow"
        for statement, done in first.measured
        if _PART_OF_MAIL.search(statement.sql) and any(effect.scans for effect in done.effects)
    ]


def _try_rollback(
    copy: Shadow, statements: Sequence[Statement], apart: set[int], rollback: Sequence[Script], cancelled: Cancelled
) -> tuple[Failure | None, bool | None]:
    """Deploy on a fresh clone, roll back, and compare the catalog with the untouched shadow's."""
    name = copy.clone()
    url = copy.url_of(name)
    _run(url, statements, apart, silent, cancelled, measured=False)
    read = read_scripts(rollback)
    undone = _run(url, read.statements, set(), silent, cancelled, measured=False)
    if undone.failure:
        return undone.failure, None
    with connect(copy.as_superuser()) as untouched, connect(copy.as_superuser(name)) as changed:
        return None, catalog_fingerprint(untouched).digest == catalog_fingerprint(changed).digest
