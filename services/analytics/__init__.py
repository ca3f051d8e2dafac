"""Beta analytics: metrics with a definition and a state each."""
