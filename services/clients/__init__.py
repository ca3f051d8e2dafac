"""Thin, typed clients of the outside world: one error family, deadlines, no hidden retries."""
