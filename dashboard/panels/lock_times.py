"""A picture of a change in time: which table's writers would wait, from which statement on, until COMMIT."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.components import times
from dashboard.components.plain import plain, strong

BLOCKS_READERS = "AccessExclusiveLock"
BLOCKS_WRITERS = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", BLOCKS_READERS)
MOST_TABLES = 20
_ROW_PX, _FRAME_PX = 26, 110
_LOOK = (
    ("Writers wait", BLOCKS_WRITERS[:-1], "#C77700"),
    ("Readers and writers wait", (BLOCKS_READERS,), "#C0392B"),
)


@dataclass(frozen=True, slots=True)
class Held:
    """One lock that makes others wait. Times in ms from the first statement; since: when the table's first such lock
    was taken, which may have been a weaker one."""

    table: str
    mode: str
    begun: float
    until: float
    place: str
    since: float


def held_locks(
    statements: Sequence[Mapping[str, Any]],
    order: Sequence[int] | None,
    apart: Collection[tuple[str, int]] = (),
) -> tuple[list[Held], float]:
    """Every lock that makes writers wait, in the order in which they are taken, and when the last statement ends.

    A lock once taken is held to the end of its transaction, whatever the later statements do; a statement of `apart`
    (file, line) is one by itself. Times are those of the target where they were predicted, else those of the copy.
    """
    ended: list[Held] = []
    open_now: dict[str, Held] = {}
    at = 0.0
    for statement in [statements[index] for index in order] if order else statements:
        alone = (statement.get("file"), statement.get("line")) in apart
        if alone:
            ended += _commit(open_now, at)
        for table, mode in (statement.get("locks") or {}).items():
            before = open_now.get(table)
            if mode in BLOCKS_WRITERS and (before is None or mode == BLOCKS_READERS != before.mode):
                if before is not None:
                    ended.append(replace(before, until=at))
                where = f"{statement.get('file')}:{statement.get('line')}"
                open_now[table] = Held(table, mode, at, at, where, before.since if before else at)
        at += float((statement.get("predicted_ms") or {}).get("ms") or statement.get("ms") or 0)
        if alone:
            ended += _commit(open_now, at)
    ended += _commit(open_now, at)
    return sorted((one for one in ended if one.until > one.begun), key=lambda one: one.begun), at


def _commit(open_now: dict[str, Held], at: float) -> list[Held]:
    """Let go of everything."""
    done = [replace(one, until=at) for one in open_now.values()]
    open_now.clear()
    return done


def lock_times(found: Mapping[str, Any]) -> None:
    """The picture of a rehearsal's document; nothing where no lock on a table that was there makes anybody wait."""
    apart = {(str(file), int(line)) for file, line in found.get("apart") or ()}
    held, end = held_locks(found.get("statements") or (), found.get("order"), apart)
    if not held:
        return
    predicted = found.get("predicted") or {}
    error = float(predicted.get("error") or 1)
    longest = max(one.until - one.since for one in held)
    basis = "as predicted" if predicted else "as on the copy; not predicted for the target's size"
    told = f"at most {times.duration_ms(longest)}, {basis}"
    st.markdown(f"{strong('Who waits, and how long')} :small[:gray[{plain(told)}]]")
    tables = list(dict.fromkeys(one.table for one in held))
    shown = set(tables[:MOST_TABLES])
    title = "ms from the first statement to the last" if apart else "ms from BEGIN to COMMIT"
    figure = _picture([one for one in held if one.table in shown], end, error, title)
    st.plotly_chart(figure, key="lock-times", config={"displayModeBar": False})
    if len(tables) > len(shown):
        st.caption(f"{len(tables) - len(shown)} more tables are not drawn.")


def _picture(held: Sequence[Held], end: float, error: float, title: str) -> go.Figure:
    figure = go.Figure()
    for name, modes, colour in _LOOK:
        of_these = [one for one in held if one.mode in modes]
        if of_these:
            figure.add_bar(
                name=name,
                orientation="h",
                y=[one.table for one in of_these],
                base=[one.begun for one in of_these],
                x=[max(one.until - one.begun, end / 200) for one in of_these],
                marker_color=colour,
                customdata=[(one.mode, one.place, one.until - one.begun) for one in of_these],
                hovertemplate="%{y}<br>%{customdata[0]}, %{customdata[1]}<br>%{customdata[2]:.0f} ms<extra></extra>",
            )
    if error > 1:
        figure.add_vrect(
            x0=end / error, x1=end * error, fillcolor="#808080", opacity=0.15, line_width=0, layer="below"
        ).add_annotation(
            x=end, y=1, yref="paper", yanchor="bottom", showarrow=False, text="COMMIT lies in the grey", xanchor="right"
        )
    figure.update_layout(
        barmode="overlay",
        height=_FRAME_PX + _ROW_PX * len({one.table for one in held}),
        margin={"l": 8, "r": 8, "t": 52 if error > 1 else 36, "b": 56},
        legend={"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0},
        xaxis={"title": {"text": title, "standoff": 8}, "range": [0, end * max(error, 1.02) or 1]},
        yaxis={"autorange": "reversed", "automargin": True},
        showlegend=True,
    )
    return figure
