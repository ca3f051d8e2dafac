"""The way back of a change for which nobody wrote one: derived from how the catalog differs, and tried on a copy."""
