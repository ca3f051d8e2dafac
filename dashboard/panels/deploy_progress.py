"""A deploy as it runs: the statement, how far it is, who keeps it waiting, and what the database says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components.plain import plain, strong
from services.jobs.queue import JobEvent

SHOWN_NOTICES = 200


def statement_progress(story: Sequence[JobEvent], *, running: bool) -> None:
    """The statement that runs, how many have run, and the target's NOTICEs as they came."""
    if running:
        _statement(story)
        _waits(story)
    # What is tried again says the same again.
    said = Counter(
        f"{event.payload.get('severity', 'NOTICE')}: {event.payload.get('message')}"
        for event in story
        if event.kind == "notice"
    )
    if said:
        st.markdown(f"{strong('What the database said')} :small[:gray[{said.total()} notices]]")
        lines = [f"{line} ({times} times)" if times > 1 else line for line, times in said.items()]
        text = "\n".join(lines[-SHOWN_NOTICES:])
        st.code(text, language=None, wrap_lines=True, height=220 if len(lines) > 6 else "content")


def _statement(story: Sequence[JobEvent]) -> None:
    last = _newest(story, "statement")
    if last is None:
        return
    of = f" of {last['of']}" if last.get("of") else ""
    st.caption(plain(f"Statement {last.get('index')}{of} · {last.get('file')}:{last.get('line')}"))
    st.code(" ".join(str(last.get("sql", "")).split())[:110], language="sql", wrap_lines=True)
    progress = _newest(_since(story, "statement"), "progress")
    if progress is not None:
        _bar(progress)


def _bar(progress: Mapping[str, Any]) -> None:
    done, total = progress.get("done"), progress.get("total")
    on = f" on {progress['relation']}" if progress.get("relation") else ""
    told = f"{progress.get('command')}{on}: {progress.get('phase')}"
    if isinstance(done, int) and isinstance(total, int) and total > 0:
        st.progress(min(1.0, done / total), text=plain(told))
    else:
        st.caption(plain(told))


def _waits(story: Sequence[JobEvent]) -> None:
    """Who holds what we want, as it was seen last; gone as soon as the statement that waited ends."""
    newest = next((event for event in reversed(story) if event.kind in ("retry", "blocker")), None)
    if newest is None:
        return
    place = {"file": newest.payload.get("file"), "line": newest.payload.get("line")}
    since = _since(story, "statement", state="done", **place)
    if newest not in since:
        return
    tries = [at for at, event in enumerate(since) if event.kind == "retry"]
    # Of the try before this one: between two tries nobody has been seen yet.
    seen = since[tries[-2] :] if len(tries) > 1 else since
    retry = since[tries[-1]].payload if tries else None
    tried = f"try {retry.get('attempt')} of {retry.get('of')}" if retry else ""
    told = ", ".join(filter(None, (f"{place['file']}:{place['line']}" if place["file"] else "", tried)))
    st.markdown(f":orange[:material/lock_clock:] {strong('It waits for a lock')} :small[:gray[{plain(told)}]]")
    for one in {event.payload.get("pid"): event.payload for event in seen if event.kind == "blocker"}.values():
        age = f", in its transaction for {one['age_s']:g} s" if isinstance(one.get("age_s"), int | float) else ""
        who = f"process {one.get('pid')}: {one.get('user')}, {one.get('application') or 'no application name'}{age}"
        held = f"{one.get('mode') or 'in the queue before us'} on {one.get('relation') or 'what we wait for'}"
        st.markdown(f"- {plain(who)} :small[:gray[{plain(held)}]]")
        if one.get("query"):
            st.code(str(one["query"]), language="sql", wrap_lines=True)


def _newest(story: Sequence[JobEvent], kind: str) -> Mapping[str, Any] | None:
    return next((event.payload for event in reversed(story) if event.kind == kind), None)


def _since(story: Sequence[JobEvent], kind: str, **having: object) -> Sequence[JobEvent]:
    """What came after the newest event of this kind."""
    for at in range(len(story) - 1, -1, -1):
        event = story[at]
        if event.kind == kind and all(event.payload.get(name) == value for name, value in having.items()):
            return story[at + 1 :]
    return story
