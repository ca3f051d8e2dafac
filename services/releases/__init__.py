"""Releases: the folder, the run through its checklist, the gates between its phases."""
