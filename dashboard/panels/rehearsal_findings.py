"""What a rehearsal saw around the statements: questions to the target's rows, what works afterwards, the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components.badges import inline_badge
from dashboard.components.plain import plain, strong
from dashboard.components.tables import table
from services.database.inverse.derive import only_order
from services.database.rehearsal.meant_breaks import newly_broken

WORST_FIRST = ("fail", "unknown", "pass")
TRIED = {
    "pass": "deployed, rolled back and deployed again on the copy",
    "fail": "tried on the copy, and it fails",
    "unknown": "not known whether it works",
}


def probes_part(probes: Sequence[Mapping[str, Any]]) -> None:
    """Read-only questions to the target's own rows, asked where the shadow has none of them."""
    if not probes:
        return
    st.markdown(f"{strong(f'Asked of the target, read-only ({len(probes)})')}")
    for probe in probes:
        rows = f" :small[:gray[{probe['rows']} rows]]" if probe.get("rows") is not None else ""
        question = f"{strong(probe.get('object'))} {plain(probe.get('question', ''), limit=400)}"
        st.markdown(f"{inline_badge(str(probe.get('verdict')))} {question}{rows}")


def security_part(findings: Sequence[Any]) -> None:
    """What the change newly lets strangers do, by rule."""
    if not findings:
        return
    with st.expander(f"Security findings after the change ({len(findings)})", key="rehearsal-security"):
        for finding in findings:
            told = finding if isinstance(finding, Mapping) else {"message": finding}
            text = " ".join(str(value) for value in told.values() if value not in (None, ""))
            st.markdown(f"- {plain(text, limit=900)}")


def inspection_part(findings: Sequence[Mapping[str, Any]]) -> None:
    """What was tried after the change: functions called, rows inserted, rights used; what fails is open."""
    if not findings:
        return
    ordered = sorted(findings, key=lambda one: WORST_FIRST.index(str(one.get("verdict", "unknown"))))
    bad = newly_broken(ordered)
    meant = [one for one in ordered if one.get("verdict") == "fail" and one.get("meant")]
    doubtful = sum(one.get("verdict") == "unknown" for one in ordered)
    things = "1 thing" if len(ordered) == 1 else f"{len(ordered)} things"
    on_purpose = f", {len(meant)} broken on purpose" if meant else ""
    told = f"Tried after the change: {things}, {len(bad)} newly broken{on_purpose}, {doubtful} not known"
    with st.expander(told, key="rehearsal-inspection", expanded=bool(bad)):
        for one in bad:
            head = f"{plain(one.get('kind'))} {strong(one.get('object'))}"
            st.markdown(f"{inline_badge('fail')} {head} {plain(one.get('message', ''), limit=600)}")
        for one in meant:
            head = f"{plain(one.get('kind'))} {strong(one.get('object'))}"
            st.markdown(
                f":gray-badge[:material/task_alt: meant] {head} {plain(one.get('message', ''), limit=600)} "
                ":small[:gray[The script says so.]]"
            )
        table(
            [{**one, "verdict": "meant" if one in meant else one.get("verdict")} for one in ordered],
            name="rehearsal-inspection",
            empty="Nothing was tried.",
            columns={"verdict": "Verdict", "kind": "Tried", "object": "Object", "message": "What was seen"},
            config={"What was seen": st.column_config.TextColumn(width="large")},
            height=320 if len(ordered) > 8 else None,
        )


def advice_part(advice: Sequence[Mapping[str, Any]], like_this_before: str) -> None:
    """What blocks nothing, folded: the advisors' new remarks, and how much was wrong before the change already."""
    if not advice and not like_this_before:
        return
    told = f"Advice, which blocks nothing ({len(advice)})" if advice else "Not this change's doing"
    with st.expander(told, key="rehearsal-advice", icon=":material/tips_and_updates:"):
        if advice:
            st.caption("What is slow, untidy or will not last in what the change made; the verdict leaves it out.")
            table(
                advice,
                name="rehearsal-advice",
                empty="There is no advice.",
                columns={"level": "Level", "object": "Object", "message": "What", "remedy": "Instead", "rule": "Rule"},
                config={"What": st.column_config.TextColumn(width="large")},
                height=320 if len(advice) > 8 else None,
            )
        if like_this_before:
            st.markdown(f":gray[{plain(like_this_before, limit=600)}]")


def way_back_part(inverse: Mapping[str, Any] | None) -> None:
    """The rollback that was derived for a script that brings none, and whether it was tried."""
    if not inverse:
        return
    verdict = str(inverse.get("rehearsed") or "unknown")
    tried = TRIED.get(verdict, TRIED["unknown"])
    with st.expander(
        f"The way back, derived from what changed ({tried})", key="rehearsal-inverse", expanded=verdict == "fail"
    ):
        if inverse.get("why"):
            st.markdown(f"{inline_badge(verdict)} {plain(inverse['why'], limit=900)}")
        for left in inverse.get("not_restored") or ():
            if verdict == "pass" and only_order(str(left)):
                continue
            st.markdown(f":orange[:material/warning:] Does not come back: {plain(left, limit=600)}")
        sql = str(inverse.get("sql") or "")
        if sql:
            st.caption(
                "These statements alone. A rollback from here also brings back what the deploy takes away: rows, "
                "merged with later writes, and columns in their old order."
            )
            st.code(sql, language="sql", height=320 if sql.count("\n") > 14 else "content")
            st.download_button(
                "Take it as rollback.sql", sql, file_name="010_rollback.sql", mime="application/sql", key="inverse-file"
            )
