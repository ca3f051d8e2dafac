"""Tables with a count, an empty text and a CSV beside them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components.empty import nothing_now
from dashboard.components.plain import plain

Row = Mapping[str, Any]
SHOWN_WHOLE = 25
"""Up to so many rows a table has no scroll bar of its own."""

# A spreadsheet runs a cell that begins like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(
    rows: Sequence[Row],
    *,
    name: str,
    empty: str,
    columns: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    height: int | None = None,
    exported: Sequence[Row] | None = None,
    exported_columns: Mapping[str, str] | None = None,
) -> None:
    """A table of rows with a CSV of exactly these rows, or of the `exported` ones.

    name:    file name of the export and accessible name; empty: the sentence for no rows
    columns: key to heading, in the order shown; None shows every key of the first row
    exported: what may leave the page, where that is less than what it shows; exported_columns: its headings
    """
    if not rows:
        nothing_now(empty)
        return
    shown = columns or {key: key for key in rows[0]}
    data = {heading: [_cell(row.get(key)) for row in rows] for key, heading in shown.items()}
    st.dataframe(
        data,
        hide_index=True,
        height=height or ("content" if len(rows) <= SHOWN_WHOLE else "auto"),
        column_config=dict(config or {}),
        alt=name,
        placeholder="–",
        key=f"table-{name}",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")
        csv_button(rows if exported is None else exported, name=name, columns=exported_columns or shown)


def csv_button(rows: Sequence[Row], *, name: str, columns: Mapping[str, str] | None = None) -> None:
    """A download of the rows as CSV."""
    shown = columns or ({key: key for key in rows[0]} if rows else {})
    st.download_button(
        "CSV",
        csv_text(rows, shown),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        key=f"csv-{name}",
        on_click="ignore",
        help=f"Download {plain(name)} as CSV",
    )


def csv_text(rows: Iterable[Row], columns: Mapping[str, str]) -> str:
    """The rows as CSV; a text that a spreadsheet would run as a formula is given a leading apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns.values())
    for row in rows:
        writer.writerow([_safe(row.get(key)) for key in columns])
    return out.getvalue()


def _safe(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _cell(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else value
