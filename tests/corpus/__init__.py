"""Knows SQL scripts as people write them, and whether a rehearsal says of each what a real server does."""
