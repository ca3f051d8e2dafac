"""Whether a rehearsal and the truth say the same, in each of the five things that count, or it said unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.database.failure_classes import Failure
from services.database.rehearsal.masking import literals
from services.database.rehearsal.rehearse import Rehearsal, rehearse, rehearse_on
from services.database.rehearsal.shadow import Shadow
from services.database.script import read_scripts
from tests.corpus.script_files import CorpusScript
from tests.corpus.twin import RunTruth, Truth, Twins

COMPARED = ("outcome", "SQLSTATE", "line", "second run", "second SQLSTATE and line")


@dataclass(frozen=True)
class Compared:
    """One script: what was true, what was said, and whether it was said to be unknown."""

    script: CorpusScript
    truth: Truth
    said: Truth
    failure_class: str | None
    unknown: tuple[str, ...]

    @property
    def differs(self) -> tuple[str, ...]:
        """In which of `COMPARED` what was said is not true; an unknown says nothing."""
        if self.unknown:
            return ()
        pairs = zip(COMPARED, zip(_five(self.truth), _five(self.said), strict=True), strict=True)
        return tuple(name for name, (true, said) in pairs if true != said)

    def __str__(self) -> str:
        unknown = f" unknown because {self.unknown}" if self.unknown else ""
        return f"{self.script}: true {self.truth}, said {self.said}{unknown}; differs in {self.differs}"


def _five(both: Truth) -> tuple[object, ...]:
    first, second = both.first, both.second
    return (
        first.failed,
        first.sqlstate,
        first.line,
        None if second is None else second.failed,
        None if second is None else (second.sqlstate, second.line),
    )


def rehearsed(twins: Twins, script: CorpusScript, copy: Shadow) -> Compared:
    """Rehearse a script on a shadow of its base, and put it beside the truth.

    Where a shadow that is used many times is not the same thing as a fresh one, it is rehearsed from the start: the
    e-mails that a script spells out are not masked, and what all databases share would stay.
    """
    truth = twins.truth(script)
    scripts = twins.scripts(script)
    if script.alone or any("@" in spelled for spelled in literals([script.sql])):
        found = rehearse(twins.url(script.base), scripts, rows="all")
    else:
        found = rehearse_on(copy, read_scripts(scripts).statements)
        copy.drop_clones()
    return compare(script, truth, found)


def compare(script: CorpusScript, truth: Truth, found: Rehearsal) -> Compared:
    """Put a rehearsal beside the truth."""
    first = _run(found.failure)
    said = Truth(first, None if first.failed else _run(found.second_run))
    failure_class = found.failure.failure_class.id if found.failure else None
    unknown = () if found.failure or found.second_run else found.unknown_because
    return Compared(script, truth, said, failure_class, unknown)


def _run(failure: Failure | None) -> RunTruth:
    return RunTruth(failed=False) if failure is None else RunTruth(True, failure.sqlstate, failure.line)


def figures(compared: Sequence[Compared]) -> str:
    """How many were tried, how many were equal in each of the five, and how many were unknown, in one line."""
    known = [one for one in compared if not one.unknown]
    wrong = Counter(name for one in known for name in one.differs)
    equal = ", ".join(f"{name} {len(known) - wrong[name]}" for name in COMPARED)
    names = len({one.script.name for one in compared})
    return f"{len(compared)} rehearsals of {names} scripts; unknown {len(compared) - len(known)}; equal: {equal}"
