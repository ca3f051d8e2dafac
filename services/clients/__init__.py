"""Clients of the upstreams: thin, typed, one error family, deadlines, no hidden retries."""
