"""Tests of the apps, in the folders of what they test."""
