"""Incidents: diagnosis, timeline, playbooks."""
