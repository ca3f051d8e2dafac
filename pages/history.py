"""History: runs and their records, jobs and their stories, and who did what."""

import streamlit as st

from dashboard.components.choice import choose_part
from dashboard.components.problem import problems_shown
from dashboard.context import current
from dashboard.panels import records

PARTS = {"Runs": records.runs_part, "Jobs": records.jobs_part, "Audit": records.audit_part}

# A link to a job opens its story, whatever part was looked at last.
opening = "Jobs" if st.query_params.get("job") else "Runs"
part = choose_part("part", {name: name for name in PARTS}, opening)
with problems_shown():
    PARTS[part](current())
