"""Verification queries: what each proves, and the rows that should not be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components import times
from dashboard.components.badges import inline_badge
from dashboard.components.empty import not_yet
from dashboard.components.plain import plain, strong
from dashboard.components.progress import show_job
from dashboard.components.tables import csv_button
from dashboard.context import PageContext
from dashboard.panels.release_steps import set_going_button
from dashboard.results import results_of
from dashboard.runs import release_of, view_of
from services.releases.bundle import Release


def queries_part(context: PageContext) -> None:
    """The verification of the release: run it, and see what its last run came to."""
    release, found = release_of(context), results_of(context, "verify", run=False)
    st.caption("Zero rows mean healthy. A query that cannot run is unknown, and unknown is not healthy.")
    with st.container(horizontal=True, vertical_alignment="center"):
        set_going_button(
            context,
            "verify",
            "Run the verification",
            view=view_of(context),
            results=found,
            payload={"release": release.id},
            primary=not found.document,
        )
        only_bad = st.toggle("Only what is wrong", key="only_bad", bind="query-params")
    if found.running:
        show_job(found.running.id, key="verify", compact=True, live=False)
    if found.ended is None or found.ended.finished is None:
        not_yet("The verification has not been run on this target.", "Before the release, it is expected to fail.")
        return
    st.markdown(
        f"{inline_badge(str(found.ended.state))} {plain(found.document.get('summary', ''), limit=900)} "
        f":small[:gray[{plain(times.age(found.ended.finished, context.now))}]]"
    )
    query_list(found.document.get("queries") or [], release, only_bad=only_bad)


def query_list(queries: Sequence[Mapping[str, Any]], release: Release, *, only_bad: bool) -> None:
    """The results of the last verification; a query opens to its rows and its SQL."""
    shown = [query for query in queries if not only_bad or query.get("verdict") != "pass"]
    if not shown:
        st.caption("Every query found nothing wrong.")
    sql = {script.file: script.sql for script in release.verify}
    for query in shown:
        _query(query, sql)
    exported = [{key: query.get(key) for key in ("id", "verdict", "rows", "proves", "message")} for query in queries]
    csv_button(exported, name="verification")


def _query(query: Mapping[str, Any], sql: Mapping[str, str]) -> None:
    name = str(query.get("id"))
    rows = int(query.get("rows") or 0)
    count = "no rows" if rows == 0 else f"{rows} row{'' if rows == 1 else 's'}"
    row = st.expander(
        f"{inline_badge(str(query.get('verdict')))} {strong(_title(name))} {plain(_first_sentence(query))} "
        f":small[:gray[{count} · {times.duration_ms(float(query.get('took_ms') or 0))}]]",
        key=f"query-{name}",
        on_change="rerun",
    )
    if not row.open:
        return
    with row:
        st.markdown(plain(query.get("proves") or "", limit=900))
        if query.get("message"):
            st.markdown(plain(query["message"], limit=900))
        _sample(query, rows)
        text = next((body for file, body in sql.items() if file.endswith(f"{name}.sql")), None)
        if text:
            st.code(text, language="sql")


def _title(name: str) -> str:
    """ "061_tier_info_answers" reads as "061 tier info answers"."""
    return name.replace("_", " ")


def _first_sentence(query: Mapping[str, Any]) -> str:
    told = str(query.get("proves") or "")
    return told.split(". ")[0].rstrip(".") + "." if told else ""


def _sample(query: Mapping[str, Any], rows: int) -> None:
    sample, columns = query.get("sample") or [], query.get("columns") or []
    if not sample:
        return
    if rows > len(sample):
        st.caption(f"The first {len(sample)} of {rows} rows; the count is of all of them.")
    data = {str(column): [row[index] for row in sample] for index, column in enumerate(columns)}
    st.dataframe(data, hide_index=True, alt=f"Rows of {query.get('id')}", key=f"rows-{query.get('id')}")
