"""The dashboard in a real browser, under its real server."""
