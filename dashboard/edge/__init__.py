"""The HTTP edge of the dashboard: headers, the page shell, sign-in and the probes; everything before Streamlit."""
