"""What a rehearsal found: where it fails and what would help, what it would lock, lose, block or open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table
from dashboard.panels.lock_times import lock_times
from dashboard.panels.rehearsal_findings import (
    advice_part,
    inspection_part,
    probes_part,
    security_part,
    way_back_part,
)

DANGER_LOOK = {
    "loss": ("red", "delete_forever"),
    "blocking": ("orange", "lock_clock"),
    "security": ("violet", "shield"),
}
SHOWN_DANGERS = 12
AGAIN = {"fails": "fails", "catalog": "changes the catalog once more", "rows": "changes rows once more"}


def rehearsal_result(found: Mapping[str, Any], ended: str = "") -> None:
    """The result of a rehearsal (the document of `rehearse --json`). ended: when it ended, as people read it."""
    plan = f" · plan hash {plain(str(found['plan_hash'])[:12])}" if found.get("plan_hash") else ""
    st.markdown(
        f"{inline_badge(str(found.get('verdict')))} {plain(found.get('summary', ''), limit=900)} "
        f":small[:gray[{plain(ended)}, took {times.duration_ms(float(found.get('took_ms') or 0))}{plan}]]"
    )
    _how_copied(found.get("shadow") or {})
    failure("The first run fails", found.get("failure"))
    _further(found.get("further_failures") or [])
    failure("It cannot run twice", found.get("second_run"))
    second = found.get("second_run") or {}
    _again(
        [
            one
            for one in found.get("not_idempotent") or ()
            if (one.get("file"), one.get("line")) != (second.get("file"), second.get("line"))
        ],
        also="Also not" if second else "Not",
    )
    for reason in found.get("unknown_because") or ():
        st.markdown(f":yellow[:material/help:] {plain(reason, limit=900)}")
    probes_part(found.get("probes") or [])
    _dangers(found.get("dangers") or [])
    security_part(found.get("security") or [])
    inspection_part(found.get("inspection") or [])
    advice_part(_not_among(found.get("advice") or [], found.get("security") or []), found.get("like_this_before") or "")
    _predicted(found.get("predicted"), found.get("not_predicted") or "")
    lock_times(found)
    _statements(found.get("statements") or [])
    way_back_part(found.get("inverse"))


def _how_copied(shadow: Mapping[str, Any]) -> None:
    """How the copy was made, where it was not made the usual way or another role ran the scripts on it."""
    if shadow.get("sentence") and (shadow.get("copied_by") != "pg_dump" or shadow.get("stands_in")):
        st.markdown(f":gray[:material/content_copy: {plain(shadow['sentence'], limit=900)}]")


def _not_among(advice: Sequence[Mapping[str, Any]], security: Sequence[Any]) -> list[Mapping[str, Any]]:
    """The advice that is not told as a security finding already."""
    told = {(one.get("rule"), one.get("object")) for one in security if isinstance(one, Mapping)}
    return [one for one in advice if (one.get("rule"), one.get("object")) not in told]


def _predicted(predicted: Mapping[str, Any] | None, why_not: str) -> None:
    """How long it would take on the target's real size; nothing where nobody asked."""
    if why_not:
        st.markdown(f":yellow[:material/help:] {plain(why_not, limit=900)}")
    if not predicted:
        return
    whole, stall, error = (float(predicted[key]) for key in ("transaction_ms", "stall_ms", "error"))
    waits = f"writers wait {times.duration_ms(stall)} at most" if stall else "nobody has to wait"
    told = f"about {times.duration_ms(whole)} from BEGIN to COMMIT, {waits}"
    between = f"{times.duration_ms(whole / error)} to {times.duration_ms(whole * error)}"
    st.markdown(
        f":material/timer: {strong('On the target’s real size')}: {plain(told)} "
        f":small[:gray[predicted, right within a factor of {error:g}: {plain(between)}]]"
    )


def failure(title: str, found: Mapping[str, Any] | None) -> None:
    """A failed statement: file, line, SQLSTATE, class, the server's own words, and what would help."""
    if not found:
        return
    where = f"{found.get('file')}:{found.get('line')}" if found.get("line") else str(found.get("file") or "at COMMIT")
    st.error(
        f"{strong(title)}: {plain(where)}, SQLSTATE {plain(found.get('sqlstate'))} ({plain(found.get('class'))})",
        icon=":material/cancel:",
    )
    st.code(str(found.get("message", "")), language=None, wrap_lines=True)
    told = " ".join(str(found[key]) for key in ("means", "fix") if found.get(key))
    if told:
        st.markdown(plain(told, limit=900))
    _suggestion(found.get("suggestion"))


def _suggestion(suggestion: Any) -> None:
    if suggestion:
        st.markdown(f":material/lightbulb: {strong('What would help')}")
        st.code(str(suggestion), language="sql", wrap_lines=True)


