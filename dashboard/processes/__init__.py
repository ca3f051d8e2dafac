"""The processes of this dashboard: what runs, who watches whom, and how all of it ends."""
