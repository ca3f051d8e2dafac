"""What the beta image holds of asyncpg: its version. PulseCheck names it as a requirement and imports it, no more."""

__version__ = "0.28.0"