def _further(failures: Sequence[Mapping[str, Any]]) -> None:
    """What else fails when the run goes on: own faults first, then what only follows from an earlier one."""
    if not failures:
        return
    own = [one for one in failures if one.get("follows_from") is None]
    following = len(failures) - len(own)
    follow = f", and {following} more follow from an earlier one" if following else ""
    several = "1 further failure of its own" if len(own) == 1 else f"{len(own)} further failures of their own"
    with st.expander(f"{several}{follow}", key="rehearsal-further", expanded=True):
        for one in own:
            where = f"{one.get('file')}:{one.get('line')}"
            head = f"{strong(where)} {plain(one.get('sqlstate'))} ({plain(one.get('class'))})"
            st.markdown(f"{head} {plain(one.get('message', ''), limit=600)}")
            _suggestion(one.get("suggestion"))
        for one in failures:
            if one.get("follows_from") is not None:
                where = f"{one.get('file')}:{one.get('line')}"
                cause = f"follows from line {one['follows_from']}"
                st.markdown(f":gray[{plain(where)} {plain(one.get('message', ''), limit=300)} ({plain(cause)})]")


def _again(statements: Sequence[Mapping[str, Any]], *, also: str) -> None:
    """Statements that a second run refuses or that change something once more, with a form that does not."""
    if not statements:
        return
    with st.expander(f"{also} the same when run twice ({len(statements)})", key="rehearsal-again"):
        for one in statements:
            where = f"{one.get('file')}:{one.get('line')}"
            kind = AGAIN.get(str(one.get("kind")), str(one.get("kind")))
            st.markdown(f"{strong(where)} {plain(kind)}. {plain(one.get('detail', ''), limit=600)}")
            if one.get("guarded"):
                st.caption("This form does no harm twice; it was tried.")
                st.code(str(one["guarded"]), language="sql", wrap_lines=True)


def _dangers(dangers: Sequence[Mapping[str, Any]]) -> None:
    if not dangers:
        return
    counts = {name: sum(one.get("class") == name for one in dangers) for name in DANGER_LOOK}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    st.markdown(f"{strong(f'Dangers ({len(dangers)})')} :small[:gray[{plain(told)}]]")
    for danger in dangers[:SHOWN_DANGERS]:
        _danger(danger)
    if len(dangers) > SHOWN_DANGERS:
        with st.expander(f"{len(dangers) - SHOWN_DANGERS} more dangers", key="rehearsal-dangers"):
            for danger in dangers[SHOWN_DANGERS:]:
                _danger(danger)


def _danger(danger: Mapping[str, Any]) -> None:
    colour, icon = DANGER_LOOK.get(str(danger.get("class")), ("gray", "warning"))
    file = f"{danger['file']}:" if danger.get("file") else "line "
    line = f" :small[:gray[{plain(file)}{plain(danger.get('line'))}]]" if danger.get("line") else ""
    st.markdown(
        f":{colour}-badge[:material/{icon}: {plain(danger.get('class'))}] {strong(danger.get('object'))} "
        f"{plain(danger.get('detail', ''))}{line}"
    )


def _statements(statements: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        {
            **statement,
            "lock": statement.get("lock") or "none",
            "where": f"{statement.get('file')}:{statement.get('line')}",
            "sql": " ".join(str(statement.get("sql", "")).split())[:160],
            "rewrites": ", ".join(map(str, statement.get("rewrites") or ())) if statement.get("rewrites") else "",
            "there_ms": (statement.get("predicted_ms") or {}).get("ms"),
            "between": _between(statement.get("predicted_ms")),
        }
        for statement in statements
    ]
    columns = {"where": "File and line", "sql": "Statement", "lock": "Strongest lock"}
    predicted = any(row["there_ms"] is not None for row in rows)
    if predicted:
        columns |= {"there_ms": "ms on the target", "between": "Between, ms", "stall_ms": "Writers wait, ms"}
    columns |= {
        "ms": "ms on the copy",
        "rows_scanned": "Rows read",
        "rows_written": "Rows written",
        "rewrites": "Rewrites",
    }
    table(
        rows,
        name="rehearsal-statements",
        empty="The release has no statements.",
        columns=columns,
        config={
            "Statement": st.column_config.TextColumn(width=300 if predicted else "large"),
            "Strongest lock": st.column_config.TextColumn(
                width=150, help="That it took itself; what an earlier statement took is held to COMMIT."
            ),
            "ms on the copy": st.column_config.NumberColumn(format="%.1f"),
            "ms on the target": st.column_config.NumberColumn(format="%.0f"),
            "Writers wait, ms": st.column_config.NumberColumn(format="%.0f"),
        },
        height=420 if len(rows) > 11 else None,
    )


def _between(predicted: Mapping[str, Any] | None) -> str:
    return f"{predicted['low']:.0f} to {predicted['high']:.0f}" if predicted else ""
