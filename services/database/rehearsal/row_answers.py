"""Knows how to ask the target's rows, read-only and in bounded time, and what their answers decide."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql as sql_parts

from services.database.connect import connect, read_only_transaction
from services.database.execution import Cancelled, Rows, never, run_sql
from services.database.failure_classes import Failure, classify
from services.database.rehearsal.result import ProbeAnswer
from services.database.rehearsal.row_probes import Probe, Refusal
from services.database.row_security import hides_rows
from services.database.script import Statement
from services.errors import OpsError
from services.verdict import Verdict

QUESTION_S = 5.0
BUDGET_S = 20.0
"""Seconds for one question to the target, and for all of a rehearsal."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the questions to one statement's rows came to: its answers, and how it would be refused, if it would."""

    answers: tuple[ProbeAnswer, ...]
    failure: Failure | None = None

    @property
    def verdict(self) -> Verdict:
        if self.failure is not None:
            return Verdict.FAIL
        sure = all(one.verdict is Verdict.PASS for one in self.answers)
        return Verdict.PASS if sure else Verdict.UNKNOWN


class Asking:
    """Asks one target; its connection is opened for the first question and closed with the block."""

    def __init__(
        self,
        url: str,
        *,
        question_s: float = QUESTION_S,
        budget_s: float = BUDGET_S,
        cancelled: Cancelled = never,
    ) -> None:
        self._url, self._question_s, self._cancelled = url, question_s, cancelled
        self._until = time.monotonic() + budget_s
        self._conn: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_: object) -> None:
        if self._conn is not None:
            self._conn.close()

    def decide(self, statement: Statement, probes: Sequence[Probe]) -> Decided:
        """Ask all questions of one statement, until one of them says that it will be refused."""
        answers: list[ProbeAnswer] = []
        for probe in probes:
            answer, refusal = self._ask(probe)
            answers.append(answer)
            if refusal is not None:
                failure = Failure(
                    statement.file,
                    statement.line,
                    refusal.sqlstate,
                    refusal.message,
                    classify(refusal.sqlstate, refusal.message),
                    suggestion=f"{answer.rows} rows of the target stand in the way." if answer.rows else None,
                )
                return Decided(tuple(answers), failure)
        return Decided(tuple(answers))

    def _ask(self, probe: Probe) -> tuple[ProbeAnswer, Refusal | None]:
        left = self._until - time.monotonic()
        if left <= 0:
            return _answer(probe, Verdict.UNKNOWN, None), None
        try:
            conn = self._conn = self._conn or connect(self._url, read_only=True)
            with read_only_transaction(conn, min(self._question_s, left)):
                if any(self._is_blind(conn, relation) for relation in probe.columns):
                    return _answer(probe, Verdict.UNKNOWN, None), None
                rows = _first(run_sql(conn, probe.sql, cancelled=self._cancelled, sample=1))
        except psycopg.Error as error:
            # Only what a value brings about would stop the statement as well.
            if probe.error_decides and (error.sqlstate or "").startswith("22"):
                said = (error.diag.message_primary or "").split(': "')[0]
                return _answer(probe, Verdict.FAIL, None), Refusal(str(error.sqlstate), said)
            return _answer(probe, Verdict.UNKNOWN, None), None
        except OpsError:
            return _answer(probe, Verdict.UNKNOWN, None), None
        if not rows:
            return _answer(probe, Verdict.PASS, 0), None
        if probe.refusal is None:
            return _answer(probe, Verdict.UNKNOWN, rows), None
        return _answer(probe, Verdict.FAIL, rows), probe.refusal

    def _is_blind(self, conn: psycopg.Connection[Any], relation: str) -> bool:
        """True where row-level security may keep rows of the table from us."""
        schema, _, table = relation.partition(".")
        name = sql_parts.Literal(sql_parts.Identifier(schema, table).as_string(conn)).as_string(conn)
        row = conn.execute(f"SELECT {hides_rows(f'{name}::pg_catalog.regclass')}").fetchone()
        return row is None or bool(row[0])


def _first(found: Rows) -> int:
    """The first value of the first row, a number."""
    return int(found.sample[0][0] or 0) if found.sample else 0


def _answer(probe: Probe, verdict: Verdict, rows: int | None) -> ProbeAnswer:
    return ProbeAnswer(probe.object, probe.question, verdict, rows, probe.sql)
