"""One line about the owner's address of a target: who has armed it, for what, until when; and the way to forget it."""

from __future__ import annotations

import streamlit as st

from dashboard.actions import Act, action_button
from dashboard.components import times
from dashboard.components.plain import plain, strong
from dashboard.context import PageContext
from services.access.permissions import Permission
from services.jobs.arming import Arming, armed, disarm, last_end
from services.settings import Level


def arming_part(context: PageContext) -> None:
    """Nothing on a target whose settings hold a deploy_url: there everything stands in the settings."""
    if context.target.deploy_url is not None or not context.target.allows(Level.DEPLOY):
        return
    holder = armed(context.store, context.target.name, context.now)
    if holder is None:
        _how(context)
    else:
        _held(context, holder)


def _held(context: PageContext, holder: Arming) -> None:
    until = f"until {times.exact(holder.until, now=context.now)} ({times.age(holder.until, context.now)})"
    whose = f"for run {holder.run_id}" if holder.run_id else "for whatever is asked of it"
    with st.container(horizontal=True, vertical_alignment="center", key="arming"):
        st.markdown(
            f":material/key: {strong(f'Armed by {holder.actor.name}')} {plain(until)}, {plain(whose)} "
            f":small[:gray[{plain(holder.role)} at {plain(holder.place)}; in the worker's memory only]]",
            width="stretch",
        )
        blocked = None
        if not context.actor.may(Permission.DEPLOY):
            blocked = f"You are {context.actor.role.value}: your role may not {Permission.DEPLOY.value}."
        action_button(
            "Disarm",
            _disarm(holder.id),
            key=f"disarm-{holder.id}",
            icon="key_off",
            done="The worker forgets the address within a second.",
            help_text="The worker forgets the address. A job that runs already is not stopped by it.",
            blocked=blocked,
        )


def _disarm(seen: str) -> Act:
    """End the arming that the screen showed; one that has ended meanwhile, or another one, is left alone."""

    def act(context: PageContext) -> object:
        holder = armed(context.store, context.target.name, context.now)
        if holder is None or holder.id != seen:
            return None
        return disarm(context.store, context.actor, context.target.name, context.now)

    return act


def _how(context: PageContext) -> None:
    ended = last_end(context.store, context.target.name)
    before = f" :small[:gray[It was, and is no more: {plain(ended)}.]]" if ended else ""
    st.markdown(
        f":material/key_off: {strong('Not armed')}: the database of {plain(context.target.name)} cannot be changed "
        f"from here until somebody arms it, for one run, where its worker runs.{before}"
    )
    st.code(f"python -m dashboard arm --target {context.target.name}", language="bash")
