"""The ways of signing in, each with its routes; what they share is in access.py, what they show in pages.py."""
