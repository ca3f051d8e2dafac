"""The job that proves a level: tries it in the worker, and keeps the proof and the evidence of its checks."""

from __future__ import annotations

from services.app_definition import load_app
from services.connecting.level_proofs import keep_proof
from services.connecting.proofs import prove_level as prove
from services.errors import NotUnderstood
from services.jobs.checking import STATE_OF
from services.jobs.context import JobContext, Outcome
from services.releases.ledger import record_evidence
from services.settings import Level


def prove_level(context: JobContext) -> Outcome:
    """Prove the level that the payload names, with the credentials that the target has now.

    Whoever asks for a proof of `probe` asks for the marked entry that it writes.
    """
    level = _level(context)
    target, app, now = context.target, load_app(context.target.app), context.clock()
    proof = prove(level, target, app, now, may_write=True, store=context.store, emit=context.emit)
    record_evidence(context.store, list(proof.evidence))
    with context.store.write() as tx:
        keep_proof(tx, context.settings.home, target, proof, context.job.actor.id, context.clock())
    return Outcome(STATE_OF[proof.verdict], proof.summary, {"proof": proof.to_json()})


def _level(context: JobContext) -> Level:
    try:
        return Level(context.job.payload["level"])
    except (KeyError, ValueError):
        known = ", ".join(level.value for level in Level)
        raise NotUnderstood("No level to prove was named.", "Nothing was tried.", f"Levels: {known}.") from None
