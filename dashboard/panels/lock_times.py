"""A picture of a change in time: which table's writers would wait, from which statement on, until COMMIT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.components import times
from dashboard.components.plain import plain, strong

BLOCKS_READERS = "AccessExclusiveLock"
BLOCKS_WRITERS = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", BLOCKS_READERS)
MOST_TABLES = 20
_ROW_PX, _FRAME_PX = 26, 110


def held_locks(
    statements: Sequence[Mapping[str, Any]], order: Sequence[int] | None
) -> tuple[list[tuple[str, str, float, float, str]], float]:
    """(table, mode, from ms, until ms, place) of every lock that makes writers wait, and when COMMIT comes.

    A lock once taken is held to the end of the transaction, whatever the later statements do. Times are those of the
    target where they were predicted, else those of the copy.
    """
    taken: dict[str, tuple[str, float, str]] = {}
    at = 0.0
    for statement in [statements[index] for index in order] if order else statements:
        where = f"{statement.get('file')}:{statement.get('line')}"
        for table, mode in (statement.get("locks") or {}).items():
            if mode in BLOCKS_WRITERS and (table not in taken or mode == BLOCKS_READERS != taken[table][0]):
                taken[table] = (mode, taken[table][1] if table in taken else at, where)
        at += float((statement.get("predicted_ms") or {}).get("ms") or statement.get("ms") or 0)
    return [(table, mode, begun, at, where) for table, (mode, begun, where) in taken.items()], at


def lock_times(
    statements: Sequence[Mapping[str, Any]], order: Sequence[int] | None, predicted: Mapping[str, Any] | None
) -> None:
    """Nothing where no lock on a table that was there makes anybody wait."""
    held, end = held_locks(statements, order)
    if not held:
        return
    longest = max(until - begun for _, _, begun, until, _ in held)
    basis = "predicted for the target's size" if predicted else "as on the copy"
    error = f", right within a factor of {predicted['error']:g}" if predicted and predicted.get("error") else ""
    st.markdown(
        f"{strong('Who waits, and how long')} :small[:gray[at most {plain(times.duration_ms(longest))}, "
        f"{plain(basis)}{plain(error)}]]"
    )
    shown = sorted(held, key=lambda one: one[2])[:MOST_TABLES]
    figure = go.Figure()
    for title, modes, colour in (
        ("Readers and writers wait", (BLOCKS_READERS,), "#C0392B"),
        ("Writers wait", BLOCKS_WRITERS[:-1], "#C77700"),
    ):
        of_these = [one for one in shown if one[1] in modes]
        if of_these:
            figure.add_bar(
                name=title,
                orientation="h",
                y=[one[0] for one in of_these],
                base=[one[2] for one in of_these],
                x=[max(one[3] - one[2], end / 200) for one in of_these],
                marker_color=colour,
                customdata=[(one[1], one[4], one[3] - one[2]) for one in of_these],
                hovertemplate="%{y}<br>%{customdata[0]}, %{customdata[1]}<br>%{customdata[2]:.0f} ms<extra></extra>",
            )
    figure.update_layout(
        barmode="overlay",
        height=_FRAME_PX + _ROW_PX * len(shown),
        margin={"l": 8, "r": 8, "t": 36, "b": 56},
        legend={"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0},
        xaxis={"title": {"text": "ms from BEGIN to COMMIT", "standoff": 8}, "range": [0, end * 1.02 or 1]},
        yaxis={"autorange": "reversed", "automargin": True},
        showlegend=True,
    )
    st.plotly_chart(figure, key="lock-times", config={"displayModeBar": False})
    if len(held) > len(shown):
        st.caption(f"{len(held) - len(shown)} more tables are not drawn.")
