"""The record of a run, printed: as text, as one JSON document, or as the bytes of a PDF."""

from __future__ import annotations

import sys

from dashboard import composition
from dashboard.cli.answer import Answer
from dashboard.cli.person import person
from services.access.permissions import Permission
from services.errors import NotUnderstood
from services.releases.ledger import get_run
from services.releases.record import rendered, run_record


def record_run(run_id: str, form: str) -> Answer:
    """The run's record. Raises NotUnderstood for an unknown run, or for a PDF that would fill a terminal."""
    store = composition.store()
    target = composition.settings().target(get_run(store, run_id).target)
    person(target).require(Permission.VIEW, target.name)
    record = run_record(store, run_id, composition.now())
    if form == "pdf":
        if sys.stdout.isatty():
            raise NotUnderstood("A PDF is not for a terminal.", "", "Send it to a file: ... --format pdf > run.pdf")
        sys.stdout.buffer.write(rendered(record, form))
        sys.stdout.buffer.flush()
        return Answer({})
    return Answer.of(record, [rendered(record, form).decode("utf-8").rstrip("\n")])
