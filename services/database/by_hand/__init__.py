"""A deploy by a person's own hand: the script for a SQL editor, and what our reading connection sees of it."""
