"""History: runs and their records, jobs and their stories, and who did what."""

import streamlit as st

from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.panels import records

PARTS = {"Runs": records.runs_part, "Jobs": records.jobs_part, "Audit": records.audit_part}

# A link to a job opens its story, whatever part was looked at last.
opening = "Jobs" if st.query_params.get("job") else "Runs"
part = st.segmented_control(
    "Part",
    list(PARTS),
    key="history",
    bind="query-params",
    default=opening,
    required=True,
    label_visibility="collapsed",
)
with problems_shown():
    PARTS[part or opening](current())
