"""Backups of our own: taken, encrypted, restored at once and compared."""
