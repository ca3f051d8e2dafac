"""Dangers told by the engine, measured against what is so."""
