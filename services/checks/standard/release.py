"""Standard checks of a release: its receipt in the target, its rehearsal, its verification queries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.checks.context import CheckContext
from services.checks.registry import CheckSpec
from services.errors import Unavailable
from services.verdict import Finding, Verdict

if TYPE_CHECKING:
    from services.releases.bundle import Release

REHEARSAL_COUNTS_FOR = timedelta(hours=24)


def release_receipt(context: CheckContext) -> Finding:
    """The row in the target that proves the deploy: there, not taken back, and of this very content."""
    from services.database.deployment.receipts import HIDDEN, find_receipt

    release = release_of(context)
    url = context.target.database_url
    if url is None:
        raise Unavailable("There is no database address.")
    try:
        receipt = find_receipt(url.get_secret_value(), release.id)
    except Unavailable as error:
        if error.reason != HIDDEN or context.target.deploy_url is None:
            raise
        receipt = find_receipt(context.target.deploy_url.get_secret_value(), release.id)
    if receipt is None:
        return Finding(Verdict.FAIL, f"{release.id} has left no deploy receipt here.", {"release": release.id})
    facts = {
        "release": release.id,
        "receipt": receipt.id,
        "deployed_at": receipt.deployed_at.isoformat(),
        "same_content": receipt.plan_hash == release.content_hash,
    }
    if receipt.state == "begun":
        said = f"{release.id} is in by halves: some of its parts are there. Deploy it again, and it goes on from there."
        return Finding(Verdict.FAIL, said, facts)
    if receipt.rolled_back_at is not None:
        return Finding(Verdict.FAIL, f"{release.id} was deployed and rolled back again.", facts)
    if not facts["same_content"]:
        return Finding(Verdict.FAIL, f"{release.id} was deployed in another content than this one.", facts)
    return Finding(Verdict.PASS, f"The deploy receipt of {release.id} is in the target.", facts)


def release_of(context: CheckContext) -> Release:
    """The release under way, else the one that the app names. Raises NotUnderstood where there is none."""
    if context.release is not None:
        return context.release
    from services.releases.bundle import load_release

    app = context.app
    return context.once("release", lambda: load_release(app.default_release, root=app.folder / "releases"))


def rehearsal_fresh(context: CheckContext) -> Finding:
    """A rehearsal of this very content passed on this target within a day."""
    # A rehearsal counts for a database that is there: what does not answer may be another by now.
    with context.database() as conn:
        conn.execute("select 1")
    rehearsal = context.store_facts.get("rehearsal")
    if not rehearsal:
        return Finding(Verdict.FAIL, "This content has not been rehearsed on this target.", {})
    release = release_of(context)
    facts = {name: rehearsal.get(name) for name in ("verdict", "finished", "failure", "second_run")}
    if rehearsal.get("content_hash") != release.content_hash:
        return Finding(Verdict.FAIL, "The rehearsal was of another content of the release.", facts)
    if rehearsal.get("verdict") != Verdict.PASS.value:
        return Finding(Verdict.FAIL, f"The last rehearsal's verdict is {rehearsal.get('verdict')}.", facts)
    age = context.now - datetime.fromisoformat(str(rehearsal["finished"]))
    if age > REHEARSAL_COUNTS_FOR:
        return Finding(Verdict.FAIL, f"The last rehearsal is {age.total_seconds() / 3600:.0f} hours old.", facts)
    return Finding(Verdict.PASS, "This content was rehearsed on a copy of this target and passed.", facts)


def verification_clean(context: CheckContext) -> Finding:
    """Every verification query of the release returns no row."""
    from services.database.verification import Query, verify
    from services.releases.validation import proves

    release = release_of(context)
    queries = [
        Query(script.file.rpartition("/")[2].removesuffix(".sql"), script.file, script.sql, proves(script.sql))
        for script in release.verify
    ]
    url = context.target.deploy_url or context.target.database_url
    if url is None or not queries:
        raise Unavailable("There is no verification query to run.")
    result = verify(url.get_secret_value(), queries)
    bad = [query for query in result.queries if query.verdict is not Verdict.PASS]
    facts = {"queries": len(queries), "not_clean": [query.id for query in bad]}
    if bad and result.verdict is Verdict.UNKNOWN:
        said = f"{len(bad)} of {len(queries)} verification queries told nothing, first {bad[0].id}. {bad[0].message}"
        return Finding(result.verdict, said, facts)
    if bad:
        said = f"{len(bad)} of {len(queries)} verification queries are not clean, first {bad[0].id}."
        return Finding(result.verdict, said, facts)
    return Finding(Verdict.PASS, f"All {len(queries)} verification queries found nothing wrong.", facts)


SPECS = (
    CheckSpec(
        "release-receipt",
        "The deploy left its receipt",
        "The row written in the deploy's own transaction is there and of this content.",
        release_receipt,
        ("during", "after"),
        ("database",),
        ("database_url",),
    ),
    CheckSpec(
        "rehearsal-fresh",
        "The release was rehearsed",
        "This very content ran twice on a copy of this target.",
        rehearsal_fresh,
        ("before", "during"),
        ("database",),
        ("database_url",),
    ),
    CheckSpec(
        "verification-clean",
        "Verification finds nothing wrong",
        "Every verification query of the release returns no row.",
        verification_clean,
        ("during", "after"),
        ("database",),
        ("database_url",),
    ),
)
