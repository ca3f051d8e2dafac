"""Connecting a target level by level: what each level needs, how it is proved, granted and taken back."""
