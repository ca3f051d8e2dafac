"""A package the stand-in's newer build requires."""

__version__ = "2.1.0"
