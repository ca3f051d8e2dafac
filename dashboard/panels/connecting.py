"""The guided path of a target: its levels as a stepper, and the one that is opened with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain, strong
from dashboard.context import PageContext
from dashboard.panels import level_keys, level_proof, reader_role
from dashboard.panels.own_sign_in import own_sign_in_part
from dashboard.runs import app_of
from services.connecting.grants import LevelState, level_states
from services.connecting.guide import GuideStep, LevelGuide, guide_of
from services.connecting.links import link_of
from services.jobs.queue import Job
from services.settings import LEVEL_MEANS, Level
from services.store import audit

PARAMETER = "level"
SQL_EDITOR = "supabase_sql_editor"
SHOWN_AT_ONCE = 8


def path_part(context: PageContext) -> None:
    """The stepper, and beside it the level that the address names, else the first that is not granted."""
    jobs = level_proof.asked_for(context)
    found = level_states(context.store, context.settings, context.target, context.now)
    states = {state.level: state for state in found}
    opened = opened_level(states, st.query_params.get(PARAMETER))
    taken = taken_back(audit.entries(context.store, target=context.target.name, limit=1000))
    left, right = st.columns([2, 7], gap="medium")
    with left:
        for number, level in enumerate(Level):
            _step(context, number, states[level], taken.get(level), chosen=level is opened)
    with right, st.container(border=True, key=f"level-{opened}"):
        _opened(context, states[opened], taken.get(opened), jobs)


def opened_level(states: Mapping[Level, LevelState], wanted: str | None) -> Level:
    """The level asked for, else the first that is not granted, else the first of all."""
    for level in Level:
        if level == wanted:
            return level
    return next((level for level in Level if not states[level].granted), Level.LOOK)


def state_word(state: LevelState, taken: datetime | None) -> str:
    """How a level is shown: granted, in part (something it stands on is not there), taken back, or not granted."""
    if state.granted:
        return "in part" if state.missing else "granted"
    return "not granted" if taken is None else "taken back"


def taken_back(entries: list[audit.AuditEntry]) -> Mapping[Level, datetime]:
    """When each level was taken back that has not been granted again since. entries: the newest first."""
    found: dict[Level, datetime | None] = {}
    for entry in entries:
        if entry.action == "grant level":
            found.setdefault(Level(entry.subject), None)
        elif entry.action == "take back level":
            found.setdefault(Level(entry.subject), entry.at)
        elif entry.action == "keep credentials":
            for lost in entry.detail.get("levels_taken_back", ()):
                found.setdefault(Level(lost), entry.at)
    return {level: at for level, at in found.items() if at is not None}


def _step(context: PageContext, number: int, state: LevelState, taken: datetime | None, *, chosen: bool) -> None:
    level = state.level
    with st.container(gap="xsmall", key=f"step-{level}"):
        st.button(
            f"{number} · {level}",
            key=f"open-{level}",
            type="primary" if chosen else "secondary",
            width="stretch",
            on_click=_open,
            args=(level,),
        )
        told = f"{times.age(taken, context.now)}" if taken and not state.granted else _proved(context, state)
        st.markdown(f"{inline_badge(state_word(state, taken))} :small[:gray[{plain(told)}]]")


def _proved(context: PageContext, state: LevelState) -> str:
    if state.void:
        return "proved with other keys"
    if state.proof is None or state.proved_at is None:
        return "always there" if state.level is Level.LOOK else "never proved"
    told = {"pass": "proved", "fail": "proof failed", "unknown": "not proved"}[state.proof.verdict.value]
    return f"{told} {times.age(state.proved_at, context.now)}"


def _open(level: Level) -> None:
    st.query_params[PARAMETER] = level.value


def _opened(context: PageContext, state: LevelState, taken: datetime | None, jobs: Sequence[Job]) -> None:
    """Why, where to click, the keys, the proof, and the grant, in the order in which one needs them."""
    app = app_of(context)
    guide = guide_of(state.level, app, context.target)
    st.subheader(f"{state.level.value.capitalize()}: {LEVEL_MEANS[state.level]}", anchor=False)
    st.markdown(plain(guide.why, limit=1000))
    _promises(guide, state)
    # The SQL belongs to the step that leads to where it is run; an app without such a page gets it after the steps.
    runs_sql = link_of(app, context.target, SQL_EDITOR) if "Supabase" in app.uses else None
    with_sql = state.level is Level.OBSERVE and "database" in app.uses
    for number, step in enumerate(guide.steps, start=1):
        _guide_step(number, step)
        if with_sql and step.link is not None and step.link == runs_sql:
            reader_role.sql_part(context)
            with_sql = False
    if with_sql:
        reader_role.sql_part(context)
    if state.level is Level.OBSERVE and taken is not None and not state.granted:
        reader_role.removal_part()
    own_sign_in_part(context, guide)
    level_keys.keys_form(context, state.level, guide)
    level_proof.proof_part(context, state, jobs)


def _promises(guide: LevelGuide, state: LevelState) -> None:
    """What it makes possible, and what its keys could do beyond that: of those given, once they were looked at."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**What it makes possible**")
        _list(guide.makes_possible[:SHOWN_AT_ONCE])
        rest = guide.makes_possible[SHOWN_AT_ONCE:]
        if rest:
            with st.expander(f"And {len(rest)} more"):
                _list(rest)
    with right:
        given = state.proof.could_also if state.proof is not None else ()
        whose = "The keys that were given could also" if given else "What such keys could do beyond that"
        st.markdown(f"**{whose}**")
        _list(given or guide.could_also)


def _list(sentences: tuple[str, ...]) -> None:
    st.markdown("\n".join(f"- {plain(sentence, limit=600)}" for sentence in sentences) or "Nothing.")


def _guide_step(number: int, step: GuideStep) -> None:
    link = f" [{plain(step.link.title)} :material/open_in_new:]({step.link.url})" if step.link is not None else ""
    st.markdown(f"**{number}.** {strong(step.title)}{link}  \n{plain(step.text, limit=1000)}")
    if step.scopes:
        st.code("\n".join(step.scopes), language=None)
    if step.code:
        st.code(step.code, language=None)
