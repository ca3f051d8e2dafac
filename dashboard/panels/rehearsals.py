"""What a rehearsal found: where it fails, what it would lock, lose, block or open, statement by statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table

DANGER_LOOK = {
    "loss": ("red", "delete_forever"),
    "blocking": ("orange", "lock_clock"),
    "security": ("violet", "shield"),
}


def rehearsal_result(found: Mapping[str, Any]) -> None:
    """The result of a rehearsal (the document of `rehearse --json`)."""
    st.markdown(
        f"{inline_badge(str(found.get('verdict')))} {plain(found.get('summary', ''), limit=900)} "
        f":small[:gray[took {times.duration_ms(float(found.get('took_ms') or 0))}]]"
    )
    failure("The first run fails", found.get("failure"))
    failure("It cannot run twice", found.get("second_run"))
    for reason in found.get("unknown_because") or ():
        st.markdown(f":yellow[:material/help:] {plain(reason, limit=900)}")
    _dangers(found.get("dangers") or [])
    _security(found.get("security") or [])
    _statements(found.get("statements") or [])


def failure(title: str, found: Mapping[str, Any] | None) -> None:
    """A failed statement: file, line, SQLSTATE, class and the server's own words."""
    if not found:
        return
    where = f"{found.get('file')}:{found.get('line')}" if found.get("line") else str(found.get("file") or "at COMMIT")
    st.error(
        f"{strong(title)}: {plain(where)}, SQLSTATE {plain(found.get('sqlstate'))} ({plain(found.get('class'))})",
        icon=":material/cancel:",
    )
    st.code(str(found.get("message", "")), language=None, wrap_lines=True)


def _dangers(dangers: list[Mapping[str, Any]]) -> None:
    if not dangers:
        return
    st.markdown(strong(f"Dangers ({len(dangers)})"))
    for danger in dangers:
        colour, icon = DANGER_LOOK.get(str(danger.get("class")), ("gray", "warning"))
        line = f" :small[:gray[line {plain(danger.get('line'))}]]" if danger.get("line") else ""
        st.markdown(
            f":{colour}-badge[:material/{icon}: {plain(danger.get('class'))}] {strong(danger.get('object'))} "
            f"{plain(danger.get('detail', ''))}{line}"
        )


def _security(findings: list[Any]) -> None:
    if not findings:
        return
    with st.expander(f"Security findings after the change ({len(findings)})", key="rehearsal-security"):
        for finding in findings:
            told = finding if isinstance(finding, Mapping) else {"message": finding}
            text = " ".join(str(value) for value in told.values() if value not in (None, ""))
            st.markdown(f"- {plain(text, limit=900)}")


def _statements(statements: list[Mapping[str, Any]]) -> None:
    rows = [
        {
            **statement,
            "where": f"{statement.get('file')}:{statement.get('line')}",
            "sql": " ".join(str(statement.get("sql", "")).split())[:160],
            "rewrites": ", ".join(map(str, statement.get("rewrites") or ())) if statement.get("rewrites") else "",
        }
        for statement in statements
    ]
    table(
        rows,
        name="rehearsal-statements",
        empty="The release has no statements.",
        columns={
            "where": "File and line",
            "sql": "Statement",
            "lock": "Strongest lock",
            "rows_scanned": "Rows read",
            "rows_written": "Rows written",
            "rewrites": "Rewrites",
            "ms": "ms",
        },
        config={
            "Statement": st.column_config.TextColumn(width="large"),
            "ms": st.column_config.NumberColumn(format="%.1f"),
        },
        height=420 if len(rows) > 11 else None,
    )
