"""Tests about the repository itself: its docs, its first lines, its licences, and what must not stand in it."""
