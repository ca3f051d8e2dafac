"""Verification: queries that must return no row, every check's last word, what was measured over time, a console."""

import streamlit as st

from dashboard.components.choice import choose_part
from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.panels.checks import checks_part
from dashboard.panels.console import open_console
from dashboard.panels.queries import queries_part
from dashboard.panels.trends import trends_part

PARTS = {"queries": queries_part, "checks": checks_part, "trends": trends_part}
TITLES = {"queries": "Queries", "checks": "Checks", "trends": "Trends", "console": "Console"}

# A link to a check opens the catalogue, whatever part was looked at last.
opening = "checks" if st.query_params.get("check") else "queries"
part = choose_part("part", TITLES, opening)


@st.fragment(run_every=2)
def live() -> None:
    with problems_shown():
        PARTS[part](current())


if part == "console":
    open_console()
else:
    live()
