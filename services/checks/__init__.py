"""Checks: code that looks at an effect and returns a verdict."""
