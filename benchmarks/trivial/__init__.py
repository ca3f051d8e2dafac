"""The trivial Streamlit app that every page's clicks are measured beside."""
