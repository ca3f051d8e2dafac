"""What the bought linter says of the same statements, by rule, in the classes that its rules are about."""

from __future__ import annotations

from services.database.dangers.lint import squawk_findings
from services.database.script import Script
from tests.dangers.cases import Case

LOSS = ("ban-drop-table", "ban-drop-column", "ban-truncate-cascade", "ban-drop-database", "ban-drop-schema",
        "ban-drop-type", "ban-drop-sequence", "changing-column-type", "ban-alter-sequence-values")  # fmt: skip
BLOCKING = ("require-concurrent-index-creation", "require-concurrent-index-deletion", "require-concurrent-reindex",
            "require-concurrent-partition-detach", "constraint-missing-not-valid", "adding-field-with-default",
            "adding-foreign-key-constraint", "adding-not-nullable-field", "adding-required-field",
            "adding-serial-primary-key-field", "disallowed-unique-constraint", "changing-column-type",
            "prefer-repack")  # fmt: skip
SECURITY = ("ban-alter-row-level-security", "ban-alter-policy-condition", "ban-alter-policy-roles",
            "ban-create-policy", "ban-drop-policy", "ban-alter-role-options")  # fmt: skip


def squawk_of(cases: list[Case]) -> dict[str, tuple[frozenset[str], bool]]:
    """Of each case: the classes of squawk's findings, and whether it said anything at all."""
    found = squawk_findings([Script(case.id, case.sql) for case in cases])
    told: dict[str, set[str]] = {case.id: set() for case in cases}
    for finding in found:
        told[finding.file].add(finding.rule)
    of_class = {"loss": LOSS, "blocking": BLOCKING, "security": SECURITY}
    return {
        name: (frozenset(kind for kind, known in of_class.items() if rules & set(known)), bool(rules))
        for name, rules in told.items()
    }
