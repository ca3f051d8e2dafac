"""Kills at random moments of deploys, rollbacks and restores, and what must hold after each of them."""
