"""How a level was proved on this target, thing by thing; and the buttons that prove, grant and take back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.actions import Act, action_button, show_kept
from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.confirm import Irreversible, open_confirmation
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.context import PageContext, current
from services.access.permissions import Permission
from services.connecting.grants import LevelState, grant, take_back
from services.connecting.level_proofs import COUNTS_FOR
from services.jobs.queue import Job, enqueue, job, recent_jobs
from services.releases.actions import require_phrase
from services.settings import Level
from services.verdict import Verdict

KIND = "prove_level"
LOOKED_BACK = 1000
PROVING: Mapping[Level, str] = {
    Level.LOOK: "Nobody has looked yet. A proof asks the app what every visitor may ask.",
    Level.OBSERVE: "Nobody has proved it yet. A proof only reads.",
    Level.PLATFORM: "Nobody has proved it yet. A proof only reads: nothing is restarted.",
    Level.PROBE: "Nobody has proved it yet. A proof writes one marked entry with the test account and removes it.",
    Level.DEPLOY: "Nobody has proved it yet. A proof changes nothing.",
}


def asked_for(context: PageContext) -> list[Job]:
    """The jobs that prove, of all levels, the newest first.

    To be read before the states of the levels: a proof that is over by then is in the states, and one that is not is
    drawn as running. The other way round a quick proof would be in neither, and the page would wait for nothing.
    """
    return recent_jobs(context.store, context.target.name, kind=KIND, limit=LOOKED_BACK)


def proof_part(context: PageContext, state: LevelState, jobs: Sequence[Job]) -> None:
    """The newest proof with its age, the proof that runs, and what can be done now. jobs: from `asked_for`."""
    level = state.level
    asked = [one for one in jobs if _level(one) == level]
    running = next((one for one in asked if one.active), None)
    with st.container(horizontal=True, vertical_alignment="center", key=f"do-{level}"):
        action_button(
            f"Prove {level}",
            _prove(level, asked[0].id if asked else "none"),
            key=f"prove-{level}-{len(asked)}",
            icon="science",
            primary=not state.granted and not state.may_be_granted,
            blocked=_why_not_prove(context) or ("It is being proved." if running else None),
        )
        if level is not Level.LOOK:
            _grant_button(context, state)
            _take_back_button(context, state)
    if running is not None:
        show_job(running.id, key=f"prove-{level}")
        if not job(context.store, running.id).active:
            st.rerun()  # it has ended while the page was drawn, and what was drawn knows nothing of it
    elif asked and asked[0].result and asked[0].result.get("error"):
        show_job(asked[0].id, key=f"prove-{level}", compact=True)
    _seen(context, state)


def _seen(context: PageContext, state: LevelState) -> None:
    """Each thing that was seen; an old pass is shown as expired, since it grants nothing any more."""
    if state.missing:
        st.caption(f"Still to fill in: {plain(', '.join(state.missing))}.")
        return
    if state.void:
        st.caption("It was proved with other keys than those of now: prove it again.")
        return
    if state.proof is None or state.proved_at is None:
        st.caption(PROVING[state.level])
        return
    proof = state.proof
    old = proof.verdict is Verdict.PASS and context.now - state.proved_at > COUNTS_FOR
    shown = "expired" if old and not state.granted else proof.verdict.value
    age = times.age(state.proved_at, context.now)
    st.markdown(f"{inline_badge(shown)} {strong(proof.summary)} :small[:gray[{plain(age)}]]")
    for one in proof.seen:
        st.markdown(f"{inline_badge(one.verdict)} {strong(one.what)} {plain(one.text, limit=800)}")


def _why_not(context: PageContext, state: LevelState) -> str | None:
    """Why nobody may grant or take back this here, or why this person may not."""
    if not context.actor.may(Permission.CONNECT):
        return f"You are {context.actor.role.value}: your role may not {Permission.CONNECT.value}."
    if state.from_where is not None:
        return f"The levels come from {state.from_where}, which wins over this page: change them there."
    return None


def _grant_button(context: PageContext, state: LevelState) -> None:
    if state.granted:
        return
    blocked = _why_not(context, state)
    if blocked is None and not state.may_be_granted:
        blocked = "Prove it first: a level is granted by a proof that passed within the last hour."
    action_button(
        f"Grant {state.level}",
        lambda now: grant(now.store, now.settings, now.target, state.level, now.actor, now.now),
        key=f"grant-{state.level}",
        icon="key",
        primary=blocked is None,
        done=f"{context.target.name} has been granted {state.level}.",
        blocked=blocked,
    )


def _take_back_button(context: PageContext, state: LevelState) -> None:
    if not state.granted:
        return
    if st.button(
        f"Take back {state.level} …",
        key=f"take-back-{state.level}",
        icon=":material/key_off:",
        disabled=_why_not(context, state) is not None,
        help=_why_not(context, state),
    ):
        open_confirmation(_taking_back(context, state.level))
    show_kept(f"take-back-{state.level}")


def _why_not_prove(context: PageContext) -> str | None:
    if context.actor.may(Permission.CONNECT):
        return None
    return f"You are {context.actor.role.value}: your role may not {Permission.CONNECT.value}."


def take_back_phrase(level: Level, target: str) -> str:
    return f"take back {level} from {target}"


def _taking_back(context: PageContext, level: Level) -> Irreversible:
    name = context.target.name
    phrase = take_back_phrase(level, name)

    def act(typed: str) -> object:
        require_phrase(typed, phrase)
        now = current()
        return take_back(now.store, now.settings, now.target, level, now.actor, now.now)

    return Irreversible(
        key=f"take-back-{level}",
        title=f"Take back {level}",
        effect=f"Take back {level}",
        phrase=phrase,
        what=f"{name} loses the level {level}, and its credentials are removed from the target's file. "
        "What needs it is refused from now on; a job that runs ends as it would have.",
        keeps="At the provider the keys stay valid until you withdraw them there.",
        act=act,
    )


def _prove(level: Level, seen: str) -> Act:
    """seen: the newest proof of this level that the screen showed, so that two clicks are one."""
    return lambda context: enqueue(
        context.store,
        actor=context.actor,
        kind=KIND,
        target=context.target,
        payload={"level": level.value},
        idempotency_key=f"{context.target.name}/{KIND}/{level}/after {seen}",
        now=context.now,
    )


def _level(asked: Job) -> str:
    return str(asked.payload.get("level"))
